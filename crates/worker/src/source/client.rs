//! The client of one source.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Step, protocol};
use super::connection::{Connection, Verb};
use super::endpoint::{SourceEndpoint, SourceLimits};
use super::error::SourceError;
use super::exchanges::Exchange;
use super::exclusions::Exclusion;
use super::files::{FileReader, FileRequest};
use super::frame::FrameKind;
use super::listing::{ListCursor, Lister};
use super::pace::Repeats;
use super::preflight::Preflight;
use super::rows::{RowCursor, RowReader};
use super::schema::{self, SourceSchema, TableMark};
use crate::memory::MemoryBudget;
use crate::model::Table;
use crate::net::AddressPolicy;

/// Reads one source. Cheap to clone; all clones share the pace, so the source is not asked harder by more readers.
#[derive(Debug, Clone)]
pub struct SourceClient {
    connection: Arc<Connection>,
}

impl SourceClient {
    /// A client of a source. Nothing is sent yet.
    pub fn new(
        endpoint: SourceEndpoint,
        policy: AddressPolicy,
        limits: SourceLimits,
        memory: MemoryBudget,
    ) -> Result<Self, SourceError> {
        Ok(Self { connection: Arc::new(Connection::new(endpoint, policy, limits, memory)?) })
    }

    /// The last requests and what came of each, oldest first.
    pub fn last_exchanges(&self) -> Vec<Exchange> {
        self.connection.exchanges.last()
    }

    /// What there is to know before anything is read. `exclusions` decide which files are counted.
    pub async fn preflight(&self, exclusions: &[Exclusion]) -> Result<Preflight, SourceError> {
        let frames =
            self.collect(Verb::Preflight, json!({ "exclude": exclusions, "loopback": true })).await?;
        Preflight::from_parts(frames)
    }

    /// The schema of the site's tables and what else is in its database; `all_tables` takes those of other
    /// applications too.
    pub async fn schema(&self, all_tables: bool) -> Result<SourceSchema, SourceError> {
        schema::read(&self.connection, all_tables).await
    }

    /// What tells whether tables moved between two looks at them.
    pub async fn table_marks(&self, tables: &[String]) -> Result<Vec<TableMark>, SourceError> {
        schema::read_marks(&self.connection, tables).await
    }

    /// Lists files from a cursor on; none begins.
    pub fn list_files(&self, cursor: Option<ListCursor>, exclusions: &[Exclusion]) -> Lister {
        Lister::new(Arc::clone(&self.connection), cursor, exclusions)
    }

    /// Reads files in the given order. Several readers side by side keep a far source busy.
    pub fn read_files(&self, requests: impl IntoIterator<Item = FileRequest>) -> FileReader {
        FileReader::new(Arc::clone(&self.connection), requests.into_iter().collect())
    }

    /// Reads the rows of a table from a cursor on; none begins.
    pub fn read_rows(&self, table: &Table, cursor: Option<RowCursor>) -> RowReader {
        RowReader::new(Arc::clone(&self.connection), table, cursor)
    }

    /// Ends the migration at the source: the plugin deletes its key and answers nobody from here on. May be repeated: a
    /// key that is gone is what was wanted.
    pub async fn finish(&self) -> Result<(), SourceError> {
        match self.collect(Verb::Finish, json!({})).await {
            Ok(_) | Err(SourceError::WrongSecret { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The JSON frames of a small answer.
    async fn collect(&self, verb: Verb, params: Value) -> Result<Vec<Value>, SourceError> {
        let mut repeats = Repeats::new(Arc::clone(&self.connection.limits));
        loop {
            match self.collect_once(verb, params.clone()).await {
                Ok(frames) => return Ok(frames),
                Err(error) => repeats.after(error).await?,
            }
        }
    }

    async fn collect_once(&self, verb: Verb, params: Value) -> Result<Vec<Value>, SourceError> {
        let mut answer = self.connection.ask(verb, params).await?;
        let mut frames = Vec::new();
        loop {
            match answer.next().await? {
                Step::Complete(_) => return Ok(frames),
                Step::Frame(FrameKind::Json, payload) => {
                    frames
                        .push(serde_json::from_slice(&payload).map_err(|_| protocol("a frame is not JSON"))?);
                }
                Step::Frame(..) => return Err(protocol("a frame of another verb")),
            }
        }
    }
}

/// Splits a payload that begins with a cursor's length and the cursor.
pub(super) fn split_cursor(payload: &[u8]) -> Result<(&[u8], usize), SourceError> {
    let bad = || protocol("a frame holds no cursor");
    let (length, rest) = payload.split_first_chunk::<4>().ok_or_else(bad)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > CURSOR_MAX {
        return Err(protocol("a cursor is too long"));
    }
    Ok((rest.get(..length).ok_or_else(bad)?, 4 + length))
}

/// Longest cursor: several must fit into a checkpoint of 64 KiB.
const CURSOR_MAX: usize = 16 * 1024;
