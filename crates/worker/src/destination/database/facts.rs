//! What the destination's server is and has.

use std::collections::BTreeSet;

use mysql_async::Conn;
use serde::{Deserialize, Serialize};

use super::{DatabaseError, all, first};

/// Facts that decide how tables are adapted and rows are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `VERSION()`.
    pub version: String,
    /// MariaDB; else MySQL.
    pub is_mariadb: bool,
    /// Collations, lower case.
    #[serde(skip)]
    pub collations: BTreeSet<String>,
    /// Character sets, lower case.
    #[serde(skip)]
    pub charsets: BTreeSet<String>,
    /// Engines that tables can be made in, lower case.
    pub engines: BTreeSet<String>,
    /// The largest packet that the server takes, in bytes.
    pub max_allowed_packet: u64,
    /// Whether LOAD DATA LOCAL is allowed.
    pub local_infile: bool,
    /// 0: names differ by case; 1 or 2: they do not.
    pub lower_case_table_names: u8,
    /// The server's own `sql_mode`: what the site will run under.
    pub sql_mode: String,
    /// The server's time zone.
    pub time_zone: String,
}

impl ServerFacts {
    /// Asks the server.
    pub async fn read(conn: &mut Conn) -> Result<Self, DatabaseError> {
        let doing = || "the server's facts cannot be read".to_owned();
        let row: Option<(String, u64, u8, u8, String, String)> = first(
            conn,
            "SELECT VERSION(), @@GLOBAL.max_allowed_packet, @@GLOBAL.local_infile, \
             @@GLOBAL.lower_case_table_names, @@GLOBAL.sql_mode, @@GLOBAL.time_zone",
            doing,
        )
        .await?;
        let (version, max_allowed_packet, local_infile, lower_case_table_names, sql_mode, time_zone) = row
            .ok_or_else(|| {
                DatabaseError::refused("destination.server_error", "the server tells no version")
            })?;
        let engines: Vec<String> = all(
            conn,
            "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')",
            doing,
        )
        .await?;
        let charsets: Vec<String> =
            all(conn, "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS", doing).await?;
        let is_mariadb = version.to_lowercase().contains("mariadb");
        Ok(Self {
            is_mariadb,
            collations: read_collations(conn).await?,
            charsets: lower(charsets),
            engines: lower(engines),
            max_allowed_packet,
            local_infile: local_infile != 0,
            lower_case_table_names,
            sql_mode,
            time_zone,
            version,
        })
    }
}

/// MariaDB lists its newest collations without their character set, and the full names in another table, which
/// has a column that others do not know.
async fn read_collations(conn: &mut Conn) -> Result<BTreeSet<String>, DatabaseError> {
    let doing = || "the server's collations cannot be read".to_owned();
    let plain: Vec<String> =
        all(conn, "SELECT COLLATION_NAME FROM information_schema.COLLATIONS", doing).await?;
    let full: Result<Vec<Option<String>>, DatabaseError> = all(
        conn,
        "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY",
        doing,
    )
    .await;
    let full = match full {
        Ok(full) => full,
        Err(error) if error.number().is_some() => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(lower(plain.into_iter().chain(full.into_iter().flatten()).collect()))
}

fn lower(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_lowercase()).collect()
}
