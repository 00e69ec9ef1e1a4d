//! The files of a destination: the port, its two implementations (a folder that the worker sees, an SFTP
//! account), and on top of them the workspace beside the live site and the swap at the cut-over.
//!
//! Fencing: everything is written below a work folder whose name carries the fencing token ([`Workspace`]),
//! and every change of the live root is one rename out of or into that folder. A later claim adopts the folder
//! by renaming it, and from then on each path that a stale worker knows is gone.

mod error;
mod local;
mod path;
mod probe;
mod sftp;
pub mod swap;
mod tree;
mod workspace;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::site::{FilesTarget, SiteCredentials};

pub use error::FilesError;
pub use local::LocalFiles;
pub use path::DestPath;
pub use probe::{Probe, probe};
pub use sftp::SftpFiles;
pub(crate) use tree::hash_sized;
pub use tree::{hash_file, read_whole, remove_tree};
pub use workspace::{SwapMode, Workspace, WorkspaceName};

/// Entries that a folder may have before it is refused: a bound on memory, far above what real sites have.
pub const FOLDER_ENTRIES_MAX: usize = 1_000_000;

/// What `lstat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: StatKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
}

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket: never made, never followed.
    Other,
}

/// Mode and modification time to give to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits.
    pub mode: u32,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name: bytes without a slash.
    pub name: Vec<u8>,
    /// What it is.
    pub stat: Stat,
}

/// The files of a destination, as the account sees them. Paths are absolute; no method follows a link in the last part
/// of a path. Every method may be called again after it failed or was cut off, with the same result.
#[async_trait]
pub trait FilesDestination: Send + Sync + std::fmt::Debug {
    /// What is there; none where nothing is.
    async fn stat(&self, path: &DestPath) -> Result<Option<Stat>, FilesError>;

    /// What is in a folder, in no order, without `.` and `..`; at most [`FOLDER_ENTRIES_MAX`].
    async fn list(&self, folder: &DestPath) -> Result<Vec<Listed>, FilesError>;

    /// Up to `length` bytes of a file from `offset` on; fewer only at its end.
    async fn read(&self, path: &DestPath, offset: u64, length: usize) -> Result<Bytes, FilesError>;

    /// Writes a whole file as a new one: what an older handle on a file of that name still writes goes elsewhere.
    async fn write_file(&self, path: &DestPath, contents: Bytes, meta: Meta) -> Result<(), FilesError>;

    /// Writes a piece of a large file. Offset 0 makes a new file; any other goes into the file that is there.
    async fn write_chunk(&self, path: &DestPath, offset: u64, contents: Bytes) -> Result<(), FilesError>;

    /// Sets mode and modification time of a file or folder.
    async fn set_meta(&self, path: &DestPath, meta: Meta) -> Result<(), FilesError>;

    /// Makes a folder; one that is there is left as it is.
    async fn make_folder(&self, path: &DestPath) -> Result<(), FilesError>;

    /// Makes a symbolic link; what is there under its name and no folder is replaced.
    async fn make_link(&self, path: &DestPath, target: &[u8]) -> Result<(), FilesError>;

    /// Renames in one act. A file takes the place of a file; a folder that is in the way is [`FilesError::Exists`].
    async fn rename(&self, from: &DestPath, to: &DestPath) -> Result<(), FilesError>;

    /// Exchanges two paths in one act; false, and nothing done, where that is not to be had.
    async fn exchange(&self, one: &DestPath, other: &DestPath) -> Result<bool, FilesError>;

    /// Gives a file a second name; false, and nothing done, where that is not to be had.
    async fn hard_link(&self, from: &DestPath, to: &DestPath) -> Result<bool, FilesError>;

    /// Removes a file or link; nothing there is no error.
    async fn remove_file(&self, path: &DestPath) -> Result<(), FilesError>;

    /// Removes an empty folder; nothing there is no error.
    async fn remove_folder(&self, path: &DestPath) -> Result<(), FilesError>;

    /// Bytes that the account may still write there; none where the destination does not tell.
    async fn free_space(&self, path: &DestPath) -> Result<Option<u64>, FilesError>;

    /// How many small acts are worth having under way at the same time.
    fn width(&self) -> usize;
}

/// Reaches the files of a destination.
pub async fn connect(
    target: &FilesTarget,
    credentials: &SiteCredentials,
) -> Result<Arc<dyn FilesDestination>, FilesError> {
    match target {
        FilesTarget::Local { root } => Ok(Arc::new(LocalFiles::open(&DestPath::parse(root)?).await?)),
        FilesTarget::Sftp { host, port, user, host_key, .. } => {
            Ok(Arc::new(SftpFiles::connect(host, *port, user, host_key, credentials).await?))
        }
    }
}

/// The document root of a destination.
pub fn document_root(target: &FilesTarget) -> Result<DestPath, FilesError> {
    match target {
        FilesTarget::Local { root } | FilesTarget::Sftp { root, .. } => DestPath::parse(root),
    }
}
