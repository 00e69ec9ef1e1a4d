//! The door: stubs that answer 503 in the place of the files through which every page comes in.

use bytes::Bytes;

use super::{FileSwap, refused};
use crate::destination::files::{DestPath, Meta, StatKind, read_whole};
use crate::slice::SliceError;

/// What stands in the door, in the order in which it is closed. Opened in the order of [`OPENING`].
pub(super) const NAMES: [&str; 3] = [".maintenance", "wp-load.php", "index.php"];
/// WordPress can be loaded first, then may, then is: in between the answer is 503.
pub(super) const OPENING: [&str; 3] = ["wp-load.php", ".maintenance", "index.php"];

/// Largest file that is copied where no second name can be given to it.
const COPY_MAX: usize = 4 * 1024 * 1024;

/// Which of the two sites a file that a stub stands in for belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Old,
    New,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Old => "old",
            Side::New => "new",
        }
    }
}

/// Closes the door of the live root, keeping the old site's files.
pub(super) async fn close(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    if swap.begins("door.prepare").await? {
        prepare(swap, "stub").await?;
        swap.ends("door.prepare").await?;
    }
    for name in NAMES {
        let step = format!("door.close.{name}");
        if swap.begins(&step).await? {
            put_stub(swap, "stub", name, Some(Side::Old)).await?;
            swap.ends(&step).await?;
        }
    }
    Ok(())
}

/// Writes stubs into the work folder, to be renamed into the live root.
pub(super) async fn prepare(swap: &FileSwap<'_>, kind: &str) -> Result<(), SliceError> {
    let folder = swap.door();
    swap.files().make_folder(&folder).await?;
    for name in NAMES {
        write_stub(swap, &folder.child(format!("{kind}-{name}")), name).await?;
    }
    Ok(())
}

/// Renames a prepared stub over the live file, which is kept before. A stub that is gone was renamed already.
pub(super) async fn put_stub(
    swap: &FileSwap<'_>,
    kind: &str,
    name: &str,
    keep_for: Option<Side>,
) -> Result<(), SliceError> {
    let stub = swap.door().child(format!("{kind}-{name}"));
    if swap.files().stat(&stub).await?.is_none() {
        return Ok(());
    }
    let live = swap.workspace.root().child(name);
    if let Some(side) = keep_for {
        keep(swap, side, name, &live).await?;
    }
    swap.files().rename(&stub, &live).await.map_err(refused)
}

/// Writes a stub in the place of each door file of a folder that nobody visits yet.
pub(super) async fn write_stubs(swap: &FileSwap<'_>, folder: &DestPath) -> Result<(), SliceError> {
    for name in NAMES {
        write_stub(swap, &folder.child(name), name).await?;
    }
    Ok(())
}

/// Takes the new site's door files aside, so that they are put in their places last.
pub(super) async fn hold_new(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    swap.files().make_folder(&swap.door()).await?;
    for name in NAMES {
        let step = format!("swap.hold.{name}");
        if swap.begins(&step).await? {
            if !is_kept(swap, Side::New, name).await? {
                let staged = swap.workspace.new_root().child(name);
                if swap.files().stat(&staged).await?.is_some() {
                    swap.files().rename(&staged, &kept(swap, Side::New, name)).await.map_err(refused)?;
                } else {
                    note_absence(swap, Side::New, name).await?;
                }
            }
            swap.ends(&step).await?;
        }
    }
    Ok(())
}

/// Opens the door to the new site.
pub(super) async fn open_new(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    for name in OPENING {
        let step = format!("door.open.{name}");
        if swap.begins(&step).await? {
            put_back(swap, Side::New, name).await?;
            swap.ends(&step).await?;
        }
    }
    Ok(())
}

/// Puts a kept file in the place of its stub; where there was none, the stub is taken out. Done already: nothing happens.
pub(super) async fn put_back(swap: &FileSwap<'_>, side: Side, name: &str) -> Result<(), SliceError> {
    let live = swap.workspace.root().child(name);
    let kept = kept(swap, side, name);
    if swap.files().stat(&kept).await?.is_some() {
        return swap.files().rename(&kept, &live).await.map_err(refused);
    }
    let absent = absent(swap, side, name);
    if swap.files().stat(&absent).await?.is_some() {
        swap.workspace.move_out(&live).await.map_err(refused)?;
        swap.files().remove_file(&absent).await?;
    }
    Ok(())
}

/// Whether a side's file, or the note that it has none, is in the work folder.
pub(super) async fn is_kept(swap: &FileSwap<'_>, side: Side, name: &str) -> Result<bool, SliceError> {
    Ok(swap.files().stat(&kept(swap, side, name)).await?.is_some()
        || swap.files().stat(&absent(swap, side, name)).await?.is_some())
}

/// Keeps a live file under a second name before something takes its place: the very file where the destination can give
/// it another name, else a copy.
async fn keep(swap: &FileSwap<'_>, side: Side, name: &str, live: &DestPath) -> Result<(), SliceError> {
    if is_kept(swap, side, name).await? {
        return Ok(());
    }
    let files = swap.files();
    let kept = kept(swap, side, name);
    let Some(stat) = files.stat(live).await? else { return note_absence(swap, side, name).await };
    match stat.kind {
        StatKind::File | StatKind::Link => {}
        StatKind::Folder | StatKind::Other => {
            return Err(SliceError::failed("destination.swap_refused", format!("{live} is no file")));
        }
    }
    if files.hard_link(live, &kept).await.map_err(refused)? {
        return Ok(());
    }
    let contents = read_whole(files, live, COPY_MAX).await?.unwrap_or_default();
    let copy = swap.door().child(format!("copy-{name}"));
    files.write_file(&copy, contents, Meta { mode: stat.mode, mtime: stat.mtime }).await?;
    files.rename(&copy, &kept).await.map_err(refused)
}

async fn note_absence(swap: &FileSwap<'_>, side: Side, name: &str) -> Result<(), SliceError> {
    let meta = Meta { mode: 0o644, mtime: 0 };
    Ok(swap.files().write_file(&absent(swap, side, name), Bytes::new(), meta).await?)
}

fn kept(swap: &FileSwap<'_>, side: Side, name: &str) -> DestPath {
    swap.door().child(format!("{}-{name}", side.name()))
}

fn absent(swap: &FileSwap<'_>, side: Side, name: &str) -> DestPath {
    swap.door().child(format!("no-{}-{name}", side.name()))
}

/// Stubs carry the present time: an opcache that compares times must see them come and go.
async fn write_stub(swap: &FileSwap<'_>, path: &DestPath, name: &str) -> Result<(), SliceError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mtime = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0));
    let contents = if name == ".maintenance" { MAINTENANCE } else { CLOSED };
    Ok(swap.files().write_file(path, Bytes::from_static(contents), Meta { mode: 0o644, mtime }).await?)
}

/// WordPress ignores a time older than ten minutes, so the file gives the time at which it is read.
const MAINTENANCE: &[u8] = b"<?php\n$upgrading = time();\n";

const CLOSED: &[u8] = b"<?php
// This site is moving and will be back in a moment.
if ( ! headers_sent() ) {
\thttp_response_code( 503 );
\theader( 'Retry-After: 30' );
\theader( 'Cache-Control: no-store' );
\theader( 'Content-Type: text/html; charset=utf-8' );
\theader( 'X-Landfall-Door: closed' );
}
echo '<!DOCTYPE html><meta charset=\"utf-8\"><title>One moment</title><p>This site is moving and will be back in a moment.</p>';
exit;
";
