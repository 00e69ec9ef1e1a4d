//! Step `stage`: writes the files of the snapshot into the folder of the site to come.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::cursor::LargeHash;
use super::place::{file_meta, is_same, make_folders, make_parents, split, write_files};
use super::staging_area::Area;
use super::step_event;
use crate::destination::files::{FilesError, hash_file};
use crate::failpoint::failpoint;
use crate::memory::{MemoryBudget, MemoryHold};
use crate::model::{EntryKind, FileEntry, SitePath};
use crate::slice::SliceError;
use crate::snapshot_format::{
    ContentHash, FileItem, FileItems, LargeFileHash, PackedEntry, SnapshotError, SnapshotReader,
};

const STEP: &str = "stage";
/// A piece is in memory compressed and plain, then plain and on its way.
const TIMES_IN_MEMORY: u64 = 2;
/// Packs in a row without a file that was there already, after which none is expected any more: the claim before had
/// at most the packs of one checkpoint under way.
const FRESH_PACKS: u32 = 4;

/// A piece with its contents.
enum Loaded {
    Pack(Vec<(PackedEntry, Bytes)>),
    Chunk(Chunk, Bytes),
    Dropped(SitePath),
}

struct Chunk {
    path: SitePath,
    offset: u64,
    mtime: i64,
    mode: u32,
    whole: Option<ContentHash>,
}

/// What was loaded, the position behind it, the room that it takes, and what comes next.
type Next = (u64, Loaded, MemoryHold, FileItems);
type Loading = BoxFuture<'static, Result<Option<Next>, SnapshotError>>;

/// True: everything is staged; false: the slice should end.
pub(super) async fn run(area: &mut Area) -> Result<bool, SliceError> {
    if area.cursor.is_staged {
        return Ok(true);
    }
    if area.cursor.staged == 0 {
        let totals = area.snapshot.manifest().totals;
        let message = format!("Staging {} files of {} MB.", totals.files, totals.file_bytes / 1_000_000);
        area.slice.tell(step_event(STEP, message, serde_json::json!({}))).await?;
    }
    // The claim before may have written behind the checkpoint: until none of a few packs is there, look before writing.
    let mut fresh = if area.is_resumed { 0 } else { FRESH_PACKS };
    let from = area.cursor.staged;
    if let Some(large) = &mut area.cursor.large {
        large.is_tainted = true;
    }
    let memory = area.slice.memory.clone();
    let mut loading: Loading = load(area.snapshot.clone(), area.snapshot.files(from), memory.clone()).boxed();
    while let Some((behind, loaded, hold, items)) = loading.await? {
        // The next piece is fetched while this one is written.
        loading = Box::pin(tokio::spawn(load(area.snapshot.clone(), items, memory.clone())).map(flatten));
        let may_exist = fresh < FRESH_PACKS;
        let (bytes, kept) = place(area, loaded, may_exist).await?;
        drop(hold);
        area.cursor.staged = behind;
        if may_exist {
            fresh = if kept { 0 } else { fresh + 1 };
            if kept {
                area.add_window(from, behind);
            }
        }
        area.moved(STEP, bytes).await?;
        if area.slice.should_end() {
            return Ok(false);
        }
    }
    area.cursor.is_staged = true;
    area.moved(STEP, 0).await?;
    area.checkpoint().await?;
    let totals = area.cursor.totals;
    let message = format!(
        "Staged {} files of {} MB; {} entries have no place here.",
        totals.files,
        totals.file_bytes / 1_000_000,
        totals.not_placed
    );
    let facts = serde_json::json!({
        "files": totals.files, "file_bytes": totals.file_bytes, "kept_bytes": totals.kept_bytes,
        "not_placed": totals.not_placed,
    });
    area.slice.tell(step_event(STEP, message, facts)).await?;
    Ok(!area.slice.should_end())
}

fn flatten<T>(joined: Result<Result<T, SnapshotError>, tokio::task::JoinError>) -> Result<T, SnapshotError> {
    joined.unwrap_or_else(|lost| Err(SnapshotError::Encoder { why: lost.to_string() }))
}

async fn load(
    snapshot: SnapshotReader,
    mut items: FileItems,
    memory: MemoryBudget,
) -> Result<Option<Next>, SnapshotError> {
    let Some((behind, item)) = items.next().await? else { return Ok(None) };
    let hold = memory.hold(item.plain_bytes().saturating_mul(TIMES_IN_MEMORY)).await;
    let loaded = match item {
        FileItem::Pack { object, index, .. } => Loaded::Pack(snapshot.pack(&object, &index).await?),
        FileItem::Chunk { object, path, offset, length, mtime, mode, whole } => {
            let bytes = snapshot.chunk(&object, length).await?;
            Loaded::Chunk(Chunk { path, offset, mtime, mode, whole }, bytes)
        }
        FileItem::Dropped { path } => Loaded::Dropped(path),
    };
    Ok(Some((behind, loaded, hold, items)))
}

