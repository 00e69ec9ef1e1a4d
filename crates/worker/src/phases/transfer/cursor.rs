//! All that a checkpoint of the transfer holds.

use serde::{Deserialize, Serialize};

use crate::destination::files::{Probe, WorkspaceName};
use crate::snapshot_format::LargeFileHash;

/// Where a transfer stands. Positions are those of [`crate::snapshot_format::FileItems`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// What preflight found; none before it.
    pub ground: Option<Ground>,
    /// Whether staging began: what an earlier generation left was removed.
    pub has_begun: bool,
    /// Behind the last piece that is staged.
    pub staged: u64,
    /// The large file that is being staged.
    pub large: Option<LargeHash>,
    pub is_staged: bool,
    pub links: u64,
    pub is_linked: bool,
    pub folders: u64,
    pub are_folders_set: bool,
    /// Ranges of positions that an earlier claim may have written to as well.
    pub windows: Vec<(u64, u64)>,
    /// Positions behind which windows are verified.
    pub verified: u64,
    pub totals: StageTotals,
    pub not_placed: Vec<NotPlaced>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ground {
    pub workspace: WorkspaceName,
    pub probe: Probe,
}

/// The hash of the chunks so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LargeHash {
    pub hash: LargeFileHash,
    /// Bytes of the chunks so far.
    pub bytes: u64,
    /// Whether an earlier claim may have a handle on the file: then it is hashed again when it is whole.
    pub is_tainted: bool,
}

/// What was staged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTotals {
    /// Regular files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the files' contents.
    pub file_bytes: u64,
    /// Bytes among them that were there already with the same hash, and were not sent again.
    pub kept_bytes: u64,
    /// Entries of the snapshot that were not placed.
    pub not_placed: u64,
}

/// An entry of the snapshot that has no place at the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPlaced {
    /// Its path, for people.
    pub path: String,
    /// `wp_config`, `drop_in`, `user_ini`, `maintenance`, `landfall`, `link_outside`, `links_unsupported`.
    pub why: String,
}
