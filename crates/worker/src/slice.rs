//! What a phase sees of the slice that runs it: the migration, its fence, the checkpoint, the budget, and
//! ways to tell how far it is. Everything that a phase saves goes through the lease here, so a worker that
//! lost its lease can save nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::event::Event;
use landfall_common::ports::Staging;
use landfall_common::progress::Progress;
use landfall_common::site::SiteCredentials;
use landfall_common::{AttemptId, Failure, Migration};

use crate::memory::MemoryBudget;

/// The numbers that a destination checks before it lets a writer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The fencing token: higher than that of every earlier claim of this migration.
    pub token: u64,
    /// This attempt, drawn at random.
    pub attempt: AttemptId,
}

/// Why a slice stops in the middle of a step.
#[derive(Debug, thiserror::Error)]
pub enum SliceError {
    /// The step failed; its code decides what happens next.
    #[error("{}: {}", .0.code, .0.detail)]
    Failed(Failure),
    /// The lease is somebody else's, or the migration was changed: stop, save nothing.
    #[error("the lease is lost")]
    LeaseLost,
    /// The store does not answer; the lease decides how long to try.
    #[error("the store does not answer")]
    Store(#[source] landfall_common::ports::StoreError),
}

impl SliceError {
    /// A failure of the catalogue.
    pub fn failed(code: &'static str, detail: impl Into<String>) -> Self {
        SliceError::Failed(Failure::new(code, detail))
    }
}

/// How a phase's run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum PhaseRun {
    /// Budget spent or the worker drains: the next slice goes on from the checkpoint saved last.
    More,
    /// The phase is done; `output` (a small JSON object) is for the phases after it.
    Done {
        /// What the next phases need.
        output: serde_json::Value,
        /// The import's report for its owner, as JSON `{"json": {…}, "text": "…"}`; it is committed with the end
        /// of the slice and served by the API. None from the other phases.
        report: Option<Bytes>,
    },
}

/// A phase, as the worker runs it.
#[async_trait]
pub trait PhaseRunner: Send + Sync {
    /// Runs from `checkpoint` (none: from the beginning) until done or until the budget is spent. The future may be
    /// dropped at any await, when the lease is lost or the process ends; the next run must cope.
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError>;
}

/// How a slice reaches its lease. The worker's loop implements it; tests of phases use `testing::FreeSlice`.
#[async_trait]
pub trait LeaseKeeper: Send + Sync {
    /// Saves a checkpoint under the lease.
    async fn save(&self, checkpoint: Bytes) -> Result<(), SliceError>;

    /// Appends events to the timeline under the lease.
    async fn tell(&self, events: Vec<Event>) -> Result<(), SliceError>;

    /// Publishes progress; at most one a second leaves the process.
    fn progress(&self, progress: Progress);

    /// Whether the slice should end at the next boundary between units: its budget is spent, the worker
    /// drains, or somebody asked to cancel or pause.
    fn should_end(&self) -> bool;

    /// Declares that the unit that begins may take up to `limit` (at most 20 min) without a boundary.
    fn long_unit(&self, limit: Duration);
}

/// One slice as a phase sees it.
#[derive(Clone)]
pub struct Slice {
    /// The migration, as it was claimed.
    pub migration: Arc<Migration>,
    /// The numbers for the destination.
    pub fence: Fence,
    /// The staging storage.
    pub staging: Arc<dyn Staging>,
    /// The destination's secrets, opened.
    pub credentials: Arc<SiteCredentials>,
    /// The source's secret of this migration, 32 bytes; none for a no-op source.
    pub source_secret: Option<Arc<Vec<u8>>>,
    /// The lease.
    pub lease: Arc<dyn LeaseKeeper>,
    /// The memory that all slices of the process share.
    pub memory: MemoryBudget,
}

impl Slice {
    /// Saves a phase's cursor as its checkpoint (JSON, at most 64 KiB).
    pub async fn save<C: serde::Serialize + Sync>(&self, cursor: &C) -> Result<(), SliceError> {
        let bytes =
            serde_json::to_vec(cursor).map_err(|e| SliceError::failed("worker.internal", e.to_string()))?;
        self.lease.save(bytes.into()).await
    }

    /// Reads a phase's cursor back; a checkpoint that this version cannot read is a failure of its own.
    pub fn cursor<C: serde::de::DeserializeOwned + Default>(
        checkpoint: Option<&Bytes>,
    ) -> Result<C, SliceError> {
        match checkpoint {
            None => Ok(C::default()),
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|e| SliceError::failed("worker.incompatible", e.to_string())),
        }
    }

    /// Whether the slice should end at this boundary between units.
    pub fn should_end(&self) -> bool {
        self.lease.should_end()
    }

    /// Publishes progress.
    pub fn progress(&self, progress: Progress) {
        self.lease.progress(progress);
    }

    /// Appends one event to the timeline.
    pub async fn tell(&self, event: Event) -> Result<(), SliceError> {
        self.lease.tell(vec![event]).await
    }
}
