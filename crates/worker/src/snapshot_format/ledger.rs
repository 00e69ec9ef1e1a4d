//! The ledger: which objects of a snapshot count, in the order in which they were copied.
//!
//! It is a chain of segments. The newest segment is written again, under a new key, at each checkpoint until
//! it has [`SEGMENT_RECORDS`] records; then the next one begins and names it. So a checkpoint holds only the
//! head, and a site of a terabyte has some hundred segments, not one object per checkpoint to walk through.

use std::sync::Arc;

use bytes::Bytes;
use landfall_common::ports::Staging;
use serde::{Deserialize, Serialize};

use super::{ContentHash, FORMAT, RowsHash, SnapshotError, blocking, compress, decompress};
use crate::model::SitePath;

/// Records in a segment, at most.
const SEGMENT_RECORDS: usize = 1024;
/// Segments in a chain, at most: over a hundred million records.
const SEGMENTS_MAX: u32 = 100_000;

/// An object of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its key in the staging storage.
    pub key: String,
    /// Its size before encryption.
    pub bytes: u64,
    /// The hash of its bytes before encryption (of the compressed object, as `age -d` gives it).
    pub blake3: ContentHash,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A part of the inventory: NDJSON of file entries.
    Inventory {
        /// The object.
        object: ObjectRef,
        /// Its number, from 0; number 0 begins the inventory anew.
        part: u32,
        /// Its lines.
        entries: u64,
    },
    /// A tar of files, folders and links, and the listing of its entries.
    Pack {
        /// The tar.
        object: ObjectRef,
        /// NDJSON of its entries in their order.
        index: ObjectRef,
        /// Entries in it.
        entries: u64,
        /// Regular files among them.
        files: u64,
        /// Bytes of their contents.
        file_bytes: u64,
    },
    /// A part of a large file. Offset 0 begins the file anew: earlier chunks of that path do not count.
    Chunk {
        /// The object.
        object: ObjectRef,
        /// The file.
        path: SitePath,
        /// Where in the file it begins.
        offset: u64,
        /// Its plain length.
        length: u64,
        /// The file's modification time, seconds since 1970.
        mtime: i64,
        /// The file's permission bits.
        mode: u32,
        /// On the last chunk: the hash of the whole file.
        whole: Option<ContentHash>,
    },
    /// A large file that vanished or could not be read to its end: its chunks do not count.
    Dropped {
        /// The file.
        path: SitePath,
    },
    /// Rows of a table. Part 0 begins the table anew: earlier parts of that table do not count.
    Rows {
        /// The object.
        object: ObjectRef,
        /// The table.
        table: String,
        /// Its number within the table, from 0.
        part: u32,
        /// Rows in it.
        rows: u64,
        /// Bytes of their frames.
        row_bytes: u64,
        /// The hash of these rows.
        rows_hash: RowsHash,
    },
    /// A table was read to its end.
    Table {
        /// The table.
        table: String,
        /// Its parts.
        parts: u32,
        /// Its rows.
        rows: u64,
        /// Bytes of their frames.
        row_bytes: u64,
        /// The hash of all its rows.
        rows_hash: RowsHash,
        /// Whether it moved so often while it was read that its last reading was taken as it is.
        is_unsteady: bool,
    },
    /// NDJSON of what could not be read, and why.
    Unread {
        /// The object.
        object: ObjectRef,
        /// Its lines.
        entries: u64,
    },
    /// NDJSON of what the rules left out, and by which rule.
    LeftOut {
        /// The object.
        object: ObjectRef,
        /// Its lines.
        entries: u64,
    },
}

/// The newest segment: all that a checkpoint needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// The segment.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// Its number, from 0.
    pub segment: u32,
    /// Records in the whole chain.
    pub records: u64,
}

/// The first line of a segment.
#[derive(Debug, Serialize, Deserialize)]
struct SegmentHeader {
    format: u32,
    segment: u32,
    records_before: u64,
    previous: Option<LedgerHead>,
}

/// The ledger while a snapshot is written: the open segment in memory, the rest in the staging storage.
#[derive(Debug)]
pub struct Ledger {
    previous: Option<LedgerHead>,
    head: Option<LedgerHead>,
    open: Vec<Record>,
    is_changed: bool,
}

