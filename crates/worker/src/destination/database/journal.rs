//! The journal: what is intended and what is done at a destination, in an InnoDB table beside the fence. Each
//! intended act is committed here before it is done, so whoever comes after a crash can finish or undo it.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sql::{push_quoted, quote};
use super::{DatabaseError, errors::number, execute, limited, names};

/// Longest key, in bytes.
const KEY_MAX: usize = 191;
/// Most entries that one listing gives: more tables, objects or files at the top level no site has.
const LIST_MAX: usize = 200_000;

/// Reads and writes entries: small JSON values under keys such as `plan` or `load/0042`.
///
/// Its name carries the token: after a newer claim every statement of an older one fails.
#[derive(Debug, Clone)]
pub struct Journal {
    table: String,
}

impl Journal {
    /// The journal of the claim with this token.
    pub fn of(token: u64) -> Self {
        Self { table: quote(&names::journal(token)) }
    }

    /// Makes it where it is not there yet.
    pub async fn create(&self, conn: &mut Conn) -> Result<(), DatabaseError> {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (k VARBINARY({KEY_MAX}) NOT NULL PRIMARY KEY, v LONGBLOB NOT NULL) \
             ENGINE=InnoDB",
            self.table
        );
        execute(conn, sql, || "the journal cannot be made".to_owned()).await
    }

    /// Reads an entry.
    pub async fn get<T: DeserializeOwned>(
        &self,
        conn: &mut Conn,
        key: &str,
    ) -> Result<Option<T>, DatabaseError> {
        let query = format!("SELECT v FROM {} WHERE k = ?", self.table);
        let value: Option<Vec<u8>> =
            self.checked(limited(conn.exec_first(query, (key,)), || doing("read")).await)?;
        value.map(|value| decode(key, &value)).transpose()
    }

    /// Writes an entry, within the transaction that is open, or as one of its own.
    pub async fn put<T: Serialize>(
        &self,
        conn: &mut Conn,
        key: &str,
        value: &T,
    ) -> Result<(), DatabaseError> {
        let sql = self.put_sql(key, value)?;
        self.checked(execute(conn, sql, || doing("written")).await)
    }

    /// The statement that [`Journal::put`] runs, to be sent along with others.
    pub fn put_sql<T: Serialize>(&self, key: &str, value: &T) -> Result<Vec<u8>, DatabaseError> {
        let json = serde_json::to_vec(value).map_err(|error| {
            DatabaseError::refused("worker.internal", format!("journal entry {key}: {error}"))
        })?;
        let mut sql = format!("REPLACE INTO {} (k, v) VALUES (", self.table).into_bytes();
        push_quoted(&mut sql, key.as_bytes());
        sql.extend_from_slice(b", _binary");
        push_quoted(&mut sql, &json);
        sql.push(b')');
        Ok(sql)
    }

    /// All entries whose key begins with `prefix`, by key.
    pub async fn list<T: DeserializeOwned>(
        &self,
        conn: &mut Conn,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, DatabaseError> {
        // 0xFF ends no UTF-8 text, so it is past every key with the prefix.
        let mut end = prefix.as_bytes().to_vec();
        end.push(0xff);
        let query =
            format!("SELECT k, v FROM {} WHERE k >= ? AND k < ? ORDER BY k LIMIT {LIST_MAX}", self.table);
        let call = conn.exec::<(Vec<u8>, Vec<u8>), _, _>(query, (prefix.as_bytes(), end));
        let rows = self.checked(limited(call, || doing("listed")).await)?;
        rows.into_iter()
            .map(|(key, value)| {
                let key = String::from_utf8_lossy(&key).into_owned();
                let value = decode(&key, &value)?;
                Ok((key, value))
            })
            .collect()
    }

    /// Removes all entries whose key begins with `prefix`.
    pub async fn remove(&self, conn: &mut Conn, prefix: &str) -> Result<(), DatabaseError> {
        let mut end = prefix.as_bytes().to_vec();
        end.push(0xff);
        let query = format!("DELETE FROM {} WHERE k >= ? AND k < ?", self.table);
        self.checked(limited(conn.exec_drop(query, (prefix.as_bytes(), end)), || doing("cleared")).await)
    }

    /// A journal that is gone under its name belongs to a newer claim.
    fn checked<T>(&self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        match result {
            Err(error) if error.number() == Some(number::NO_SUCH_TABLE) => Err(DatabaseError::Fenced),
            other => other,
        }
    }
}

fn doing(verb: &str) -> String {
    format!("the journal cannot be {verb}")
}

fn decode<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, DatabaseError> {
    serde_json::from_slice(value).map_err(|error| {
        DatabaseError::refused("worker.incompatible", format!("journal entry {key}: {error}"))
    })
}
