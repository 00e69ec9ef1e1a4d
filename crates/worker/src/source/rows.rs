//! Rows of a table, page by page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Step, protocol};
use super::client::split_cursor;
use super::connection::{Connection, Verb};
use super::error::SourceError;
use super::frame::FrameKind;
use super::pace::Repeats;
use crate::memory::{LARGE_ROW_BYTES, MemoryHold};
use crate::model::{RowBlock, Table};

/// Where the reading of a table stands: the key of the last row. Opaque, small, fit for checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowCursor(String);

/// Whole rows, about 256 KiB of them; one row that is larger comes alone.
#[derive(Debug)]
pub struct RowPage {
    /// The rows as they travel.
    pub block: RowBlock,
    /// Where to go on behind them.
    pub next: RowCursor,
    /// The room of a row that came in parts.
    pub large: Option<MemoryHold>,
}

/// What the source says at the end of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsEnd {
    /// Rows sent, over all requests since the beginning of the table.
    pub rows: u64,
    /// In a table without a key: rows that there were at the beginning. If it differs, the table moved meanwhile and
    /// has to be read again.
    pub counted: Option<u64>,
}

/// Reads a table. Goes on by itself behind the last whole frame, within a large row too, when an answer breaks off.
#[derive(Debug)]
pub struct RowReader {
    connection: Arc<Connection>,
    table: String,
    columns: usize,
    /// Behind the last frame, which may be within a large row.
    cursor: Option<RowCursor>,
    /// Behind the last whole row.
    whole: Option<RowCursor>,
    /// What has come of a large row.
    part: Vec<u8>,
    part_memory: Option<MemoryHold>,
    answer: Option<Answer>,
    repeats: Repeats,
    /// How often the large row under way changed.
    changes: u32,
    end: Option<RowsEnd>,
}

impl RowReader {
    pub(super) fn new(connection: Arc<Connection>, table: &Table, cursor: Option<RowCursor>) -> Self {
        let repeats = Repeats::new(Arc::clone(&connection.limits));
        Self {
            connection,
            table: table.name.clone(),
            columns: table.columns.len(),
            whole: cursor.clone(),
            cursor,
            part: Vec::new(),
            part_memory: None,
            answer: None,
            repeats,
            changes: 0,
            end: None,
        }
    }

    /// The next page; none at the end of the table.
    pub async fn next_page(&mut self) -> Result<Option<RowPage>, SourceError> {
        while self.end.is_none() {
            match self.step().await {
                Ok(Some(page)) => return Ok(Some(page)),
                Ok(None) => {}
                Err(error) => {
                    self.answer = None;
                    self.restart_row(&error);
                    if self.changes > self.connection.limits.restarts {
                        return Err(error);
                    }
                    self.repeats.after(error).await?;
                }
            }
        }
        Ok(None)
    }

    /// What the source said at the end; none before it.
    pub fn end(&self) -> Option<RowsEnd> {
        self.end
    }

    /// A large row that changed while it was read is read again from its beginning.
    fn restart_row(&mut self, error: &SourceError) {
        if matches!(error, SourceError::RowChanging) {
            self.part.clear();
            self.cursor = self.whole.clone();
            self.changes += 1;
        }
    }

    async fn step(&mut self) -> Result<Option<RowPage>, SourceError> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            empty => {
                let params = json!({ "table": self.table, "cursor": self.cursor });
                empty.insert(self.connection.ask(Verb::ReadRows, params).await?)
            }
        };
        match answer.next().await? {
            Step::Frame(FrameKind::Rows, payload) => self.take_rows(&payload).map(Some),
            Step::Frame(FrameKind::RowPart, payload) => self.take_part(&payload).await,
            Step::Frame(..) => Err(protocol("a frame of another verb")),
            Step::Complete(facts) => {
                self.answer = None;
                if facts["done"].as_bool() == Some(true) {
                    self.end = Some(RowsEnd {
                        rows: facts["rows"].as_u64().unwrap_or_default(),
                        counted: facts["counted"].as_u64(),
                    });
                }
                Ok(None)
            }
        }
    }

    fn take_rows(&mut self, payload: &Bytes) -> Result<RowPage, SourceError> {
        if !self.part.is_empty() {
            return Err(protocol("rows within a large row"));
        }
        let (rows, rest) =
            payload.split_first_chunk::<4>().ok_or_else(|| protocol("rows without a count"))?;
        let (cursor, at) = split_cursor(rest)?;
        let next = RowCursor(STANDARD.encode(cursor));
        let block = RowBlock { rows: u32::from_le_bytes(*rows).into(), bytes: payload.slice(4 + at..) };
        self.pass(block, next)
    }

    async fn take_part(&mut self, payload: &[u8]) -> Result<Option<RowPage>, SourceError> {
        let (is_last, rest) = payload.split_first().ok_or_else(|| protocol("an empty part of a row"))?;
        let (cursor, at) = split_cursor(rest)?;
        let next = RowCursor(STANDARD.encode(cursor));
        let most = self.connection.limits.row_bytes_max;
        if (self.part.len() + rest.len() - at) as u64 > most {
            return Err(SourceError::RowTooLarge(most));
        }
        if self.part_memory.is_none() {
            self.part_memory = Some(self.connection.memory.hold_large_row(2 * LARGE_ROW_BYTES).await);
        }
        self.part.extend_from_slice(&rest[at..]);
        if *is_last == 0 {
            self.cursor = Some(next);
            self.repeats.progress();
            return Ok(None);
        }
        let block = RowBlock { rows: 1, bytes: std::mem::take(&mut self.part).into() };
        self.pass(block, next).map(Some)
    }

    /// Checks a block and moves behind it.
    fn pass(&mut self, block: RowBlock, next: RowCursor) -> Result<RowPage, SourceError> {
        let is_whole =
            block.rows > 0 && block.for_each_row::<crate::model::BadBlock>(self.columns, |_| Ok(())).is_ok();
        if !is_whole {
            return Err(protocol("rows that do not fit the table's columns"));
        }
        if self.whole.as_ref() == Some(&next) {
            return Err(protocol("the reading does not move"));
        }
        self.cursor = Some(next.clone());
        self.whole = Some(next.clone());
        self.changes = 0;
        self.repeats.progress();
        Ok(RowPage { block, next, large: self.part_memory.take() })
    }
}
