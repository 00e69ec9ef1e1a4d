//! `SHOW CREATE TABLE` of the source, turned into a statement that the destination takes.

mod options;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

use super::facts::ServerFacts;
use super::lexer::{self, Edit, Kind, Token};
use super::sql::quote;
use super::{collations, errors::DatabaseError};

pub use parse::ForeignKey;
use parse::{Definition, Parts};

/// What a definition is adapted to.
pub struct Target<'a> {
    /// The table's name at the source.
    pub source_name: &'a str,
    /// The name that it gets.
    pub name: &'a str,
    /// The shadow name of each table that comes along, by its name at the source.
    pub shadows: &'a BTreeMap<String, String>,
    /// What the server has.
    pub server: &'a ServerFacts,
    /// Names of foreign keys and checks that are taken in the destination's database. Names given out are added.
    pub taken: &'a mut BTreeSet<String>,
    /// Makes the name of a constraint whose own one is taken.
    pub free_name: &'a mut (dyn FnMut() -> String + Send),
}

/// An adapted definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapted {
    /// The statement.
    pub sql: String,
    /// What is not as it was at the source, for the report.
    pub notes: Vec<String>,
}

/// Adapts a definition: name, engine, collations, options, foreign keys and the names of constraints.
pub fn adapt(create_sql: &str, target: &mut Target<'_>) -> Result<Adapted, DatabaseError> {
    let parts = Parts::of(create_sql).ok_or_else(|| {
        DatabaseError::refused(
            "destination.schema_refused",
            format!("the definition of table {:?} cannot be read", target.source_name),
        )
    })?;
    let mut notes = Vec::new();
    let mut lines = Vec::new();
    for definition in &parts.definitions {
        if let Some(key) = parts.foreign_key(definition) {
            lines.extend(foreign_key(&key, target, &mut notes));
        } else {
            let mut edits = body_edits(&parts, definition, target.server, &mut notes);
            edits.extend(check_name(&parts, definition, target, &mut notes));
            lines.push(edited(create_sql, parts.span(definition), edits));
        }
    }
    let tail = options::adapt(&parts, target.server, &mut notes);
    notes.dedup();
    let sql = format!("CREATE TABLE {} (\n  {}\n) {tail}", quote(target.name), lines.join(",\n  "));
    Ok(Adapted { sql, notes })
}

/// Limits the parts of keys to 191 characters: for servers whose indexes hold 767 bytes even in DYNAMIC tables.
/// A unique key that is ambiguous then stops the load, as it should.
pub fn with_short_keys(create_sql: &str) -> Option<String> {
    let parts = Parts::of(create_sql)?;
    let long = parts.long_text_columns(191);
    let mut edits = Vec::new();
    for definition in parts.definitions.iter().filter(|definition| parts.is_key(definition)) {
        for (at, token) in definition.tokens.iter().enumerate() {
            let next = definition.tokens.get(at + 1).map(|next| next.kind);
            let is_part = token.kind == Kind::Identifier && matches!(next, Some(Kind::Sign(b',' | b')')));
            if is_part && token.name(create_sql).is_some_and(|name| long.contains(&name)) {
                edits.push(Edit { start: token.end, end: token.end, text: "(191)".to_owned() });
            }
        }
    }
    if edits.is_empty() { None } else { Some(lexer::apply(create_sql, edits)) }
}

fn edited(sql: &str, (start, end): (usize, usize), edits: Vec<Edit>) -> String {
    let within = |edit: Edit| Edit { start: edit.start - start, end: edit.end - start, text: edit.text };
    lexer::apply(sql.get(start..end).unwrap_or_default(), edits.into_iter().map(within).collect())
}

