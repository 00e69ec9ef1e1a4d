//! Steps `links` and `folders`: what can be done only when every file is in its place.

use futures::{StreamExt as _, TryStreamExt as _};

use super::place::{folder_meta, make_parents};
use super::staging_area::Area;
use crate::destination::files::{FilesError, Workspace};
use crate::model::{EntryKind, FileEntry};
use crate::slice::SliceError;
use crate::snapshot_format::{FileItem, FileItems, PackedEntry};

/// Makes the links. True: all are made.
pub(super) async fn links(area: &mut Area) -> Result<bool, SliceError> {
    if area.snapshot.manifest().totals.links == 0 {
        area.cursor.is_linked = true;
    }
    if area.cursor.is_linked {
        return Ok(true);
    }
    let mut items = area.snapshot.files(area.cursor.links);
    while let Some((behind, entries)) = next_listing(area, &mut items).await? {
        for PackedEntry { entry, .. } in entries {
            let EntryKind::Link { target } = &entry.kind else { continue };
            if area.filter.refusal(&entry).is_some() {
                continue;
            }
            if let Some(target) = area.filter.link_target(&entry.path, target) {
                make_link(area, &entry, &target).await?;
                area.cursor.totals.links += 1;
            }
        }
        area.cursor.links = behind;
        area.moved("links", 0).await?;
        if area.slice.should_end() {
            return Ok(false);
        }
    }
    area.cursor.is_linked = true;
    area.moved("links", 0).await?;
    Ok(true)
}

async fn make_link(area: &Area, entry: &FileEntry, target: &[u8]) -> Result<(), SliceError> {
    let path = area.workspace.staged(&entry.path);
    match area.workspace.files().make_link(&path, target).await {
        Err(FilesError::NotFound { .. }) => {
            make_parents(&area.workspace, &entry.path).await?;
            Ok(area.workspace.files().make_link(&path, target).await?)
        }
        other => Ok(other?),
    }
}

/// Gives the folders their modes and times. True: all have them.
pub(super) async fn folders(area: &mut Area) -> Result<bool, SliceError> {
    if area.cursor.are_folders_set {
        return Ok(true);
    }
    let mut items = area.snapshot.files(area.cursor.folders);
    while let Some((behind, entries)) = next_listing(area, &mut items).await? {
        let folders = entries.into_iter().map(|packed| packed.entry);
        let folders = folders.filter(|e| e.kind == EntryKind::Folder && area.filter.refusal(e).is_none());
        let settings: Vec<_> = folders.map(|entry| set_folder(&area.workspace, entry)).collect();
        futures::stream::iter(settings)
            .buffer_unordered(area.workspace.files().width())
            .try_collect::<()>()
            .await?;
        area.cursor.folders = behind;
        area.moved("folders", 0).await?;
        if area.slice.should_end() {
            return Ok(false);
        }
    }
    area.cursor.are_folders_set = true;
    area.moved("folders", 0).await?;
    Ok(true)
}

async fn set_folder(workspace: &Workspace, entry: FileEntry) -> Result<(), FilesError> {
    workspace.files().set_meta(&workspace.staged(&entry.path), folder_meta(&entry)).await
}

/// The listing of the next pack, and the position behind it.
async fn next_listing(
    area: &Area,
    items: &mut FileItems,
) -> Result<Option<(u64, Vec<PackedEntry>)>, SliceError> {
    while let Some((behind, item)) = items.next().await? {
        match item {
            FileItem::Pack { index, .. } => {
                return Ok(Some((behind, area.snapshot.pack_index(&index).await?)));
            }
            FileItem::Chunk { .. } | FileItem::Dropped { .. } => {}
        }
    }
    Ok(None)
}
