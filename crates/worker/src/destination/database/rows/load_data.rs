//! One large row by LOAD DATA LOCAL: the only way past `max_allowed_packet`, and a stream, so that the row is not
//! held in memory a second time.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use mysql_async::Conn;

use super::{LoadTable, Statement};
use crate::destination::database::errors::Doing as _;
use crate::destination::database::sql::{Literal, quote};
use crate::destination::database::{DatabaseError, execute};

/// How much is escaped and sent at a time.
const PIECE: usize = 64 * 1024;

impl LoadTable {
    /// Sends one statement of a part.
    pub async fn send(&self, conn: &mut Conn, statement: &Statement) -> Result<(), DatabaseError> {
        let doing = || format!("rows cannot be written into {}", self.target);
        match statement {
            Statement::Insert(sql) => execute(conn, sql, doing).await,
            Statement::Streamed(values) => {
                let lines = escaped(values.clone());
                conn.set_infile_handler(async move { Ok(lines.map(Ok::<_, io::Error>).boxed()) });
                let sent = execute(conn, self.load_data(), doing).await;
                self.check_sent(sent, conn.affected_rows())
            }
        }
    }

    /// LOCAL turns errors of rows into warnings, so only the count tells.
    fn check_sent(&self, sent: Result<(), DatabaseError>, rows: u64) -> Result<(), DatabaseError> {
        match sent {
            // ER_NOT_ALLOWED_COMMAND, and its two successors in MySQL 8: the server does not take LOCAL after all.
            Err(error) if matches!(error.number(), Some(1148 | 3948 | 3950)) => {
                let detail = format!("a row of {} is larger than the server takes: {error}", self.target);
                Err(DatabaseError::refused("destination.row_too_large", detail))
            }
            Ok(()) if rows != 1 => {
                let detail =
                    format!("the server took {rows} rows instead of a large one into {}", self.target);
                Err(DatabaseError::refused("import.verification_failed", detail))
            }
            other => other,
        }
    }

    /// Values that do not go in as raw bytes come through a variable, so that their type is that of their text.
    fn load_data(&self) -> String {
        let mut fields = Vec::new();
        let mut set = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let name = quote(&column.name);
            match column.literal {
                Literal::Raw => fields.push(name),
                Literal::Text => {
                    fields.push(format!("@lf{at}"));
                    set.push(format!("{name} = CONVERT(@lf{at} USING utf8mb4)"));
                }
                Literal::Digits => {
                    fields.push(format!("@lf{at}"));
                    set.push(format!("{name} = CAST(@lf{at} AS UNSIGNED)"));
                }
            }
        }
        let set = if set.is_empty() { String::new() } else { format!(" SET {}", set.join(", ")) };
        format!(
            "LOAD DATA LOCAL INFILE 'row' INTO TABLE {} CHARACTER SET binary FIELDS TERMINATED BY '\\t' \
             ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){set}",
            self.target,
            fields.join(", ")
        )
    }
}

/// The row as LOAD DATA reads it, in pieces.
fn escaped(values: Vec<Option<Bytes>>) -> impl Stream<Item = Bytes> + Send {
    let last = values.len().saturating_sub(1);
    let fields = values.into_iter().enumerate().flat_map(move |(at, value)| {
        let end = Bytes::from_static(if at == last { b"\n" } else { b"\t" });
        let null = value.is_none().then(|| Bytes::from_static(b"\\N"));
        let value = value.unwrap_or_default();
        let pieces = value.len().div_ceil(PIECE);
        let pieces = (0..pieces).map(move |piece| {
            let start = piece * PIECE;
            escape(&value[start..value.len().min(start + PIECE)])
        });
        null.into_iter().chain(pieces).chain(std::iter::once(end))
    });
    futures::stream::iter(fields)
}

fn escape(piece: &[u8]) -> Bytes {
    let mut escaped = Vec::with_capacity(piece.len() + piece.len() / 16);
    for byte in piece {
        match byte {
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            b'\t' => escaped.extend_from_slice(b"\\t"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            0 => escaped.extend_from_slice(b"\\0"),
            byte => escaped.push(*byte),
        }
    }
    escaped.into()
}

/// Undoes what a failed part left in the open transaction.
pub(crate) async fn roll_back(conn: &mut Conn) -> Result<(), DatabaseError> {
    use mysql_async::prelude::Queryable as _;
    conn.query_drop("ROLLBACK").await.doing(|| "a transaction cannot be rolled back".to_owned())
}
