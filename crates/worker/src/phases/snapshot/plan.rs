//! Cuts the inventory into the pieces of work that the files step does.

use crate::model::{EntryKind, FileEntry};
use crate::slice::SliceError;
use crate::snapshot_format::{CHUNK_BYTES, InventoryPart, PACK_BYTES, read_entries};

use super::copy::Copy;
use super::cursor::FilesCursor;

/// Files that one request to the plugin takes.
const BATCH_FILES: usize = 400;
/// Entries of one pack: folders and links cost no request.
const BATCH_ENTRIES: usize = 2000;

/// A piece of work, with the cursor behind it.
pub(super) struct Piece {
    pub work: Work,
    /// The part and the line after it.
    pub next: (usize, usize),
}

pub(super) enum Work {
    /// Entries that become one pack.
    Batch(Vec<FileEntry>),
    /// A file that is cut into chunks.
    Large(FileEntry),
}

/// Walks over the inventory, one part in memory at a time.
pub(super) struct Plan {
    parts: Vec<InventoryPart>,
    part: usize,
    line: usize,
    entries: Option<Vec<FileEntry>>,
}

impl Plan {
    pub(super) fn new(parts: Vec<InventoryPart>, cursor: &FilesCursor) -> Self {
        Self { parts, part: cursor.part, line: cursor.line, entries: None }
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self, copy: &Copy) -> Result<Option<Piece>, SliceError> {
        loop {
            let Some(part) = self.parts.get(self.part) else { return Ok(None) };
            let entries = match &self.entries {
                Some(entries) => entries,
                None => self.entries.insert(read_entries(copy.slice.staging.as_ref(), &part.object).await?),
            };
            let rest = entries.get(self.line..).unwrap_or_default();
            if rest.is_empty() {
                self.part += 1;
                self.line = 0;
                self.entries = None;
                continue;
            }
            let work = cut(rest);
            self.line += match &work {
                Work::Batch(batch) => batch.len(),
                Work::Large(_) => 1,
            };
            return Ok(Some(Piece { work, next: (self.part, self.line) }));
        }
    }
}

fn cut(rest: &[FileEntry]) -> Work {
    let (mut bytes, mut files) = (0, 0);
    let mut length = 0;
    for entry in rest.iter().take(BATCH_ENTRIES) {
        if let EntryKind::File { size } = entry.kind {
            if size > CHUNK_BYTES {
                break;
            }
            bytes += size;
            files += 1;
            if length > 0 && (bytes > PACK_BYTES || files > BATCH_FILES) {
                break;
            }
        }
        length += 1;
    }
    match rest.first() {
        Some(first) if length == 0 => Work::Large(first.clone()),
        Some(_) | None => Work::Batch(rest[..length].to_vec()),
    }
}
