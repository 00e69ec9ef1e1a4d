//! What a destination allows, tried out in a scratch folder before a byte of the site is moved.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DestPath, FilesDestination, FilesError, Meta, StatKind, SwapMode, remove_tree};
use crate::slice::SliceError;

/// Entries that a host puts into an empty document root by itself.
const HOSTS_OWN: [&[u8]; 5] = [b".well-known", b"cgi-bin", b".ftpquota", b"lost+found", b".landfall"];
/// Names given as examples of what is there.
const EXAMPLES: usize = 5;
const SCRATCH_META: Meta = Meta { mode: 0o644, mtime: 1_000_000_000 };

/// What a destination allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Where the work folder goes and how the live root is replaced.
    pub mode: SwapMode,
    /// Names in the document root, a few of them; empty: nothing is there that a person put there.
    pub occupied_by: Vec<String>,
    /// Bytes that may still be written; none where the destination does not tell.
    pub free: Option<u64>,
    /// Whether names that differ only in case name the same file.
    pub folds_case: bool,
    /// Whether names that differ only in Unicode form name the same file.
    pub folds_forms: bool,
    /// Whether names may be any bytes.
    pub takes_bytes: bool,
    /// Whether symbolic links can be made.
    pub takes_links: bool,
    /// Longest name, in bytes: 255 on every common file system, less on some.
    pub name_bytes_max: usize,
}

/// Probes a document root. `scratch` is a name part drawn at random; the folder of that name is removed again.
pub async fn probe(
    files: &Arc<dyn FilesDestination>,
    root: &DestPath,
    scratch: &str,
) -> Result<Probe, SliceError> {
    let files = files.as_ref();
    let listed = match files.list(root).await {
        Ok(listed) => listed,
        Err(FilesError::NotFound { .. } | FilesError::Exists { .. }) => {
            let why = format!("the document root {root} is not there, or is no folder");
            return Err(SliceError::failed("destination.permission_denied", why));
        }
        Err(error) => return Err(error.into()),
    };
    let occupied = listed.iter().filter(|entry| !HOSTS_OWN.iter().any(|own| entry.name.starts_with(own)));
    let occupied_by =
        occupied.take(EXAMPLES).map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect();
    let name = format!(".landfall-probe-{scratch}");
    let (folder, mode) = scratch_folder(files, root, &name).await?;
    let found = try_out(files, &folder).await;
    let removed = remove_tree(files, &folder).await;
    let mut found = found?;
    removed?;
    found.mode = mode;
    found.occupied_by = occupied_by;
    Ok(found)
}

/// Makes the scratch folder beside the document root, or within it.
async fn scratch_folder(
    files: &dyn FilesDestination,
    root: &DestPath,
    name: &str,
) -> Result<(DestPath, SwapMode), FilesError> {
    if let Some(parent) = root.parent() {
        let folder = parent.child(name);
        if files.make_folder(&folder).await.is_ok() {
            if let Some(mode) = sibling_mode(files, root, &folder).await? {
                return Ok((folder, mode));
            }
            remove_tree(files, &folder).await?;
        }
    }
    let folder = root.child(name);
    files.make_folder(&folder).await?;
    Ok((folder, SwapMode::Entries))
}

/// A sibling folder serves only where its contents can be renamed into the document root and out again: not across file
/// systems.
async fn sibling_mode(
    files: &dyn FilesDestination,
    root: &DestPath,
    folder: &DestPath,
) -> Result<Option<SwapMode>, FilesError> {
    let name = folder.name().unwrap_or_default().to_vec();
    let (one, other) = (folder.child("one"), folder.child("other"));
    files.make_folder(&one).await?;
    files.make_folder(&other).await?;
    let visitor = root.child(&name);
    if files.rename(&one, &visitor).await.is_err() {
        return Ok(None);
    }
    files.rename(&visitor, &one).await?;
    let exchanges = files.exchange(&one, &other).await.unwrap_or(false);
    let is_folder = files.stat(root).await?.is_some_and(|stat| stat.kind == StatKind::Folder);
    Ok(Some(if exchanges && is_folder { SwapMode::Root } else { SwapMode::Sibling }))
}

async fn try_out(files: &dyn FilesDestination, folder: &DestPath) -> Result<Probe, FilesError> {
    if !takes_name(files, folder, b"lf-Case").await? {
        return Err(FilesError::PermissionDenied { act: "write in", path: folder.to_string() });
    }
    let folds_case = is_there(files, folder, b"lf-case").await?;
    let folds_forms = takes_name(files, folder, "lf-\u{e9}".as_bytes()).await?
        && is_there(files, folder, "lf-e\u{301}".as_bytes()).await?;
    let takes_bytes =
        takes_name(files, folder, b"lf-\xe9\xff").await? && is_there(files, folder, b"lf-\xe9\xff").await?;
    let mut name_bytes_max = 255;
    while name_bytes_max > 64 && !takes_name(files, folder, &vec![b'n'; name_bytes_max]).await? {
        name_bytes_max -= 16;
    }
    let takes_links = match files.make_link(&folder.child("lf-link"), b"lf-Case").await {
        Ok(()) => files.stat(&folder.child("lf-link")).await?.is_some_and(|s| s.kind == StatKind::Link),
        Err(FilesError::Unreachable { why }) => return Err(FilesError::Unreachable { why }),
        Err(_refused) => false,
    };
    let free = files.free_space(folder).await?;
    Ok(Probe {
        mode: SwapMode::Entries,
        occupied_by: Vec::new(),
        free,
        folds_case,
        folds_forms,
        takes_bytes,
        takes_links,
        name_bytes_max,
    })
}

async fn takes_name(
    files: &dyn FilesDestination,
    folder: &DestPath,
    name: &[u8],
) -> Result<bool, FilesError> {
    match files.write_file(&folder.child(name), Bytes::new(), SCRATCH_META).await {
        Ok(()) => Ok(true),
        Err(FilesError::BadName { .. } | FilesError::Server { .. } | FilesError::NotFound { .. }) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn is_there(files: &dyn FilesDestination, folder: &DestPath, name: &[u8]) -> Result<bool, FilesError> {
    Ok(files.stat(&folder.child(name)).await?.is_some())
}
