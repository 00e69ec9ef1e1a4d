//! Step `files`: copies the contents of files, small ones in packs, large ones in chunks.

use std::collections::{HashMap, HashSet};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;

use super::copy::{Copy, Unread};
use super::plan::{Piece, Plan, Work};
use super::port::failed;
use super::{large, step_event};
use crate::failpoint::failpoint;
use crate::model::{EntryKind, FileEntry, SitePath};
use crate::slice::SliceError;
use crate::snapshot_format::{Pack, PackWriter, Record, SnapshotError, blocking, inventory_parts};
use crate::source::{FileEvent, FileProblem, FileRequest};

const STEP: &str = "files";
/// Packs that are read at the same time.
const SIDE_BY_SIDE: usize = 3;
/// Contents are in memory as they were read and as a pack, then as a pack and encrypted.
const TIMES_IN_MEMORY: u64 = 2;
/// A file that was listed as small and grew beyond this is not held in memory.
const GROWN_MAX: u64 = 16 * 1024 * 1024;

/// A pack that was read and stored, and does not count yet.
struct StoredBatch {
    record: Option<Record>,
    files: u64,
    file_bytes: u64,
    folders: u64,
    links: u64,
    unread: Vec<Unread>,
    next: (usize, usize),
}

/// A file's contents as they were read.
struct Contents {
    bytes: Bytes,
    mtime: i64,
    mode: u32,
}

pub(super) async fn run(copy: &Copy) -> Result<(), SliceError> {
    copy.checkpoint().await?;
    let cursor = copy.cursor().await;
    if cursor.files.is_done || !cursor.inventory.is_done || copy.slice.should_end() {
        return Ok(());
    }
    if cursor.files.part == 0 && cursor.files.line == 0 && cursor.files.large.is_none() {
        let message = format!("Copying {} files, folders and links.", cursor.inventory.entries);
        copy.slice.tell(step_event(STEP, message, serde_json::json!({}))).await?;
    }
    let parts = match &cursor.ledger {
        Some(head) => inventory_parts(copy.slice.staging.as_ref(), head).await?,
        None => Vec::new(),
    };
    let mut plan = Plan::new(parts, &cursor.files);
    if !copy_all(copy, &mut plan).await? {
        return Ok(());
    }
    copy.commit(Vec::new(), Vec::new(), STEP, |cursor| cursor.files.is_done = true).await?;
    copy.checkpoint().await?;
    let totals = copy.cursor().await.totals;
    let message = format!(
        "Copied {} files of {} MB; {} could not be read.",
        totals.files,
        totals.file_bytes / 1_000_000,
        totals.unread
    );
    let facts = serde_json::json!({
        "files": totals.files, "file_bytes": totals.file_bytes, "folders": totals.folders,
        "links": totals.links, "unread": totals.unread,
    });
    copy.slice.tell(step_event(STEP, message, facts)).await
}

/// Copies until the end of the plan (true) or until the slice should end (false). Packs are read side by side and
/// committed in their order; a large file waits until those before it are committed.
async fn copy_all(copy: &Copy, plan: &mut Plan) -> Result<bool, SliceError> {
    let mut reading: FuturesOrdered<BoxFuture<'_, Result<StoredBatch, SliceError>>> = FuturesOrdered::new();
    let mut waiting: Option<(FileEntry, (usize, usize))> = None;
    let mut is_planned = false;
    loop {
        while reading.len() < SIDE_BY_SIDE && waiting.is_none() && !is_planned && !copy.slice.should_end() {
            match plan.next(copy).await? {
                Some(Piece { work: Work::Batch(batch), next }) => {
                    reading.push_back(Box::pin(copy_batch(copy, batch, next)));
                }
                Some(Piece { work: Work::Large(entry), next }) => waiting = Some((entry, next)),
                None => is_planned = true,
            }
        }
        if let Some(batch) = reading.next().await {
            commit_batch(copy, batch?).await?;
        } else if let Some((entry, next)) = waiting.take() {
            if !large::copy_large(copy, entry, next).await? {
                return Ok(false);
            }
        } else {
            return Ok(is_planned);
        }
    }
}

