//! The swap where the entries of the document root are renamed one by one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::{FileSwap, door, refused};
use crate::destination::files::{DestPath, FilesError, Meta, read_whole};
use crate::slice::SliceError;

/// Largest list of top-level names.
const NAMES_MAX: usize = 16 * 1024 * 1024;

pub(super) async fn swap(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    let (root, new, old) = (swap.workspace.root(), swap.workspace.new_root(), swap.workspace.old_root());
    if swap.begins("swap.names").await? {
        swap.files().make_folder(&old).await?;
        write_names(swap, &names_in(swap, &new).await?).await?;
        swap.ends("swap.names").await?;
    }
    let names = read_names(swap).await?;
    if swap.begins("swap.leftovers").await? {
        for name in names_in(swap, root).await? {
            if names.binary_search(&name).is_err() {
                let step = step_of("swap.out", &name);
                if swap.begins(&step).await? {
                    move_over(swap, &root.child(&name), &old.child(&name)).await?;
                    swap.ends(&step).await?;
                }
            }
        }
        swap.ends("swap.leftovers").await?;
    }
    for name in names {
        let step = step_of("swap.in", &name);
        if swap.begins(&step).await? {
            let (staged, live, kept) = (new.child(&name), root.child(&name), old.child(&name));
            if swap.files().stat(&staged).await?.is_some() {
                clear_way(swap, &live, &kept).await?;
                swap.files().rename(&staged, &live).await.map_err(refused)?;
            }
            swap.ends(&step).await?;
        }
    }
    Ok(())
}

/// Takes the new entries out again and puts the old ones back, from wherever a swap stands.
pub(super) async fn back(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    let (root, new, old) = (swap.workspace.root(), swap.workspace.new_root(), swap.workspace.old_root());
    if !swap.journal.is_done("swap.names").await? {
        return Ok(());
    }
    for name in read_names(swap).await? {
        let step = step_of("back.out", &name);
        if swap.begins(&step).await? {
            let (staged, live) = (new.child(&name), root.child(&name));
            if swap.files().stat(&staged).await?.is_none() {
                move_over(swap, &live, &staged).await?;
            }
            swap.ends(&step).await?;
        }
    }
    for name in names_in(swap, &old).await? {
        let step = step_of("back.in", &name);
        if swap.begins(&step).await? {
            let (kept, live) = (old.child(&name), root.child(&name));
            if swap.files().stat(&kept).await?.is_some() {
                swap.workspace.move_out(&live).await.map_err(refused)?;
                swap.files().rename(&kept, &live).await.map_err(refused)?;
            }
            swap.ends(&step).await?;
        }
    }
    Ok(())
}

/// Moves what is in the way to where the old site is kept; what came there meanwhile, out.
async fn clear_way(swap: &FileSwap<'_>, live: &DestPath, kept: &DestPath) -> Result<(), SliceError> {
    if swap.files().stat(live).await?.is_none() {
        return Ok(());
    }
    if swap.files().stat(kept).await?.is_some() {
        return swap.workspace.move_out(live).await.map_err(refused);
    }
    swap.files().rename(live, kept).await.map_err(refused)
}

/// Renames; a source that is gone was renamed before, or by its owner.
async fn move_over(swap: &FileSwap<'_>, from: &DestPath, to: &DestPath) -> Result<(), SliceError> {
    match swap.files().rename(from, to).await {
        Err(FilesError::NotFound { .. }) if swap.files().stat(swap.workspace.folder()).await?.is_some() => {
            Ok(())
        }
        other => other.map_err(refused),
    }
}

/// The names in a folder that the swap moves: not the door's, and not work folders.
async fn names_in(swap: &FileSwap<'_>, folder: &DestPath) -> Result<Vec<Vec<u8>>, SliceError> {
    let listed = swap.files().list(folder).await?;
    let is_moved = |name: &Vec<u8>| {
        !door::NAMES.iter().any(|door| door.as_bytes() == name) && !name.starts_with(b".landfall-")
    };
    let mut names: Vec<Vec<u8>> = listed.into_iter().map(|entry| entry.name).filter(is_moved).collect();
    names.sort_unstable();
    Ok(names)
}

async fn write_names(swap: &FileSwap<'_>, names: &[Vec<u8>]) -> Result<(), SliceError> {
    let text: String = names.iter().map(|name| URL_SAFE_NO_PAD.encode(name) + "\n").collect();
    let meta = Meta { mode: 0o644, mtime: 0 };
    Ok(swap.files().write_file(&swap.door().child("names"), Bytes::from(text), meta).await?)
}

async fn read_names(swap: &FileSwap<'_>) -> Result<Vec<Vec<u8>>, SliceError> {
    let bytes = read_whole(swap.files(), &swap.door().child("names"), NAMES_MAX).await?.unwrap_or_default();
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let changed =
        |_| SliceError::failed("destination.changed_underfoot", "the list of staged names is damaged");
    lines
        .map(|line| URL_SAFE_NO_PAD.decode(line).map_err(changed))
        .map(|name| {
            name.and_then(|name| {
                let is_plain = !name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..";
                is_plain.then_some(name).ok_or_else(|| {
                    SliceError::failed("destination.changed_underfoot", "the list of staged names is damaged")
                })
            })
        })
        .collect()
}

/// Names are bytes and long; a journal's steps are short ASCII. Plain names stay readable.
fn step_of(act: &str, name: &[u8]) -> String {
    let is_plain = name.len() <= 64 && name.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
    if is_plain {
        format!("{act}.{}", String::from_utf8_lossy(name))
    } else {
        format!("{act}:{}", &blake3::hash(name).to_hex()[..32])
    }
}
