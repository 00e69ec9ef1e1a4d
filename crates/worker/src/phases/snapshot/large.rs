//! Large files: read chunk by chunk, and after a kill from the last checkpointed chunk on.

use bytes::{Bytes, BytesMut};

use super::copy::{Copy, Unread};
use super::cursor::LargeCursor;
use super::files::why;
use super::port::{FileEvents, failed};
use crate::failpoint::failpoint;
use crate::model::FileEntry;
use crate::slice::SliceError;
use crate::snapshot_format::{CHUNK_BYTES, LargeFileHash, Record, compress};
use crate::source::{FileEvent, FileProblem, FileRequest};

const STEP: &str = "files";
/// A chunk is in memory as it was read and compressed, then compressed and encrypted.
const TIMES_IN_MEMORY: u64 = 2;

/// The file as it was when its reading began.
#[derive(Clone)]
struct Reading {
    stamp: String,
    size: u64,
    mtime: i64,
    mode: u32,
    offset: u64,
    hash: LargeFileHash,
}

/// What came next.
enum Next {
    /// The file begins, or goes on at an offset. One that changed begins at 0, whatever was asked for.
    Began(Reading),
    Chunk(Bytes),
    Problem(FileProblem),
}

/// Copies a large file; true when it is done with, false when the slice should end before.
pub(super) async fn copy_large(
    copy: &Copy,
    entry: FileEntry,
    next: (usize, usize),
) -> Result<bool, SliceError> {
    let kept = copy.cursor().await.files.large.filter(|large| large.path == entry.path);
    let request = match &kept {
        Some(large) => FileRequest::rest(entry.path.clone(), large.offset, large.stamp.clone()),
        None => FileRequest::whole(entry.path.clone()),
    };
    let hash = kept.map(|large| large.hash).unwrap_or_default();
    let mut events = copy.source.read_files(vec![request]);
    let mut reading: Option<Reading> = None;
    let mut bytes = BytesMut::new();
    loop {
        let memory = copy.slice.memory.hold(CHUNK_BYTES * TIMES_IN_MEMORY).await;
        match next_chunk(events.as_mut(), reading.as_ref(), &mut bytes).await? {
            Next::Began(mut began) => {
                if began.offset == 0 {
                    forget(copy).await?;
                } else {
                    began.hash = hash.clone();
                }
                reading = Some(began);
            }
            Next::Chunk(chunk) => {
                let Some(reading) = &mut reading else { return Err(out_of_order()) };
                let is_last = reading.offset + chunk.len() as u64 >= reading.size;
                store(copy, &entry, reading, chunk, is_last.then_some(next)).await?;
                drop(memory);
                if is_last {
                    return Ok(true);
                }
                if copy.slice.should_end() {
                    return Ok(false);
                }
            }
            Next::Problem(problem) => {
                drop_file(copy, &entry, problem, next).await?;
                return Ok(true);
            }
        }
    }
}

/// Gathers the next chunk: whole, or the file's end.
async fn next_chunk(
    events: &mut dyn FileEvents,
    reading: Option<&Reading>,
    bytes: &mut BytesMut,
) -> Result<Next, SliceError> {
    let chunk_bytes = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
    let mut is_void = false;
    loop {
        let is_more = reading.is_some_and(|r| r.offset + CHUNK_BYTES < r.size);
        if bytes.len() >= chunk_bytes && is_more && !is_void {
            return Ok(Next::Chunk(bytes.split_to(chunk_bytes).freeze()));
        }
        match events.next_event().await.map_err(failed)? {
            Some(FileEvent::Begin { size, mtime, mode, offset, stamp, .. }) => {
                bytes.clear();
                let hash = LargeFileHash::default();
                return Ok(Next::Began(Reading { stamp, size, mtime, mode, offset, hash }));
            }
            Some(FileEvent::Data(data)) => bytes.extend_from_slice(&data),
            // The file is whole and did not change. What is left is its last chunk, or nothing of an empty file.
            Some(FileEvent::End) if !is_void => return Ok(Next::Chunk(bytes.split().freeze())),
            Some(FileEvent::Restarted { .. }) => {
                bytes.clear();
                is_void = true;
            }
            Some(FileEvent::Problem { kind, .. }) => return Ok(Next::Problem(kind)),
            Some(FileEvent::End) | None => return Err(out_of_order()),
        }
    }
}

/// Stores a chunk and moves behind it; `done` names what comes after the file.
async fn store(
    copy: &Copy,
    entry: &FileEntry,
    reading: &mut Reading,
    chunk: Bytes,
    done: Option<(usize, usize)>,
) -> Result<(), SliceError> {
    let length = chunk.len() as u64;
    if length > 0 {
        let chunk = chunk.clone();
        let mut hash = reading.hash.clone();
        reading.hash = crate::snapshot_format::blocking(move || {
            hash.push(&chunk)
                .map_err(|e| crate::snapshot_format::SnapshotError::Encoder { why: e.to_string() })?;
            Ok(hash)
        })
        .await?;
    }
    let object = copy.writer.put("chunk.zst", compress(chunk).await?).await?;
    failpoint("snapshot.chunk").await?;
    let whole = done.map(|_| reading.hash.finish());
    let record = Record::Chunk {
        object,
        path: entry.path.clone(),
        offset: reading.offset,
        length,
        mtime: reading.mtime,
        mode: reading.mode,
        whole,
    };
    reading.offset += length;
    let large = LargeCursor {
        path: entry.path.clone(),
        offset: reading.offset,
        stamp: reading.stamp.clone(),
        hash: reading.hash.clone(),
    };
    copy.commit(vec![record], Vec::new(), STEP, |cursor| {
        cursor.totals.file_bytes += length;
        if let Some(next) = done {
            (cursor.files.part, cursor.files.line) = next;
            cursor.files.large = None;
            cursor.totals.files += 1;
        } else {
            cursor.files.large = Some(large);
        }
    })
    .await
}

/// The chunks so far do not count: the next one has offset 0, which says so in the ledger.
async fn forget(copy: &Copy) -> Result<(), SliceError> {
    copy.commit(Vec::new(), Vec::new(), STEP, |cursor| {
        if let Some(large) = cursor.files.large.take() {
            cursor.totals.file_bytes -= large.offset;
        }
    })
    .await
}

async fn drop_file(
    copy: &Copy,
    entry: &FileEntry,
    problem: FileProblem,
    next: (usize, usize),
) -> Result<(), SliceError> {
    let unread = vec![Unread { path: entry.path.clone(), why: why(problem).to_owned() }];
    let record = Record::Dropped { path: entry.path.clone() };
    copy.commit(vec![record], unread, STEP, |cursor| {
        (cursor.files.part, cursor.files.line) = next;
        if let Some(large) = cursor.files.large.take() {
            cursor.totals.file_bytes -= large.offset;
        }
    })
    .await
}

fn out_of_order() -> SliceError {
    SliceError::failed("source.protocol", "the source's answer about a large file came out of order")
}
