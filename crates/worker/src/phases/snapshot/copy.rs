//! What the lanes of a copy share: the ledger, the cursor, the checkpoints and the progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_common::Phase;
use landfall_common::progress::{Count, Progress};
use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};

use super::cursor::{Cursor, Ground};
use super::port::SourceSite;
use crate::failpoint::failpoint;
use crate::model::SitePath;
use crate::slice::{Slice, SliceError};
use crate::snapshot_format::{Ledger, ListingWriter, ObjectRef, Record, SnapshotWriter};

/// A checkpoint is due after so many bytes of files and rows …
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
/// … or after so long: with what is under way, a kill costs at most 32 MiB or 10 s of work. What is under way are some
/// 16 MiB of files, 4 MiB of rows, and what the sockets hold.
const CHECKPOINT_AGE: Duration = Duration::from_secs(3);
/// What could not be read is kept in memory until a checkpoint or until there is so much of it.
const UNREAD_MAX: usize = 1000;

/// A copy under way.
pub(super) struct Copy {
    pub slice: Slice,
    pub source: Arc<dyn SourceSite>,
    pub writer: SnapshotWriter,
    state: Mutex<State>,
    seen: Meter,
}

/// What a checkpoint is made of.
pub(super) struct State {
    pub cursor: Cursor,
    ledger: Ledger,
    unread: Vec<Unread>,
    bytes_since: u64,
    saved_at: Instant,
    is_changed: bool,
}

/// Something that could not be read.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Unread {
    pub path: SitePath,
    /// `unreadable`, `vanished`, `changed`, `withheld`, `outside`, `special`, `too_deep`, `bad_name`, `grown`.
    pub why: String,
}

impl Copy {
    pub(super) async fn resume(
        slice: Slice,
        source: Arc<dyn SourceSite>,
        cursor: Cursor,
    ) -> Result<Self, SliceError> {
        let ledger = Ledger::resume(slice.staging.as_ref(), cursor.ledger.clone()).await?;
        let migration = &slice.migration;
        let writer = SnapshotWriter::new(
            Arc::clone(&slice.staging),
            migration.id,
            migration.generation,
            slice.fence.attempt,
            cursor.next_object,
        );
        let seen = Meter::new(cursor.totals.file_bytes + cursor.totals.row_bytes);
        let state = State {
            cursor,
            ledger,
            unread: Vec::new(),
            bytes_since: 0,
            saved_at: Instant::now(),
            is_changed: false,
        };
        Ok(Self { slice, source, writer, state: Mutex::new(state), seen })
    }

    /// The cursor as it is now.
    pub(super) async fn cursor(&self) -> Cursor {
        self.state.lock().await.cursor.clone()
    }

    /// What preflight left; there once preflight ran.
    pub(super) async fn ground(&self) -> Result<Ground, SliceError> {
        let ground = self.state.lock().await.cursor.ground.clone();
        ground.ok_or_else(|| SliceError::failed("worker.internal", "the copy began before its preflight"))
    }

    pub(super) async fn is_copied(&self) -> bool {
        let cursor = &self.state.lock().await.cursor;
        cursor.database.is_done && cursor.inventory.is_done && cursor.files.is_done
    }

    /// Notes objects in the ledger and moves the cursor, in one go; saves a checkpoint if one is due.
    pub(super) async fn commit(
        &self,
        records: Vec<Record>,
        unread: Vec<Unread>,
        step: &'static str,
        advance: impl FnOnce(&mut Cursor),
    ) -> Result<(), SliceError> {
        let mut state = self.state.lock().await;
        for record in records {
            // Not the objects' bytes: rows shrink to a tenth, and it is the reading that a kill would repeat.
            state.bytes_since += record.plain_bytes();
            state.cursor.totals.object_bytes += record.object_bytes();
            state.ledger.push(record);
        }
        state.cursor.totals.unread += unread.len() as u64;
        state.unread.extend(unread);
        advance(&mut state.cursor);
        state.is_changed = true;
        self.tell_progress(&state.cursor, step);
        let is_due = state.bytes_since >= CHECKPOINT_BYTES
            || state.saved_at.elapsed() >= CHECKPOINT_AGE
            || state.unread.len() >= UNREAD_MAX;
        if is_due { self.save(state).await } else { Ok(()) }
    }

