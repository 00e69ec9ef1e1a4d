//! Step `database`: reads the tables, one after the other, into rows parts.

use super::copy::Copy;
use super::cursor::TableCursor;
use super::port::failed;
use super::step_event;
use crate::failpoint::failpoint;
use crate::memory::MemoryHold;
use crate::model::{Schema, Table};
use crate::slice::SliceError;
use crate::snapshot_format::{FinishedRows, ROWS_BYTES, Record, RowsWriter, blocking, read_json};
use crate::source::{RowCursor, RowPage, SourceError};

const STEP: &str = "database";
/// Readings of a table without a key that may be void before one is taken as it is.
const VOID_MAX: u32 = 3;

/// A part is in memory compressed and then encrypted as well.
const TIMES_IN_MEMORY: u64 = 2;

/// A part that is being filled, and where to go on behind it.
struct OpenPart {
    writer: RowsWriter,
    next: RowCursor,
    /// The room of a large row, which is the last of its part.
    large: Option<MemoryHold>,
}

/// How the reading of a table ended.
enum TableEnd {
    Whole {
        is_unsteady: bool,
    },
    /// It moved meanwhile, so that what was read is no copy of any of its states.
    Void,
    /// The slice should end.
    Later,
}

pub(super) async fn run(copy: &Copy) -> Result<(), SliceError> {
    let cursor = copy.cursor().await;
    if cursor.database.is_done {
        return Ok(());
    }
    let ground = copy.ground().await?;
    let schema: Schema = read_json(copy.slice.staging.as_ref(), &ground.schema).await?;
    if cursor.database.tables == 0 && cursor.database.table.at.is_none() {
        let message = format!("Reading {} tables.", schema.tables.len());
        copy.slice
            .tell(step_event(STEP, message, serde_json::json!({ "tables": schema.tables.len() })))
            .await?;
    }
    for table in schema.tables.iter().skip(cursor.database.tables) {
        loop {
            match read_table(copy, table).await? {
                TableEnd::Whole { is_unsteady } => break end_table(copy, table, is_unsteady).await?,
                TableEnd::Void => begin_again(copy).await?,
                TableEnd::Later => return Ok(()),
            }
        }
    }
    copy.commit(Vec::new(), Vec::new(), STEP, |cursor| cursor.database.is_done = true).await?;
    copy.checkpoint().await?;
    let totals = copy.cursor().await.totals;
    let message = format!("Read {} rows of {} tables.", totals.rows, totals.tables);
    let facts =
        serde_json::json!({ "tables": totals.tables, "rows": totals.rows, "row_bytes": totals.row_bytes });
    copy.slice.tell(step_event(STEP, message, facts)).await
}

/// Reads a table from where it stands.
async fn read_table(copy: &Copy, table: &Table) -> Result<TableEnd, SliceError> {
    let start = copy.cursor().await.database.table;
    let mut pages = copy.source.read_rows(table, start.at.clone());
    let mut open: Option<OpenPart> = None;
    let mut number = start.parts;
    loop {
        if copy.slice.should_end() {
            store(copy, table, open, number).await?;
            return Ok(TableEnd::Later);
        }
        let page = match pages.next_page().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(SourceError::TableChanged) if start.void < VOID_MAX => return Ok(TableEnd::Void),
            Err(error) => return Err(failed(error)),
        };
        let part = add_page(table, number, open.take(), page).await?;
        if part.writer.is_full() {
            store(copy, table, Some(part), number).await?;
            number += 1;
        } else {
            open = Some(part);
        }
    }
    store(copy, table, open, number).await?;
    let rows = copy.cursor().await.database.table.rows;
    // A table without a key has no order to go on by: only a count that stayed the same proves one reading.
    let is_steady = pages.end().is_none_or(|end| end.counted.is_none_or(|counted| counted == rows));
    if !is_steady && start.void < VOID_MAX {
        return Ok(TableEnd::Void);
    }
    Ok(TableEnd::Whole { is_unsteady: !is_steady })
}

async fn add_page(
    table: &Table,
    number: u32,
    open: Option<OpenPart>,
    page: RowPage,
) -> Result<OpenPart, SliceError> {
    let RowPage { block, next, large } = page;
    let writer = match open {
        Some(part) => part.writer,
        None => RowsWriter::new(table, number)?,
    };
    let writer = blocking(move || {
        let mut writer = writer;
        writer.push(&block)?;
        Ok(writer)
    })
    .await?;
    Ok(OpenPart { writer, next, large })
}

/// Stores a part and moves behind it.
async fn store(copy: &Copy, table: &Table, open: Option<OpenPart>, number: u32) -> Result<(), SliceError> {
    let Some(OpenPart { writer, next, large }) = open else { return Ok(()) };
    let memory = match large {
        Some(memory) => memory,
        None => copy.slice.memory.hold(ROWS_BYTES * TIMES_IN_MEMORY).await,
    };
    let FinishedRows { bytes, rows, row_bytes, rows_hash } = blocking(move || writer.finish()).await?;
    let object = copy.writer.put("rows.zst", bytes).await?;
    drop(memory);
    failpoint("snapshot.rows_part").await?;
    let record = Record::Rows { object, table: table.name.clone(), part: number, rows, row_bytes, rows_hash };
    copy.commit(vec![record], Vec::new(), STEP, |cursor| {
        let table = &mut cursor.database.table;
        table.at = Some(next);
        table.parts = number + 1;
        table.rows += rows;
        table.row_bytes += row_bytes;
        table.rows_hash.add(rows_hash);
        cursor.totals.rows += rows;
        cursor.totals.row_bytes += row_bytes;
    })
    .await
}

async fn end_table(copy: &Copy, table: &Table, is_unsteady: bool) -> Result<(), SliceError> {
    let TableCursor { parts, rows, row_bytes, rows_hash, .. } = copy.cursor().await.database.table;
    let record = Record::Table { table: table.name.clone(), parts, rows, row_bytes, rows_hash, is_unsteady };
    copy.commit(vec![record], Vec::new(), STEP, |cursor| {
        cursor.database.tables += 1;
        cursor.database.table = TableCursor::default();
        cursor.totals.tables += 1;
    })
    .await
}

/// What was read of the table does not count: its next part is number 0 again, which says so in the ledger.
async fn begin_again(copy: &Copy) -> Result<(), SliceError> {
    copy.commit(Vec::new(), Vec::new(), STEP, |cursor| {
        let table = &mut cursor.database.table;
        cursor.totals.rows -= table.rows;
        cursor.totals.row_bytes -= table.row_bytes;
        *table = TableCursor { void: table.void + 1, ..TableCursor::default() };
    })
    .await
}
