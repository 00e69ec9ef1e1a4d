//! What the steps of a transfer share: the snapshot, the work folder, the cursor, the checkpoints.

use std::time::{Duration, Instant};

use landfall_common::Phase;
use landfall_common::progress::{Count, Progress};

use super::cursor::{Cursor, NotPlaced};
use super::filter::Filter;
use crate::destination::files::{Workspace, remove_tree};
use crate::failpoint::failpoint;
use crate::model::FileEntry;
use crate::slice::{Slice, SliceError};
use crate::snapshot_format::SnapshotReader;

/// A checkpoint is due after so many bytes …
const CHECKPOINT_BYTES: u64 = 8 * 1024 * 1024;
/// … or after so long.
const CHECKPOINT_AGE: Duration = Duration::from_secs(3);
/// Entries that were not placed and are named; further ones are only counted.
const NAMED_MAX: usize = 200;
/// Characters of such a name.
const NAME_CHARS: usize = 120;
/// Windows that are kept apart; the last two are joined where there are more.
const WINDOWS_MAX: usize = 64;

/// A transfer under way.
pub(super) struct Area {
    pub slice: Slice,
    pub snapshot: SnapshotReader,
    pub workspace: Workspace,
    pub cursor: Cursor,
    pub filter: Filter,
    /// Whether another claim staged something before this one.
    pub is_resumed: bool,
    bytes_since: u64,
    saved_at: Instant,
    started: Instant,
    bytes_before: u64,
    is_changed: bool,
}

impl Area {
    pub(super) fn new(slice: Slice, snapshot: SnapshotReader, workspace: Workspace, cursor: Cursor) -> Self {
        let source = &snapshot.manifest().source;
        let place = |name: &str| source.paths.get(name).map(String::as_str);
        let filter = match &cursor.ground {
            Some(ground) => Filter::new(
                place("content").unwrap_or("wp-content"),
                place("root").unwrap_or_default(),
                &ground.probe,
            ),
            None => unreachable!("a transfer has its ground before its area"),
        };
        let bytes_before = cursor.totals.file_bytes;
        Self {
            slice,
            snapshot,
            workspace,
            cursor,
            filter,
            is_resumed: true,
            bytes_since: 0,
            saved_at: Instant::now(),
            started: Instant::now(),
            bytes_before,
            is_changed: false,
        }
    }

    /// Makes the folder of the site to come; what an earlier generation staged is removed. A slice that goes on opens a
    /// window: the claim before it may have written behind the checkpoint.
    pub(super) async fn begin(&mut self) -> Result<(), SliceError> {
        let new = self.workspace.new_root();
        if !self.cursor.has_begun {
            remove_tree(self.workspace.files(), &new).await?;
            self.workspace.files().make_folder(&new).await?;
            self.cursor.has_begun = true;
            self.is_resumed = false;
            self.slice.save(&self.cursor).await?;
        } else if self.workspace.files().stat(&new).await?.is_none() {
            let why = "the staged files are gone: somebody removed the work folder";
            return Err(SliceError::failed("destination.changed_underfoot", why));
        }
        Ok(())
    }

    /// Notes that the positions of a range may have been written to by an earlier claim.
    pub(super) fn add_window(&mut self, from: u64, to: u64) {
        let windows = &mut self.cursor.windows;
        match windows.last_mut() {
            Some(last) if last.1 >= from || WINDOWS_MAX <= 1 => last.1 = last.1.max(to),
            Some(_) | None => windows.push((from, to)),
        }
        if windows.len() > WINDOWS_MAX {
            let last = windows.pop().map_or(to, |window| window.1);
            if let Some(before) = windows.last_mut() {
                before.1 = last;
            }
        }
    }

    /// Notes an entry that is not placed.
    pub(super) fn not_placed(&mut self, entry: &FileEntry, why: &str) {
        self.cursor.totals.not_placed += 1;
        if self.cursor.not_placed.len() < NAMED_MAX {
            let path = entry.path.display().chars().take(NAME_CHARS).collect();
            self.cursor.not_placed.push(NotPlaced { path, why: why.to_owned() });
        }
    }

    /// After the cursor moved by work of so many bytes: saves a checkpoint if one is due.
    pub(super) async fn moved(&mut self, step: &'static str, bytes: u64) -> Result<(), SliceError> {
        self.bytes_since += bytes;
        self.is_changed = true;
        self.tell_progress(step);
        if self.bytes_since >= CHECKPOINT_BYTES || self.saved_at.elapsed() >= CHECKPOINT_AGE {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Saves a checkpoint if anything moved since the last one.
    pub(super) async fn checkpoint(&mut self) -> Result<(), SliceError> {
        if !self.is_changed {
            return Ok(());
        }
        failpoint("transfer.before_checkpoint").await?;
        self.slice.save(&self.cursor).await?;
        self.bytes_since = 0;
        self.saved_at = Instant::now();
        self.is_changed = false;
        failpoint("transfer.after_checkpoint").await
    }

    fn tell_progress(&self, step: &'static str) {
        let (done, all) = (&self.cursor.totals, &self.snapshot.manifest().totals);
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = (done.file_bytes - self.bytes_before).saturating_mul(1000) / elapsed;
        let mut progress = Progress::at(Phase::Transfer, step);
        let files_done = done.files + done.folders + done.links;
        progress.files = Count { done: files_done, total: Some(all.files + all.folders + all.links) };
        progress.bytes = Count { done: done.file_bytes, total: Some(all.file_bytes) };
        progress.bytes_per_second = rate;
        progress.eta_s = all.file_bytes.saturating_sub(done.file_bytes).checked_div(rate);
        self.slice.progress(progress);
    }
}