/// Reads a batch and stores it as a pack.
async fn copy_batch(
    copy: &Copy,
    batch: Vec<FileEntry>,
    next: (usize, usize),
) -> Result<StoredBatch, SliceError> {
    let bytes = batch.iter().map(FileEntry::size).sum::<u64>();
    let memory = copy.slice.memory.hold(bytes.saturating_mul(TIMES_IN_MEMORY)).await;
    let (contents, unread) = read_contents(copy, &batch).await?;
    let (mut folders, mut links) = (0, 0);
    for entry in &batch {
        match entry.kind {
            EntryKind::File { .. } => {}
            EntryKind::Folder => folders += 1,
            EntryKind::Link { .. } => links += 1,
        }
    }
    let Pack { tar, index, entries, files, file_bytes } = blocking(move || pack(batch, contents)).await?;
    let mut record = None;
    if entries > 0 {
        let object = copy.writer.put("pack.tar.zst", tar).await?;
        let index = copy.writer.put("pack-index.ndjson.zst", index).await?;
        record = Some(Record::Pack { object, index, entries, files, file_bytes });
    }
    drop(memory);
    Ok(StoredBatch { record, files, file_bytes, folders, links, unread, next })
}

fn pack(batch: Vec<FileEntry>, mut contents: HashMap<SitePath, Contents>) -> Result<Pack, SnapshotError> {
    let mut pack = PackWriter::new()?;
    for mut entry in batch {
        match entry.kind {
            EntryKind::File { .. } => {
                if let Some(read) = contents.remove(&entry.path) {
                    entry.mtime = read.mtime;
                    entry.mode = read.mode;
                    pack.push(&entry, &read.bytes)?;
                }
            }
            EntryKind::Folder | EntryKind::Link { .. } => pack.push(&entry, &[])?,
        }
    }
    pack.finish()
}

/// Reads a batch's files into memory. A file that changes while it is read comes again, whole.
async fn read_contents(
    copy: &Copy,
    batch: &[FileEntry],
) -> Result<(HashMap<SitePath, Contents>, Vec<Unread>), SliceError> {
    let mut grown: HashSet<SitePath> = HashSet::new();
    'again: loop {
        let is_wanted = |e: &&FileEntry| matches!(e.kind, EntryKind::File { .. }) && !grown.contains(&e.path);
        let wanted = batch.iter().filter(is_wanted).map(|entry| FileRequest::whole(entry.path.clone()));
        let wanted: Vec<FileRequest> = wanted.collect();
        let (mut contents, mut unread) = (HashMap::new(), Vec::new());
        if !wanted.is_empty() {
            let mut events = copy.source.read_files(wanted);
            let mut open: Option<(SitePath, BytesMut, i64, u32)> = None;
            while let Some(event) = events.next_event().await.map_err(failed)? {
                match event {
                    FileEvent::Begin { path, size, mtime, mode, .. } => {
                        if size > GROWN_MAX {
                            grown.insert(path);
                            continue 'again;
                        }
                        let room = usize::try_from(size).unwrap_or(0);
                        open = Some((path, BytesMut::with_capacity(room), mtime, mode));
                    }
                    FileEvent::Data(bytes) => {
                        if let Some((_, buffer, ..)) = &mut open {
                            buffer.extend_from_slice(&bytes);
                        }
                    }
                    FileEvent::End => {
                        if let Some((path, buffer, mtime, mode)) = open.take() {
                            contents.insert(path, Contents { bytes: buffer.freeze(), mtime, mode });
                        }
                    }
                    FileEvent::Restarted { .. } => open = None,
                    FileEvent::Problem { path, kind } => {
                        open = None;
                        unread.push(Unread { path, why: why(kind).to_owned() });
                    }
                }
            }
        }
        unread.extend(grown.into_iter().map(|path| Unread { path, why: "grown".to_owned() }));
        return Ok((contents, unread));
    }
}

async fn commit_batch(copy: &Copy, batch: StoredBatch) -> Result<(), SliceError> {
    let StoredBatch { record, files, file_bytes, folders, links, unread, next } = batch;
    failpoint("snapshot.pack").await?;
    copy.commit(record.into_iter().collect(), unread, STEP, |cursor| {
        (cursor.files.part, cursor.files.line) = next;
        cursor.totals.files += files;
        cursor.totals.file_bytes += file_bytes;
        cursor.totals.folders += folders;
        cursor.totals.links += links;
    })
    .await
}

pub(super) fn why(problem: FileProblem) -> &'static str {
    match problem {
        FileProblem::Unreadable => "unreadable",
        FileProblem::Vanished => "vanished",
        FileProblem::Changed => "changed",
        FileProblem::Withheld => "withheld",
        FileProblem::Outside => "outside",
    }
}
