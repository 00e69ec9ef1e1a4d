//! Acts on whole files and trees, made of the port's.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::{DestPath, FilesDestination, FilesError, StatKind};
use crate::snapshot_format::ContentHash;

/// Bytes asked for at a time.
const READ_BYTES: usize = 1024 * 1024;
/// Folders below one another before a tree is refused: a path has at most 4,096 bytes.
const DEPTH_MAX: usize = 2048;

/// Removes a file, a link, or a folder with all that is in it; links are removed, never followed.
pub async fn remove_tree(files: &dyn FilesDestination, path: &DestPath) -> Result<(), FilesError> {
    match files.stat(path).await?.map(|stat| stat.kind) {
        None => return Ok(()),
        Some(StatKind::File | StatKind::Link | StatKind::Other) => return files.remove_file(path).await,
        Some(StatKind::Folder) => {}
    }
    // Folders still to be looked into, then removed: a stack instead of recursion.
    let mut stack = vec![(path.clone(), false)];
    while let Some((folder, is_emptied)) = stack.pop() {
        if is_emptied {
            files.remove_folder(&folder).await?;
            continue;
        }
        if folder.parts().count() > DEPTH_MAX {
            return Err(FilesError::BadName { path: folder.to_string() });
        }
        stack.push((folder.clone(), true));
        let listed = match files.list(&folder).await {
            Err(FilesError::NotFound { .. }) => continue,
            other => other?,
        };
        let (folders, others): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|entry| entry.stat.kind == StatKind::Folder);
        stack.extend(folders.into_iter().map(|entry| (folder.child(entry.name), false)));
        futures::stream::iter(others)
            .map(|entry| {
                let path = folder.child(entry.name);
                async move { files.remove_file(&path).await }
            })
            .buffer_unordered(files.width())
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

/// A whole small file; none where nothing is, an error where it has more than `limit` bytes.
pub async fn read_whole(
    files: &dyn FilesDestination,
    path: &DestPath,
    limit: usize,
) -> Result<Option<Bytes>, FilesError> {
    match files.read(path, 0, limit + 1).await {
        Ok(bytes) if bytes.len() > limit => Err(FilesError::Exists { path: path.to_string() }),
        Ok(bytes) => Ok(Some(bytes)),
        Err(FilesError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The size and hash of a file's contents, read piece by piece.
pub async fn hash_file(
    files: &dyn FilesDestination,
    path: &DestPath,
) -> Result<(u64, ContentHash), FilesError> {
    let stat = files.stat(path).await?.ok_or_else(|| FilesError::NotFound { path: path.to_string() })?;
    Ok((stat.size, hash_sized(files, path, stat.size).await?))
}

/// The hash of a file that has so many bytes; of what there is, where it has fewer.
pub(crate) async fn hash_sized(
    files: &dyn FilesDestination,
    path: &DestPath,
    size: u64,
) -> Result<ContentHash, FilesError> {
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < size {
        let want = usize::try_from(size - offset).unwrap_or(READ_BYTES).min(READ_BYTES);
        let piece = files.read(path, offset, want).await?;
        offset += piece.len() as u64;
        hasher.update(&piece);
        if piece.len() < want {
            break;
        }
    }
    Ok(hasher.finalize().into())
}
