//! Views, triggers, routines and events: made again from their SQL, without their definer, after the tables are in
//! place.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};
use serde::{Deserialize, Serialize};

use super::errors::Doing as _;
use super::lexer::{self, Edit, Kind, Token};
use super::sql::{quote, quoted};
use super::{DatabaseError, all, execute, limited};
use crate::model::SchemaObject;

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A stored procedure.
    Procedure,
    /// A stored function.
    Function,
    /// An event of the event scheduler.
    Event,
}

/// An object of the destination as it was, so that it can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedObject {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// `SHOW CREATE …`, definer included.
    pub create_sql: String,
    /// The `sql_mode` it was made under.
    pub sql_mode: String,
}

impl ObjectKind {
    /// The word for it in SQL.
    pub const fn word(self) -> &'static str {
        match self {
            ObjectKind::View => "VIEW",
            ObjectKind::Trigger => "TRIGGER",
            ObjectKind::Procedure => "PROCEDURE",
            ObjectKind::Function => "FUNCTION",
            ObjectKind::Event => "EVENT",
        }
    }

    /// Procedures and functions come in one list: their statement tells which it is.
    pub fn of_routine(create_sql: &str) -> Self {
        let tokens = lexer::tokens(create_sql);
        let is_function = tokens.iter().take(16).any(|token| token.is(create_sql, "FUNCTION"));
        if is_function { ObjectKind::Function } else { ObjectKind::Procedure }
    }
}

/// The statement without its definer, with the names of tables that changed. `names` maps names at the source to
/// names at the destination; only changed ones matter.
pub fn adapt(create_sql: &str, names: &BTreeMap<String, String>) -> String {
    let tokens = lexer::tokens(create_sql);
    let mut edits: Vec<Edit> = definer(create_sql, &tokens).into_iter().collect();
    for token in &tokens {
        let own = token.name(create_sql);
        let renamed = match token.kind {
            Kind::Identifier | Kind::Word => own.as_ref().and_then(|name| names.get(name)),
            Kind::Text | Kind::Sign(_) => None,
        };
        if let Some(name) = renamed.filter(|name| Some(*name) != own.as_ref()) {
            let is_bare =
                token.kind == Kind::Word && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let text = if is_bare { name.clone() } else { quote(name) };
            edits.push(Edit { start: token.start, end: token.end, text });
        }
    }
    lexer::apply(create_sql, edits)
}

/// `DEFINER = user@host`, of which a body might hold another as a word of its own: only the head is looked at.
fn definer(sql: &str, tokens: &[Token]) -> Option<Edit> {
    let at = tokens.iter().take(12).position(|token| token.is(sql, "DEFINER"))?;
    let sign = |at: usize, sign: u8| tokens.get(at).is_some_and(|token| token.kind == Kind::Sign(sign));
    if !sign(at + 1, b'=') {
        return None;
    }
    let mut last = at + 2;
    if sign(last + 1, b'@') || (sign(last + 1, b'(') && sign(last + 2, b')')) {
        last += 2;
    }
    Some(Edit { start: tokens.get(at)?.start, end: tokens.get(last)?.end, text: String::new() })
}

/// Makes an object under its `sql_mode`. A session's own mode is put back in any case.
pub async fn create(
    conn: &mut Conn,
    create_sql: &str,
    sql_mode: &str,
    what: &str,
) -> Result<(), DatabaseError> {
    let doing = || format!("{what} cannot be made");
    let set = format!("SET SESSION sql_mode = {}", quoted(&known_modes(sql_mode)));
    execute(conn, set, doing).await?;
    let made = execute(conn, create_sql, doing).await;
    execute(conn, super::SESSION, doing).await?;
    made
}

