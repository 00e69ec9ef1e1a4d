//! The plain format of snapshots, as `docs/snapshot-format.md` describes it: what the snapshot phase writes
//! and every later phase reads. A snapshot is a set of immutable objects below
//! `snapshots/<migration>/<generation>/`; which of them count is told by a chain of ledger objects, and the
//! manifest, created once, seals its head. Encryption is the staging storage's business, not the format's.
//!
//! Who writes uses [`SnapshotWriter`]; who reads uses [`SnapshotReader`], which checks the hash of every
//! object that it hands out.

mod hash;
mod ledger;
mod manifest;
mod ndjson;
mod pack;
mod reader;
mod rows;
pub mod to_sql;
mod writer;

pub use hash::{BadChunk, ContentHash, LargeFileHash, RowsHash};
pub use ledger::{Ledger, LedgerHead, ObjectRef, Record};
pub use manifest::{LeftOut, Manifest, SourceFacts, TableSummary, Totals};
pub use ndjson::{ListingWriter, read_listing};
pub use pack::{Pack, PackWriter, PackedEntry, read_pack};
pub use reader::{
    FileItem, FileItems, InventoryPart, RowsPart, SnapshotReader, inventory_parts, read_entries, read_json,
    tables_of,
};
pub use rows::{FinishedRows, RowsWriter, read_rows};
pub use writer::SnapshotWriter;

use landfall_common::ports::StagingError;

use crate::slice::SliceError;

/// The version of the format that this code writes and reads.
pub const FORMAT: u32 = 1;
/// A pack is closed when its files' contents reach this many bytes. Small enough that two slots of a worker
/// hold a few of them at once within their memory; large enough that a site of 560 MB has some hundred.
pub const PACK_BYTES: u64 = 4 * 1024 * 1024;
/// A pack is closed when it has this many entries.
pub const PACK_ENTRIES: u64 = 4096;
/// Files larger than this are not packed but cut into chunks of exactly this size (the last may be smaller). A power
/// of two, so that each chunk is a subtree of the file's BLAKE3 tree and hashing goes on across a kill.
pub const CHUNK_BYTES: u64 = 8 * 1024 * 1024;
/// A rows part is closed when its rows reach this many bytes; only a single larger row makes a larger part.
pub const ROWS_BYTES: u64 = 4 * 1024 * 1024;
/// Lines in one part of the inventory.
pub const INVENTORY_ENTRIES: u64 = 8192;
/// No object decompresses to more than this: what claims more is refused as corrupt.
pub const PLAIN_MAX: u64 = 1 << 30;
/// Buffers are taken at once up to this size only: more grows while it is filled.
const OBJECT_PLAIN_USUAL: u64 = 64 * 1024 * 1024;
/// The fastest level: the pipeline must outrun the source, and most bytes of a site are images already compressed.
const ZSTD_LEVEL: i32 = 1;

/// Why a snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The staging storage refused or failed.
    #[error("the staging storage failed on an object of the snapshot")]
    Staging(#[source] StagingError),
    /// An object's bytes are not those that were recorded, or do not follow the format.
    #[error("object {key} is not as it was recorded: {why}")]
    Corrupt {
        /// Its key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Written by a version that this one cannot read.
    #[error("the snapshot has format {format}, this version reads {FORMAT}")]
    Format {
        /// Its format.
        format: u32,
    },
    /// What was asked for is not in the snapshot.
    #[error("the snapshot has no {what}")]
    Absent {
        /// What was asked for.
        what: String,
    },
    /// The manifest exists with other contents.
    #[error("the manifest {key} exists with other contents")]
    SealedDiffers {
        /// Its key.
        key: String,
    },
    /// Compressing failed, or a thread was lost: a fault of our own.
    #[error("the snapshot's encoder failed: {why}")]
    Encoder {
        /// What happened.
        why: String,
    },
}

impl SnapshotError {
    fn corrupt(key: &str, why: impl std::fmt::Display) -> Self {
        SnapshotError::Corrupt { key: key.to_owned(), why: why.to_string() }
    }

    fn encoder(why: impl std::fmt::Display) -> Self {
        SnapshotError::Encoder { why: why.to_string() }
    }

    /// The code of the catalogue that this is.
    pub fn code(&self) -> &'static str {
        match self {
            SnapshotError::Staging(StagingError::Missing { .. }) => "staging.missing",
            SnapshotError::Staging(StagingError::Corrupt { .. }) | SnapshotError::Corrupt { .. } => {
                "staging.corrupt"
            }
            SnapshotError::Staging(StagingError::Exists { .. }) | SnapshotError::SealedDiffers { .. } => {
                "snapshot.sealed_differs"
            }
            SnapshotError::Staging(StagingError::Unavailable(_)) => "staging.unavailable",
            SnapshotError::Format { .. } => "worker.incompatible",
            SnapshotError::Absent { .. } => "staging.corrupt",
            SnapshotError::Encoder { .. } => "worker.internal",
        }
    }
}

impl From<StagingError> for SnapshotError {
    fn from(error: StagingError) -> Self {
        SnapshotError::Staging(error)
    }
}

impl From<SnapshotError> for SliceError {
    fn from(error: SnapshotError) -> Self {
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            detail = format!("{detail}: {cause}");
            source = cause.source();
        }
        SliceError::failed(error.code(), detail)
    }
}

/// The folder of a migration's snapshot of one generation.
pub fn snapshot_prefix(migration: landfall_common::MigrationId, generation: u32) -> String {
    format!("snapshots/{migration}/{generation}")
}

/// The key of the manifest: the one name that is the same for every attempt, so that one of them wins.
pub fn manifest_key(migration: landfall_common::MigrationId, generation: u32) -> String {
    format!("{}/manifest.json", snapshot_prefix(migration, generation))
}

/// Decompresses one object, refusing more than [`PLAIN_MAX`] bytes. `expected`: its plain bytes as the ledger has them, so
/// that a buffer of the right size is taken at once; 0 where that is not known.
fn decompress(key: &str, bytes: &[u8], expected: u64) -> Result<Vec<u8>, SnapshotError> {
    use std::io::Read as _;
    let decoder = zstd::stream::Decoder::new(bytes).map_err(|e| SnapshotError::corrupt(key, e))?;
    // A little more, or the end would be found only after the buffer had grown.
    let room = usize::try_from(expected.min(OBJECT_PLAIN_USUAL)).unwrap_or(0);
    let mut plain = Vec::with_capacity(if room == 0 { 0 } else { room + 64 });
    decoder.take(PLAIN_MAX + 1).read_to_end(&mut plain).map_err(|e| SnapshotError::corrupt(key, e))?;
    if plain.len() as u64 > PLAIN_MAX {
        return Err(SnapshotError::corrupt(key, "it decompresses to more than 1 GiB"));
    }
    Ok(plain)
}

/// Compresses one object.
pub(crate) async fn compress(
    plain: impl AsRef<[u8]> + Send + 'static,
) -> Result<bytes::Bytes, SnapshotError> {
    blocking(move || {
        zstd::bulk::compress(plain.as_ref(), ZSTD_LEVEL).map(Into::into).map_err(SnapshotError::encoder)
    })
    .await
}

/// Runs work that takes milliseconds of a core on a thread where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.map_err(SnapshotError::encoder)?
}

#[cfg(test)]
mod tests;