    /// Saves a checkpoint if anything moved since the last one.
    pub(super) async fn checkpoint(&self) -> Result<(), SliceError> {
        let state = self.state.lock().await;
        if state.is_changed { self.save(state).await } else { Ok(()) }
    }

    async fn save(&self, mut state: MutexGuard<'_, State>) -> Result<(), SliceError> {
        failpoint("snapshot.before_checkpoint").await?;
        if !state.unread.is_empty() {
            let unread = std::mem::take(&mut state.unread);
            let record = self.unread_record(&unread).await?;
            state.cursor.totals.object_bytes += record.object_bytes();
            state.ledger.push(record);
        }
        state.cursor.ledger = self.writer.flush(&mut state.ledger).await?;
        state.cursor.next_object = self.writer.next_number();
        self.slice.save(&state.cursor).await?;
        state.bytes_since = 0;
        state.saved_at = Instant::now();
        state.is_changed = false;
        failpoint("snapshot.after_checkpoint").await
    }

    async fn unread_record(&self, unread: &[Unread]) -> Result<Record, SliceError> {
        let mut listing = ListingWriter::new()?;
        for entry in unread {
            listing.push(entry)?;
        }
        let (bytes, entries) = listing.finish()?;
        let object = self.writer.put("unread.ndjson.zst", bytes).await?;
        Ok(Record::Unread { object, entries })
    }

    fn tell_progress(&self, cursor: &Cursor, step: &'static str) {
        let totals = &cursor.totals;
        let Some(ground) = &cursor.ground else { return };
        let listed = &cursor.inventory;
        let (files_total, bytes_total) = if listed.is_done {
            (listed.entries, listed.file_bytes)
        } else {
            (ground.files_expected.max(listed.entries), ground.file_bytes_expected.max(listed.file_bytes))
        };
        let rows_left =
            if cursor.database.is_done { totals.rows } else { ground.rows_expected.max(totals.rows) };
        let row_bytes = if cursor.database.is_done {
            totals.row_bytes
        } else {
            ground.row_bytes_expected.max(totals.row_bytes)
        };
        let done = totals.file_bytes + totals.row_bytes;
        let total = (bytes_total + row_bytes).max(done);
        let files_done = totals.files + totals.folders + totals.links;
        let rate = self.seen.rate(done);
        let mut progress = Progress::at(Phase::Snapshot, step);
        progress.files = Count { done: files_done, total: Some(files_total.max(files_done)) };
        progress.bytes = Count { done, total: Some(total) };
        progress.rows = Count { done: totals.rows, total: Some(rows_left) };
        progress.bytes_per_second = rate;
        progress.eta_s = (total - done).checked_div(rate);
        self.slice.progress(progress);
    }
}

impl Record {
    /// Bytes of the objects that a record names.
    pub(super) fn object_bytes(&self) -> u64 {
        self.objects().iter().map(|object: &&ObjectRef| object.bytes).sum()
    }

    /// Bytes of the files and rows in it.
    fn plain_bytes(&self) -> u64 {
        match self {
            Record::Pack { file_bytes, .. } => *file_bytes,
            Record::Chunk { length, .. } => *length,
            Record::Rows { row_bytes, .. } => *row_bytes,
            Record::Inventory { .. }
            | Record::Dropped { .. }
            | Record::Table { .. }
            | Record::Unread { .. }
            | Record::LeftOut { .. } => 0,
        }
    }
}

/// Measures a rate since the slice began: smooth, and right within seconds.
struct Meter {
    started: Instant,
    before: AtomicU64,
}

impl Meter {
    fn new(done: u64) -> Self {
        Self { started: Instant::now(), before: AtomicU64::new(done) }
    }

    fn rate(&self, done: u64) -> u64 {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        done.saturating_sub(self.before.load(Ordering::Relaxed)).saturating_mul(1000) / elapsed
    }
}