impl Ledger {
    /// The ledger as of a checkpoint; none: an empty one.
    pub async fn resume(staging: &dyn Staging, head: Option<LedgerHead>) -> Result<Self, SnapshotError> {
        let Some(head) = head else {
            return Ok(Self { previous: None, head: None, open: Vec::new(), is_changed: false });
        };
        let (header, open) = read_segment(staging, &head).await?;
        Ok(Self { previous: header.previous, head: Some(head), open, is_changed: false })
    }

    /// Adds a record. It counts from the next `flush` whose head is checkpointed.
    pub fn push(&mut self, record: Record) {
        self.open.push(record);
        self.is_changed = true;
    }

    /// The head as written last.
    pub fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    /// Writes the open segment under a new key made by `key` and returns the head; nothing to do: the old head.
    pub(super) async fn flush(
        &mut self,
        staging: &dyn Staging,
        key: impl FnOnce() -> String,
    ) -> Result<Option<LedgerHead>, SnapshotError> {
        if !self.is_changed {
            return Ok(self.head.clone());
        }
        let records_before = self.previous.as_ref().map_or(0, |p| p.records);
        let segment = self.previous.as_ref().map_or(0, |p| p.segment + 1);
        let header =
            SegmentHeader { format: FORMAT, segment, records_before, previous: self.previous.clone() };
        let mut plain = json_line(&header)?;
        for record in &self.open {
            plain.extend(json_line(record)?);
        }
        let bytes = compress(plain).await?;
        let object = ObjectRef { key: key(), bytes: bytes.len() as u64, blake3: ContentHash::of(&bytes) };
        staging.put(&object.key, bytes).await?;
        let head = LedgerHead { object, segment, records: records_before + self.open.len() as u64 };
        self.head = Some(head.clone());
        self.is_changed = false;
        if self.open.len() >= SEGMENT_RECORDS {
            self.previous = Some(head.clone());
            self.open.clear();
        }
        Ok(Some(head))
    }
}

/// All segments of a chain, first to last, each checked against the hash that its successor names.
pub(super) async fn walk(staging: &dyn Staging, head: &LedgerHead) -> Result<Vec<LedgerHead>, SnapshotError> {
    let mut chain = vec![head.clone()];
    let mut at = head.clone();
    loop {
        let (header, _) = read_segment(staging, &at).await?;
        let Some(previous) = header.previous else { break };
        if previous.segment + 1 != at.segment || at.segment > SEGMENTS_MAX {
            return Err(SnapshotError::corrupt(&at.object.key, "its predecessor has the wrong number"));
        }
        chain.push(previous.clone());
        at = previous;
    }
    chain.reverse();
    Ok(chain)
}

/// The records of one segment.
pub(super) async fn records(
    staging: &dyn Staging,
    segment: &LedgerHead,
) -> Result<Vec<Record>, SnapshotError> {
    Ok(read_segment(staging, segment).await?.1)
}

async fn read_segment(
    staging: &dyn Staging,
    head: &LedgerHead,
) -> Result<(SegmentHeader, Vec<Record>), SnapshotError> {
    let bytes = read_object(staging, &head.object).await?;
    let object = Arc::new(head.object.clone());
    blocking(move || {
        let plain = decompress(&object.key, &bytes, 0)?;
        let mut lines = plain.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let bad = |e: serde_json::Error| SnapshotError::corrupt(&object.key, e);
        let first = lines.next().ok_or_else(|| SnapshotError::corrupt(&object.key, "it is empty"))?;
        let header: SegmentHeader = serde_json::from_slice(first).map_err(bad)?;
        if header.format != FORMAT {
            return Err(SnapshotError::Format { format: header.format });
        }
        let records =
            lines.map(|line| serde_json::from_slice(line).map_err(bad)).collect::<Result<_, _>>()?;
        Ok((header, records))
    })
    .await
}

/// Reads an object and checks its hash.
pub(super) async fn read_object(staging: &dyn Staging, object: &ObjectRef) -> Result<Bytes, SnapshotError> {
    let bytes = staging.get(&object.key).await?;
    if bytes.len() as u64 != object.bytes || ContentHash::of(&bytes) != object.blake3 {
        return Err(SnapshotError::corrupt(&object.key, "its size or hash differs"));
    }
    Ok(bytes)
}

fn json_line(value: &impl Serialize) -> Result<Vec<u8>, SnapshotError> {
    let mut line = serde_json::to_vec(value).map_err(SnapshotError::encoder)?;
    line.push(b'\n');
    Ok(line)
}
