//! Reading a loaded table back, to compare what is there with what was meant to be there.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};

use super::{Canon, LoadTable, push_canonical};
use crate::destination::database::DatabaseError;
use crate::destination::database::errors::Doing as _;
use crate::destination::database::sql::{Literal, quote};
use crate::snapshot_format::RowsHash;

/// Counts and hashes the rows of a table. Rows are looked at one by one and not kept.
pub async fn read_back(conn: &mut Conn, table: &LoadTable) -> Result<(u64, RowsHash), DatabaseError> {
    let doing = || format!("{} cannot be read back", table.target);
    let query = format!("SELECT {} FROM {}", select_list(table), table.target);
    let mut result = conn.query_iter(query).await.doing(doing)?;
    let mut hash = RowsHash::default();
    let mut frame = Vec::new();
    let mut rows = 0;
    while let Some(row) = result.next().await.doing(doing)? {
        frame.clear();
        for (column, value) in table.columns.iter().zip(row.unwrap()) {
            match value {
                Value::NULL => push_canonical(&mut frame, column.canon, None),
                Value::Bytes(bytes) => push_canonical(&mut frame, column.canon, Some(&bytes)),
                Value::Int(_)
                | Value::UInt(_)
                | Value::Float(_)
                | Value::Double(_)
                | Value::Date(..)
                | Value::Time(..) => {
                    let detail = format!("{}: a value came in binary form", doing());
                    return Err(DatabaseError::refused("destination.server_error", detail));
                }
            }
        }
        hash.add_row(&frame);
        rows += 1;
    }
    result.drop_result().await.doing(doing)?;
    Ok((rows, hash))
}

/// As the source's plugin reads them: BIT as its number, FLOAT with all its digits.
fn select_list(table: &LoadTable) -> String {
    let expressions = table.columns.iter().map(|column| {
        let name = quote(&column.name);
        match (column.literal, column.canon) {
            (Literal::Digits, _) => format!("CAST({name} AS UNSIGNED)"),
            (Literal::Text, Canon::Single) => format!("({name} * 1e0)"),
            (Literal::Text | Literal::Raw, _) => name,
        }
    });
    expressions.collect::<Vec<_>>().join(", ")
}
