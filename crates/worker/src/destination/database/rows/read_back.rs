//! Reading a loaded table back, to compare what is there with what was meant to be there.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};

use super::{Canon, LONG_VALUE, LoadColumn, LoadTable, PartDone, push_canonical};
use crate::destination::database::DatabaseError;
use crate::destination::database::errors::Doing as _;
use crate::destination::database::sql::{Literal, quote};
use crate::model::RowBlock;
use crate::snapshot_format::RowsHash;

/// Counts and hashes the rows of a table into which `written` was loaded. Rows are looked at one by one and not kept;
/// long values come as the server's hash of them.
pub async fn read_back(
    conn: &mut Conn,
    table: &LoadTable,
    written: &PartDone,
) -> Result<(u64, RowsHash), DatabaseError> {
    let doing = || format!("{} cannot be read back", table.target);
    let may_be_long = written.value_bytes_max >= LONG_VALUE as u64;
    let query = format!("SELECT {} FROM {}", select_list(table, may_be_long), table.target);
    let mut result = conn.query_iter(query).await.doing(doing)?;
    let mut hash = RowsHash::default();
    let mut frame = Vec::new();
    let mut rows = 0;
    while let Some(row) = result.next().await.doing(doing)? {
        frame.clear();
        let mut values = row.unwrap().into_iter();
        for column in &table.columns {
            let value = text(values.next(), &doing)?;
            let digest = if may_be_long && is_digested(column) { text(values.next(), &doing)? } else { None };
            match digest {
                Some(digest) => RowBlock::push_value(&mut frame, Some(&digest)),
                None => push_canonical(&mut frame, column.canon, value.as_deref()),
            }
        }
        hash.add_row(&frame);
        rows += 1;
    }
    result.drop_result().await.doing(doing)?;
    Ok((rows, hash))
}

/// A value of the text protocol; none stands for NULL.
fn text(value: Option<Value>, doing: &dyn Fn() -> String) -> Result<Option<Vec<u8>>, DatabaseError> {
    match value {
        Some(Value::NULL) => Ok(None),
        Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
        Some(
            Value::Int(_)
            | Value::UInt(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Date(..)
            | Value::Time(..),
        )
        | None => {
            let detail = format!("{}: a value came in binary form", doing());
            Err(DatabaseError::refused("destination.server_error", detail))
        }
    }
}

/// Whether a long value of the column is compared by its digest.
fn is_digested(column: &LoadColumn) -> bool {
    column.canon == Canon::Raw && column.literal == Literal::Raw
}

/// As the source's plugin reads them: BIT as its number, FLOAT with all its digits. Behind a column that may have long
/// values comes their digest: NULL where the value itself came.
fn select_list(table: &LoadTable, may_be_long: bool) -> String {
    let expressions = table.columns.iter().map(|column| {
        let name = quote(&column.name);
        match (column.literal, column.canon) {
            (Literal::Digits, _) => format!("CAST({name} AS UNSIGNED)"),
            (Literal::Text, Canon::Single) => format!("({name} * 1e0)"),
            (Literal::Text | Literal::Raw, _) if may_be_long && is_digested(column) => format!(
                "IF(LENGTH({name}) >= {LONG_VALUE}, NULL, {name}), IF(LENGTH({name}) >= {LONG_VALUE}, SHA2({name}, 256), NULL)"
            ),
            (Literal::Text | Literal::Raw, _) => name,
        }
    });
    expressions.collect::<Vec<_>>().join(", ")
}