/// Without the modes that MySQL 8 removed and MariaDB never had, or the reverse: each would refuse the whole SET.
fn known_modes(sql_mode: &str) -> String {
    const KNOWN: [&str; 14] = [
        "ALLOW_INVALID_DATES",
        "ANSI_QUOTES",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "HIGH_NOT_PRECEDENCE",
        "IGNORE_SPACE",
        "NO_AUTO_VALUE_ON_ZERO",
        "NO_BACKSLASH_ESCAPES",
        "NO_DIR_IN_CREATE",
        "NO_ENGINE_SUBSTITUTION",
        "NO_UNSIGNED_SUBTRACTION",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "ONLY_FULL_GROUP_BY",
        "STRICT_TRANS_TABLES",
    ];
    const ALSO_KNOWN: [&str; 4] =
        ["STRICT_ALL_TABLES", "PIPES_AS_CONCAT", "REAL_AS_FLOAT", "PAD_CHAR_TO_FULL_LENGTH"];
    let modes = sql_mode.split(',').filter(|mode| KNOWN.contains(mode) || ALSO_KNOWN.contains(mode));
    modes.collect::<Vec<_>>().join(",")
}

/// Drops an object; one that is not there is no error.
pub async fn drop_object(conn: &mut Conn, kind: ObjectKind, name: &str) -> Result<(), DatabaseError> {
    let sql = format!("DROP {} IF EXISTS {}", kind.word(), quote(name));
    execute(conn, sql, || format!("{} {name} cannot be dropped", kind.word().to_lowercase())).await
}

/// The object of that kind and name as it is; none where there is none.
pub async fn save(
    conn: &mut Conn,
    kind: ObjectKind,
    name: &str,
) -> Result<Option<SavedObject>, DatabaseError> {
    if !exists(conn, kind, name).await? {
        return Ok(None);
    }
    let lower = kind.word().to_lowercase();
    let query = format!("SHOW CREATE {} {}", kind.word(), quote(name));
    let row: Option<Row> =
        limited(conn.query_first(query), || format!("{lower} {name} cannot be read")).await?;
    let column = match kind {
        ObjectKind::View => "Create View",
        ObjectKind::Trigger => "SQL Original Statement",
        ObjectKind::Procedure => "Create Procedure",
        ObjectKind::Function => "Create Function",
        ObjectKind::Event => "Create Event",
    };
    let text =
        |row: &Row, column: &str| row.get_opt::<Option<String>, _>(column).and_then(Result::ok).flatten();
    let create_sql = row.as_ref().and_then(|row| text(row, column)).ok_or_else(|| {
        let detail =
            format!("the definition of {lower} {name} at the destination may not be read by this user");
        DatabaseError::refused("destination.permission_denied", detail)
    })?;
    let sql_mode = row.as_ref().and_then(|row| text(row, "sql_mode")).unwrap_or_default();
    Ok(Some(SavedObject { kind, name: name.to_owned(), create_sql, sql_mode }))
}

async fn exists(conn: &mut Conn, kind: ObjectKind, name: &str) -> Result<bool, DatabaseError> {
    let (table, schema, column) = match kind {
        ObjectKind::View => ("VIEWS", "TABLE_SCHEMA", "TABLE_NAME"),
        ObjectKind::Trigger => ("TRIGGERS", "TRIGGER_SCHEMA", "TRIGGER_NAME"),
        ObjectKind::Procedure | ObjectKind::Function => ("ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_NAME"),
        ObjectKind::Event => ("EVENTS", "EVENT_SCHEMA", "EVENT_NAME"),
    };
    let is_kind = match kind {
        ObjectKind::Procedure => " AND ROUTINE_TYPE = 'PROCEDURE'",
        ObjectKind::Function => " AND ROUTINE_TYPE = 'FUNCTION'",
        ObjectKind::View | ObjectKind::Trigger | ObjectKind::Event => "",
    };
    let query = format!(
        "SELECT 1 FROM information_schema.{table} WHERE {schema} = DATABASE() AND {column} = {}{is_kind} LIMIT 1",
        quoted(name)
    );
    let found: Vec<u8> = all(conn, &query, || format!("{name} cannot be looked up")).await?;
    Ok(!found.is_empty())
}

