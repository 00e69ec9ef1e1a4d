//! The destination database: MariaDB or MySQL.
//!
//! Everything is made under names that carry the fencing token ([`names`]) until one RENAME puts it in place.
//! Who may write is decided here, by the database itself: see [`fence`].

pub mod collations;
pub mod create_table;
pub mod errors;
pub mod exchange;
pub mod facts;
pub mod fence;
pub mod journal;
pub mod lexer;
pub mod names;
pub mod objects;
pub mod rows;
pub mod sql;

use std::time::Duration;

use landfall_common::site::{DatabaseTarget, SiteCredentials};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder};

pub use errors::DatabaseError;
use errors::Doing;

const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// No statement may take longer: an ALTER or a CREATE INDEX of a large table is the longest there is.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20 * 60);
/// Larger than any row that travels; the server's own limit is looked at where rows are written.
const CLIENT_PACKET_MAX: usize = 1 << 30;

/// How every session of ours is set up. Values go in as they are: no date is refused, no zero numbered, no key
/// or check looked at while loading (both are verified afterwards).
const SESSION: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', \
     foreign_key_checks = 0, lock_wait_timeout = 3, innodb_lock_wait_timeout = 20, wait_timeout = 28800, \
     net_read_timeout = 600, net_write_timeout = 600, character_set_results = NULL";

/// Settings that only some servers have, or only some users may change.
const SESSION_IF_POSSIBLE: [&str; 4] = [
    "SET SESSION check_constraint_checks = 0",
    "SET SESSION innodb_strict_mode = 0",
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
];

/// Where a destination's database is and how it is entered. Makes connections; holds none.
#[derive(Clone)]
pub struct Database {
    opts: Opts,
    name: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({} at {}:{})", self.name, self.opts.ip_or_hostname(), self.opts.tcp_port())
    }
}

impl Database {
    /// The database of a site.
    pub fn new(target: &DatabaseTarget, credentials: &SiteCredentials) -> Self {
        let opts = OptsBuilder::default()
            .ip_or_hostname(target.host.clone())
            .tcp_port(target.port)
            .user(Some(target.user.clone()))
            .pass(Some(credentials.database_password.clone()))
            .db_name(Some(target.name.clone()))
            .tcp_nodelay(true)
            .prefer_socket(false)
            .stmt_cache_size(0)
            .max_allowed_packet(Some(CLIENT_PACKET_MAX));
        Self { opts: opts.into(), name: target.name.clone() }
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection, set up for loading and reading back.
    pub async fn connect(&self) -> Result<Conn, DatabaseError> {
        let connecting = tokio::time::timeout(CONNECT_LIMIT, Conn::new(self.opts.clone()));
        let mut conn = match connecting.await {
            Ok(result) => result.doing(|| "no connection to the destination's database".to_owned())?,
            Err(_) => {
                let detail = format!("the destination's database did not answer within {CONNECT_LIMIT:?}");
                return Err(DatabaseError::refused("destination.unreachable", detail));
            }
        };
        execute(&mut conn, SESSION, || "the session cannot be set up".to_owned()).await?;
        for setting in SESSION_IF_POSSIBLE {
            // A server that does not know the setting does not need it.
            if let Err(error) = conn.query_drop(setting).await
                && errors::server_number(&error).is_none()
            {
                return Err(error).doing(|| "the session cannot be set up".to_owned());
            }
        }
        check_sql_mode(&mut conn).await?;
        Ok(conn)
    }
}

/// The way values are quoted rests on it; a proxy that swallows SET would break it silently.
async fn check_sql_mode(conn: &mut Conn) -> Result<(), DatabaseError> {
    let mode: Option<String> = first(conn, "SELECT @@SESSION.sql_mode", || "the sql_mode".to_owned()).await?;
    let mode = mode.unwrap_or_default();
    if mode.contains("NO_BACKSLASH_ESCAPES")
        || mode.contains("ANSI_QUOTES")
        || !mode.contains("NO_AUTO_VALUE_ON_ZERO")
    {
        let detail = format!("the server does not take the session's sql_mode; it says {mode:?}");
        return Err(DatabaseError::refused("destination.server_error", detail));
    }
    Ok(())
}

/// Runs one statement without an answer, within the limit for statements.
pub(crate) async fn execute(
    conn: &mut Conn,
    statement: impl AsRef<[u8]>,
    doing: impl Fn() -> String,
) -> Result<(), DatabaseError> {
    limited(conn.query_drop(statement.as_ref()), doing).await
}

/// Reads the first row of a query's answer.
pub(crate) async fn first<T: FromRow + Send + 'static>(
    conn: &mut Conn,
    query: &str,
    doing: impl Fn() -> String,
) -> Result<Option<T>, DatabaseError> {
    limited(conn.query_first(query), doing).await
}

/// Reads all rows of a query's answer; for catalogues, never for a site's rows.
pub(crate) async fn all<T: FromRow + Send + 'static>(
    conn: &mut Conn,
    query: &str,
    doing: impl Fn() -> String,
) -> Result<Vec<T>, DatabaseError> {
    limited(conn.query(query), doing).await
}

/// Puts a time limit on a call to the driver.
pub(crate) async fn limited<T>(
    call: impl Future<Output = mysql_async::Result<T>>,
    doing: impl Fn() -> String,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(STATEMENT_LIMIT, call).await {
        Ok(result) => result.doing(doing),
        Err(_) => {
            let detail = format!("{}: no answer within {STATEMENT_LIMIT:?}", doing());
            Err(DatabaseError::refused("destination.server_error", detail))
        }
    }
}
