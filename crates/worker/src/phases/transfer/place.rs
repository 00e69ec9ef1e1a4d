//! Places the entries of one pack.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::destination::files::{
    DestPath, FilesDestination, FilesError, Meta, StatKind, Workspace, hash_sized,
};
use crate::failpoint::failpoint;
use crate::model::{EntryKind, FileEntry, SitePath};
use crate::slice::SliceError;
use crate::snapshot_format::{ContentHash, PackedEntry};

/// What became of a pack's files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Placed {
    pub files: u64,
    pub file_bytes: u64,
    /// Files and bytes that were there already with the same hash.
    pub kept_files: u64,
    pub kept_bytes: u64,
}

/// The mode that a staged file gets: its owner can always read and write it, and no bit makes it run as somebody else.
pub(super) fn file_meta(entry: &FileEntry) -> Meta {
    Meta { mode: (entry.mode & 0o777) | 0o600, mtime: entry.mtime }
}

/// The mode that a staged folder gets in the end.
pub(super) fn folder_meta(entry: &FileEntry) -> Meta {
    Meta { mode: (entry.mode & 0o777) | 0o700, mtime: entry.mtime }
}

/// Makes the folders of a pack, level by level: those of one level side by side.
pub(super) async fn make_folders(workspace: &Workspace, folders: &[SitePath]) -> Result<(), SliceError> {
    let mut levels: BTreeMap<usize, Vec<&SitePath>> = BTreeMap::new();
    for folder in folders {
        levels.entry(folder.as_bytes().iter().filter(|b| **b == b'/').count()).or_default().push(folder);
    }
    for level in levels.into_values() {
        let level: Vec<_> = level.into_iter().map(|folder| make_folder(workspace, folder)).collect();
        futures::stream::iter(level).buffer_unordered(workspace.files().width()).try_collect::<()>().await?;
    }
    Ok(())
}

/// Writes the files of a pack, many at a time. `may_exist`: what is there with the same hash is kept.
pub(super) async fn write_files(
    workspace: &Workspace,
    entries: Vec<(PackedEntry, Bytes)>,
    may_exist: bool,
) -> Result<Placed, SliceError> {
    let writes =
        entries.into_iter().map(|(packed, contents)| write_one(workspace, packed, contents, may_exist));
    let writes: Vec<_> = writes.collect();
    futures::stream::iter(writes)
        .buffer_unordered(workspace.files().width())
        .try_fold(Placed::default(), |mut sum, one| async move {
            sum.files += one.files;
            sum.file_bytes += one.file_bytes;
            sum.kept_files += one.kept_files;
            sum.kept_bytes += one.kept_bytes;
            Ok(sum)
        })
        .await
}

async fn write_one(
    workspace: &Workspace,
    packed: PackedEntry,
    contents: Bytes,
    may_exist: bool,
) -> Result<Placed, SliceError> {
    let size = contents.len() as u64;
    let target = workspace.staged(&packed.entry.path);
    let meta = file_meta(&packed.entry);
    let mut placed = Placed { files: 1, file_bytes: size, ..Placed::default() };
    if may_exist && is_same(workspace.files(), &target, size, packed.blake3).await? {
        workspace.files().set_meta(&target, meta).await?;
        placed.kept_files = 1;
        placed.kept_bytes = size;
        return Ok(placed);
    }
    match workspace.files().write_file(&target, contents.clone(), meta).await {
        Err(FilesError::NotFound { .. }) => {
            make_parents(workspace, &packed.entry.path).await?;
            workspace.files().write_file(&target, contents, meta).await?;
        }
        other => other?,
    }
    failpoint("transfer.file_sent").await?;
    Ok(placed)
}

/// Whether a file is there with these contents.
pub(super) async fn is_same(
    files: &dyn FilesDestination,
    target: &DestPath,
    size: u64,
    hash: Option<ContentHash>,
) -> Result<bool, SliceError> {
    match files.stat(target).await? {
        Some(stat) if stat.kind == StatKind::File && stat.size == size => {
            Ok(Some(hash_sized(files, target, size).await?) == hash)
        }
        Some(_) | None => Ok(false),
    }
}

async fn make_folder(workspace: &Workspace, folder: &SitePath) -> Result<(), SliceError> {
    match workspace.files().make_folder(&workspace.staged(folder)).await {
        Err(FilesError::NotFound { .. }) => {
            make_parents(workspace, folder).await?;
            Ok(workspace.files().make_folder(&workspace.staged(folder)).await?)
        }
        other => Ok(other?),
    }
}

/// Folders that the listing did not give: those above a relocated `wp-content`, say. If the work folder itself is gone, a
/// later claim adopted it.
pub(super) async fn make_parents(workspace: &Workspace, path: &SitePath) -> Result<(), SliceError> {
    if workspace.files().stat(&workspace.new_root()).await?.is_none() {
        return Err(FilesError::Fenced.into());
    }
    let parts: Vec<&[u8]> = path.as_bytes().split(|b| *b == b'/').collect();
    let mut at = workspace.new_root();
    for part in &parts[..parts.len() - 1] {
        at = at.child(part);
        workspace.files().make_folder(&at).await?;
    }
    Ok(())
}

/// Splits a pack's entries: folders to be made, files to be written, links for later.
pub(super) fn split(entries: Vec<(PackedEntry, Bytes)>) -> (Vec<SitePath>, Vec<(PackedEntry, Bytes)>) {
    let mut folders = Vec::new();
    let mut files = Vec::new();
    for (packed, contents) in entries {
        match packed.entry.kind {
            EntryKind::Folder => folders.push(packed.entry.path),
            EntryKind::File { .. } => files.push((packed, contents)),
            EntryKind::Link { .. } => {}
        }
    }
    (folders, files)
}
