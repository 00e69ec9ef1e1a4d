//! The cursor: all that a checkpoint of the snapshot phase holds. Everything that grows with the site is in objects
//! that the cursor names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::SitePath;
use crate::snapshot_format::{LargeFileHash, LedgerHead, LeftOut, ObjectRef, RowsHash, SourceFacts, Totals};
use crate::source::{ListCursor, RowCursor};

/// Where a snapshot stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The number of the next object.
    pub next_object: u64,
    /// The newest segment of the ledger.
    pub ledger: Option<LedgerHead>,
    /// What preflight found and wrote; none before it.
    pub ground: Option<Ground>,
    /// How far the listing is.
    pub inventory: InventoryCursor,
    /// How far the tables are.
    pub database: DatabaseCursor,
    /// How far the contents of files are.
    pub files: FilesCursor,
    /// Sums of what was copied.
    pub totals: Totals,
    /// What the check at the end found; none before it.
    pub outcome: Option<ObjectRef>,
}

/// What preflight found and wrote.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ground {
    pub preflight: ObjectRef,
    pub schema: ObjectRef,
    pub schema_sql: ObjectRef,
    /// Names and reasons of what the schema leaves out.
    pub left_out_objects: ObjectRef,
    /// The tables' marks before the first row was read.
    pub marks: ObjectRef,
    pub facts: SourceFacts,
    /// Estimates, for progress only.
    pub files_expected: u64,
    pub file_bytes_expected: u64,
    pub rows_expected: u64,
    pub row_bytes_expected: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct InventoryCursor {
    pub at: Option<ListCursor>,
    /// Parts written.
    pub parts: u32,
    pub is_done: bool,
    pub entries: u64,
    pub file_bytes: u64,
    /// By rule.
    pub left_out: BTreeMap<String, LeftOut>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct DatabaseCursor {
    /// Tables read to their end: those of the schema before this one.
    pub tables: usize,
    /// The table that is being read.
    pub table: TableCursor,
    pub is_done: bool,
}

/// Where the reading of one table stands; the default is its beginning.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TableCursor {
    pub at: Option<RowCursor>,
    pub parts: u32,
    pub rows: u64,
    pub row_bytes: u64,
    pub rows_hash: RowsHash,
    /// Readings that were void because the table moved meanwhile.
    pub void: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct FilesCursor {
    /// The part of the inventory, and the line in it, of the next entry.
    pub part: usize,
    pub line: usize,
    /// The large file that is being read: the entry at that line.
    pub large: Option<LargeCursor>,
    pub is_done: bool,
}

/// Where the reading of a large file stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LargeCursor {
    pub path: SitePath,
    /// Bytes in the snapshot.
    pub offset: u64,
    /// What has to stay the same at the source.
    pub stamp: String,
    pub hash: LargeFileHash,
}
