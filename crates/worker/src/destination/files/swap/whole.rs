//! The swap where the document root is exchanged for the staged folder in one act.

use bytes::Bytes;

use super::{FileSwap, door, refused};
use crate::destination::files::{DestPath, Meta, StatKind};
use crate::slice::SliceError;

/// In the folder that is to become the document root; gone from there once it did.
const MARK: &str = ".landfall-swap";

pub(super) async fn swap(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    let (root, new, old) = (swap.workspace.root(), swap.workspace.new_root(), swap.workspace.old_root());
    if swap.begins("swap.mark").await? {
        door::write_stubs(swap, &new).await?;
        if let Some(stat) = swap.files().stat(root).await?.filter(|stat| stat.kind == StatKind::Folder) {
            swap.files().set_meta(&new, Meta { mode: stat.mode, mtime: stat.mtime }).await?;
        }
        mark(swap, &new).await?;
        swap.ends("swap.mark").await?;
    }
    if swap.begins("swap.exchange").await? {
        if is_marked(swap, &new).await? {
            exchange(swap, &new).await?;
        }
        swap.ends("swap.exchange").await?;
    }
    if swap.begins("swap.settle").await? {
        rename_if_there(swap, &new, &old).await?;
        swap.workspace.move_out(&root.child(MARK)).await.map_err(refused)?;
        swap.ends("swap.settle").await?;
    }
    Ok(())
}

/// Exchanges back what was exchanged, and leaves the staged folder where it was before.
pub(super) async fn back(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    let (root, new, old) = (swap.workspace.root(), swap.workspace.new_root(), swap.workspace.old_root());
    if !swap.journal.is_done("swap.mark").await? {
        // Nothing was exchanged yet; the mark may be there all the same.
        return swap.workspace.move_out(&new.child(MARK)).await.map_err(refused);
    }
    if swap.begins("back.mark").await? {
        // A mark that is still in the staged folder: the exchange never was.
        if !is_marked(swap, &new).await? {
            rename_if_there(swap, &new, &old).await?;
            if is_folder(swap, &old).await? {
                mark(swap, &old).await?;
            }
        }
        swap.ends("back.mark").await?;
    }
    if swap.begins("back.exchange").await? {
        // A document root that was a link to a folder holds no mark: there the link itself tells.
        let is_link = swap.files().stat(&old).await?.is_some_and(|stat| stat.kind == StatKind::Link);
        if is_link || is_marked(swap, &old).await? {
            exchange(swap, &old).await?;
        }
        swap.ends("back.exchange").await?;
    }
    if swap.begins("back.settle").await? {
        rename_if_there(swap, &old, &new).await?;
        if is_folder(swap, root).await? {
            swap.workspace.move_out(&root.child(MARK)).await.map_err(refused)?;
        }
        swap.workspace.move_out(&new.child(MARK)).await.map_err(refused)?;
        swap.ends("back.settle").await?;
    }
    Ok(())
}

async fn exchange(swap: &FileSwap<'_>, staged: &DestPath) -> Result<(), SliceError> {
    if swap.files().exchange(staged, swap.workspace.root()).await.map_err(refused)? {
        return Ok(());
    }
    let why = "the destination does not exchange folders any more, though it did when it was probed";
    Err(SliceError::failed("destination.swap_refused", why))
}

/// Renames unless the source is gone or the target is there: then it was done before.
async fn rename_if_there(swap: &FileSwap<'_>, from: &DestPath, to: &DestPath) -> Result<(), SliceError> {
    if swap.files().stat(from).await?.is_some() && swap.files().stat(to).await?.is_none() {
        swap.files().rename(from, to).await.map_err(refused)?;
    }
    Ok(())
}

async fn mark(swap: &FileSwap<'_>, folder: &DestPath) -> Result<(), SliceError> {
    let meta = Meta { mode: 0o644, mtime: 0 };
    Ok(swap.files().write_file(&folder.child(MARK), Bytes::new(), meta).await?)
}

async fn is_marked(swap: &FileSwap<'_>, folder: &DestPath) -> Result<bool, SliceError> {
    Ok(is_folder(swap, folder).await? && swap.files().stat(&folder.child(MARK)).await?.is_some())
}

async fn is_folder(swap: &FileSwap<'_>, path: &DestPath) -> Result<bool, SliceError> {
    Ok(swap.files().stat(path).await?.is_some_and(|stat| stat.kind == StatKind::Folder))
}