/// Makes a saved object again, with its definer; where this user may not name that one, without.
pub async fn restore(conn: &mut Conn, saved: &SavedObject) -> Result<(), DatabaseError> {
    drop_object(conn, saved.kind, &saved.name).await?;
    let what = format!("{} {}", saved.kind.word().to_lowercase(), saved.name);
    match create(conn, &saved.create_sql, &saved.sql_mode, &what).await {
        // ER_SPECIFIC_ACCESS_DENIED_ERROR.
        Err(error) if error.number() == Some(1227) => {
            create(conn, &adapt(&saved.create_sql, &BTreeMap::new()), &saved.sql_mode, &what).await
        }
        other => other,
    }
}

/// Makes objects that may refer to one another: again and again what failed, until a round makes none. Returns the
/// names of those that could not be made, each with the server's answer.
pub async fn create_all(
    conn: &mut Conn,
    objects: &[(&SchemaObject, String)],
    what: &str,
) -> Result<Vec<(String, String)>, DatabaseError> {
    let mut left: Vec<&(&SchemaObject, String)> = objects.iter().collect();
    loop {
        let mut failed = Vec::new();
        for object in &left {
            let (source, sql) = object;
            match create(conn, sql, &source.sql_mode, &format!("{what} {}", source.name)).await {
                Ok(()) => {}
                // ER_TABLE_EXISTS_ERROR, ER_TRG_ALREADY_EXISTS, ER_SP_ALREADY_EXISTS, ER_EVENT_ALREADY_EXISTS: made
                // before a crash.
                Err(error) if matches!(error.number(), Some(1050 | 1359 | 1304 | 1537)) => {}
                Err(error) if error.number().is_some() => failed.push((*object, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        if failed.is_empty() || failed.len() == left.len() {
            return Ok(failed.into_iter().map(|(object, answer)| (object.0.name.clone(), answer)).collect());
        }
        left = failed.into_iter().map(|(object, _)| object).collect();
    }
}

/// Names of triggers on the tables given, which would be in the way of new ones of the same name.
pub async fn triggers_on(conn: &mut Conn, tables: &[String]) -> Result<Vec<String>, DatabaseError> {
    let query = "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS \
                 WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME";
    let rows: Vec<(String, String)> =
        conn.query(query).await.doing(|| "the triggers cannot be listed".to_owned())?;
    Ok(rows.into_iter().filter(|(table, _)| tables.contains(table)).map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(sql: &str) -> String {
        adapt(sql, &BTreeMap::new()).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_definer_goes_and_the_rest_stays() {
        assert_eq!(
            stripped("CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1"),
            "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1"
        );
        assert_eq!(stripped("CREATE DEFINER='a'@'b' TRIGGER t"), "CREATE TRIGGER t");
        assert_eq!(stripped("CREATE DEFINER=CURRENT_USER() EVENT e"), "CREATE EVENT e");
        assert_eq!(stripped("CREATE DEFINER=`role` EVENT e"), "CREATE EVENT e");
        assert_eq!(
            stripped("CREATE PROCEDURE p() SQL SECURITY DEFINER SELECT 1"),
            "CREATE PROCEDURE p() SQL SECURITY DEFINER SELECT 1"
        );
    }

    #[test]
    fn tables_get_their_new_names() {
        let names = BTreeMap::from([("wp_posts".to_owned(), "x_posts".to_owned())]);
        assert_eq!(
            adapt("CREATE VIEW `v` AS select `wp_posts`.`ID` from wp_posts where t = 'wp_posts'", &names),
            "CREATE VIEW `v` AS select `x_posts`.`ID` from x_posts where t = 'wp_posts'"
        );
    }

    #[test]
    fn a_function_is_told_from_a_procedure() {
        assert_eq!(
            ObjectKind::of_routine("CREATE DEFINER=`a`@`b` FUNCTION `f`() RETURNS int"),
            ObjectKind::Function
        );
        assert_eq!(ObjectKind::of_routine("CREATE DEFINER=`a`@`b` PROCEDURE `p`()"), ObjectKind::Procedure);
    }
}