/// Collations and character sets of columns and of expressions within the body.
fn body_edits(
    parts: &Parts<'_>,
    definition: &Definition,
    server: &ServerFacts,
    notes: &mut Vec<String>,
) -> Vec<Edit> {
    let sql = parts.sql;
    let mut edits = Vec::new();
    let tokens = &definition.tokens;
    for (at, token) in tokens.iter().enumerate() {
        let value = if token.is(sql, "COLLATE") {
            tokens.get(at + 1).map(|value| (value, true))
        } else if token.is(sql, "CHARSET") {
            tokens.get(at + 1).map(|value| (value, false))
        } else if token.is(sql, "CHARACTER") && tokens.get(at + 1).is_some_and(|next| next.is(sql, "SET")) {
            tokens.get(at + 2).map(|value| (value, false))
        } else {
            None
        };
        if let Some((value, is_collation)) = value {
            edits.extend(name_edit(sql, value, is_collation, server, notes));
        }
    }
    edits
}

fn name_edit(
    sql: &str,
    value: &Token,
    is_collation: bool,
    server: &ServerFacts,
    notes: &mut Vec<String>,
) -> Option<Edit> {
    let name = value.name(sql)?;
    let stand_in = stand_in_for(&name, is_collation, server, notes)?;
    Some(Edit { start: value.start, end: value.end, text: stand_in })
}

/// The name to write in place of this one; none where it stays. One that has no stand-in stays as well: then
/// the server says so itself.
fn stand_in_for(
    name: &str,
    is_collation: bool,
    server: &ServerFacts,
    notes: &mut Vec<String>,
) -> Option<String> {
    let stand_in = if is_collation {
        collations::stand_in(name, &server.collations)
    } else {
        collations::charset_stand_in(name, &server.charsets)
    }?;
    if stand_in.eq_ignore_ascii_case(name) {
        return None;
    }
    let kind = if is_collation { "collation" } else { "character set" };
    notes.push(format!("{kind} {name} is not known here: {stand_in} stands in"));
    Some(stand_in)
}

/// `MySQL` wants the names of checks unique in the whole database, while the old tables still have theirs.
fn check_name(
    parts: &Parts<'_>,
    definition: &Definition,
    target: &mut Target<'_>,
    notes: &mut Vec<String>,
) -> Option<Edit> {
    let sql = parts.sql;
    let (first, name, third) = match definition.tokens.as_slice() {
        [first, name, third, ..] => (first, name, third),
        _ => return None,
    };
    if target.server.is_mariadb || !first.is(sql, "CONSTRAINT") || !third.is(sql, "CHECK") {
        return None;
    }
    let name = name.name(sql)?;
    if target.taken.insert(name.to_lowercase()) {
        return None;
    }
    notes.push(format!("the name of check {name} is taken here: the server gives it another"));
    Some(Edit { start: first.start, end: third.start, text: String::new() })
}

fn foreign_key(key: &ForeignKey, target: &mut Target<'_>, notes: &mut Vec<String>) -> Option<String> {
    let shown = key.name.clone().unwrap_or_else(|| key.columns.join(", "));
    let Some(shadow) = target.shadows.get(&key.table).filter(|_| key.schema.is_none()) else {
        notes.push(format!("foreign key {shown} is left out: table {} does not come along", key.table));
        return None;
    };
    let list = |names: &[String]| names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let name = constraint_name(key, target, notes)
        .map_or(String::new(), |name| format!("CONSTRAINT {} ", quote(&name)));
    Some(format!(
        "{name}FOREIGN KEY ({}) REFERENCES {} ({}){}",
        list(&key.columns),
        quote(shadow),
        list(&key.referenced),
        if key.actions.is_empty() { String::new() } else { format!(" {}", key.actions) },
    ))
}

/// None for a name that InnoDB made itself (`table_ibfk_1`): it makes one again, and keeps it with the table's
/// name through every RENAME.
fn constraint_name(key: &ForeignKey, target: &mut Target<'_>, notes: &mut Vec<String>) -> Option<String> {
    let name = key.name.as_ref()?;
    let is_made = name
        .strip_prefix(target.source_name)
        .and_then(|rest| rest.strip_prefix("_ibfk_"))
        .is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
    if is_made {
        return None;
    }
    if target.taken.insert(name.to_lowercase()) {
        return Some(name.clone());
    }
    let free = loop {
        let free = (target.free_name)();
        if target.taken.insert(free.to_lowercase()) {
            break free;
        }
    };
    notes.push(format!("foreign key {name} is called {free}: its name is taken here"));
    Some(free)
}

#[cfg(test)]
mod tests;