/// Places a piece: how many bytes it had, and whether any of it was there already.
async fn place(area: &mut Area, loaded: Loaded, may_exist: bool) -> Result<(u64, bool), SliceError> {
    match loaded {
        Loaded::Pack(entries) => place_pack(area, entries, may_exist).await,
        Loaded::Chunk(chunk, bytes) => place_chunk(area, &chunk, bytes).await.map(|bytes| (bytes, false)),
        Loaded::Dropped(path) => {
            let target = area.workspace.staged(&path);
            area.workspace.files().remove_file(&target).await?;
            forget_large(area);
            Ok((0, false))
        }
    }
}

async fn place_pack(
    area: &mut Area,
    entries: Vec<(PackedEntry, Bytes)>,
    may_exist: bool,
) -> Result<(u64, bool), SliceError> {
    let mut wanted = Vec::with_capacity(entries.len());
    for (packed, contents) in entries {
        match area.filter.refusal(&packed.entry) {
            Some(why) => area.not_placed(&packed.entry, why),
            None => wanted.push((packed, contents)),
        }
    }
    let (folders, files) = split(wanted);
    make_folders(&area.workspace, &folders).await?;
    let placed = write_files(&area.workspace, files, may_exist).await?;
    failpoint("transfer.pack_placed").await?;
    let totals = &mut area.cursor.totals;
    totals.folders += folders.len() as u64;
    totals.files += placed.files;
    totals.file_bytes += placed.file_bytes;
    totals.kept_bytes += placed.kept_bytes;
    Ok((placed.file_bytes - placed.kept_bytes, placed.kept_files > 0))
}

async fn place_chunk(area: &mut Area, chunk: &Chunk, bytes: Bytes) -> Result<u64, SliceError> {
    let length = bytes.len() as u64;
    let kind = EntryKind::File { size: length };
    let entry = FileEntry { path: chunk.path.clone(), kind, mtime: chunk.mtime, mode: chunk.mode };
    if let Some(why) = area.filter.refusal(&entry) {
        if chunk.whole.is_some() {
            area.not_placed(&entry, why);
        }
        return Ok(0);
    }
    if chunk.offset == 0 {
        forget_large(area);
        area.cursor.large = Some(LargeHash { hash: LargeFileHash::default(), bytes: 0, is_tainted: false });
    }
    write_chunk(area, chunk, bytes.clone()).await?;
    failpoint("transfer.chunk_sent").await?;
    let Some(large) = &mut area.cursor.large else {
        return Err(SliceError::failed("staging.corrupt", "a large file's first chunk is missing"));
    };
    if length > 0 {
        large.hash.push(&bytes).map_err(|e| SliceError::failed("staging.corrupt", e.to_string()))?;
        large.bytes += length;
    }
    area.cursor.totals.file_bytes += length;
    if let Some(whole) = chunk.whole {
        end_large(area, chunk, &entry, whole).await?;
    }
    Ok(length)
}

async fn write_chunk(area: &Area, chunk: &Chunk, bytes: Bytes) -> Result<(), SliceError> {
    let files = area.workspace.files();
    let target = area.workspace.staged(&chunk.path);
    match files.write_chunk(&target, chunk.offset, bytes.clone()).await {
        Err(FilesError::NotFound { .. }) if chunk.offset == 0 => {
            make_parents(&area.workspace, &chunk.path).await?;
            Ok(files.write_chunk(&target, 0, bytes).await?)
        }
        other => Ok(other?),
    }
}

/// A large file is whole: its hash is checked, and at the destination too where an earlier claim wrote to it as well.
async fn end_large(
    area: &mut Area,
    chunk: &Chunk,
    entry: &FileEntry,
    whole: ContentHash,
) -> Result<(), SliceError> {
    let Some(large) = area.cursor.large.take() else { return Ok(()) };
    if large.hash.finish() != whole {
        let why = format!("the chunks of {} are not the file that was copied", chunk.path.display());
        return Err(SliceError::failed("staging.corrupt", why));
    }
    let target = area.workspace.staged(&chunk.path);
    let files = area.workspace.files();
    if large.is_tainted {
        let size = chunk.offset + entry.size();
        if !is_same(files, &target, size, Some(whole)).await? {
            let (size, hash) = hash_file(files, &target).await?;
            let why =
                format!("{} has {size} bytes of hash {hash}, {whole} was written", chunk.path.display());
            return Err(SliceError::failed("destination.changed_underfoot", why));
        }
    }
    files.set_meta(&target, file_meta(entry)).await?;
    area.cursor.totals.files += 1;
    Ok(())
}

/// A reading that the source made void, or that did not come to its end: its bytes are counted no more.
fn forget_large(area: &mut Area) {
    if let Some(large) = area.cursor.large.take() {
        area.cursor.totals.file_bytes -= large.bytes;
    }
}
