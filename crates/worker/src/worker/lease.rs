//! A held lease: heartbeats, checkpoints and progress go through it, and its loss stops the slice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::event::Event;
use landfall_common::migration::{Command, Migration};
use landfall_common::ports::Commit;
use landfall_common::progress::Progress;
use landfall_common::records::{ApplyError, RecordError, Records, append_event};
use landfall_common::{AttemptId, Failure, MigrationId};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::WorkerOptions;
use crate::slice::{LeaseKeeper, SliceError};

/// How long an ephemeral progress value outlives its last write.
const PROGRESS_KEPT: Duration = Duration::from_secs(120);
/// No unit may take longer than this without a boundary.
const LONG_UNIT_MAX: Duration = Duration::from_secs(20 * 60);

pub(super) struct HeldLease {
    records: Records,
    migration: MigrationId,
    attempt: AttemptId,
    ends_at: Mutex<Instant>,
    renewed_at: Mutex<Instant>,
    should_end: AtomicBool,
    lost: CancellationToken,
    released: CancellationToken,
    progress: watch::Sender<Option<Progress>>,
}

impl HeldLease {
    /// Holds a lease that was asked for at `asked`, and starts its heartbeat.
    pub(super) fn hold(
        records: Records,
        migration: &Migration,
        attempt: AttemptId,
        asked: Instant,
        options: &WorkerOptions,
    ) -> Arc<Self> {
        let (progress, published) = watch::channel(None);
        let held = Arc::new(Self {
            records,
            migration: migration.id,
            attempt,
            ends_at: Mutex::new(asked + options.slice_budget),
            renewed_at: Mutex::new(asked),
            should_end: AtomicBool::new(false),
            lost: CancellationToken::new(),
            released: CancellationToken::new(),
            progress,
        });
        tokio::spawn(held.clone().beat(options.heartbeat));
        tokio::spawn(held.clone().watch(options.give_up));
        tokio::spawn(held.clone().publish(published));
        held
    }

    /// Waits until the lease is lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Ends the heartbeat.
    pub(super) fn release(&self) {
        self.released.cancel();
    }

    /// Asks the phase to end at its next boundary.
    pub(super) fn end_soon(&self) {
        self.should_end.store(true, Ordering::Relaxed);
    }

    async fn beat(self: Arc<Self>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                biased;
                () = self.released.cancelled() => return,
                () = self.lost.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) =
                self.through_lease(Command::Heartbeat { attempt: self.attempt }, Vec::new()).await
            {
                tracing::warn!(%error, "a heartbeat failed");
            }
        }
    }

    /// Declares the lease lost when it was not renewed for too long, by this process's own monotonic clock: before
    /// the store does, so that nobody else can hold it yet.
    async fn watch(self: Arc<Self>, give_up: Duration) {
        loop {
            let deadline = *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner) + give_up;
            if Instant::now() >= deadline {
                self.lost.cancel();
            }
            tokio::select! {
                biased;
                () = self.released.cancelled() => return,
                () = self.lost.cancelled() => return,
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    async fn publish(self: Arc<Self>, mut published: watch::Receiver<Option<Progress>>) {
        let key = format!("progress/{}", self.migration);
        loop {
            tokio::select! {
                biased;
                () = self.released.cancelled() => return,
                () = self.lost.cancelled() => return,
                changed = published.changed() => if changed.is_err() { return },
            }
            let latest = published.borrow_and_update().clone();
            if let Some(body) = latest.and_then(|progress| serde_json::to_vec(&progress).ok())
                && let Err(error) = self.records.store().put_ephemeral(&key, body.into(), PROGRESS_KEPT).await
            {
                tracing::debug!(%error, "progress was not published");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Applies a command of this attempt; success renews the lease from the moment it was asked.
    async fn through_lease(&self, command: Command, events: Vec<Event>) -> Result<(), SliceError> {
        if self.is_lost() {
            return Err(SliceError::LeaseLost);
        }
        let asked = Instant::now();
        let amend = |_: &_, commit: &mut Commit| {
            for event in &events {
                append_event(commit, self.migration, event);
            }
        };
        match self.records.apply(self.migration, command, "", amend).await {
            Ok(applied) => {
                let mut renewed = self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
                *renewed = (*renewed).max(asked);
                if applied.transition.migration.request.is_some() {
                    self.end_soon();
                }
                Ok(())
            }
            Err(ApplyError::Refused(landfall_common::migration::Refusal::CheckpointTooLarge { bytes })) => {
                let detail = format!("a checkpoint of {bytes} bytes");
                Err(SliceError::Failed(Failure::new("worker.checkpoint_too_large", detail)))
            }
            Err(ApplyError::Refused(_) | ApplyError::Missing(_)) => {
                self.lost.cancel();
                Err(SliceError::LeaseLost)
            }
            Err(ApplyError::Conflict { what } | ApplyError::Overtaken { what }) => Err(SliceError::Store(
                landfall_common::ports::StoreError::Unavailable(format!("{what} keeps changing").into()),
            )),
            Err(ApplyError::Record(RecordError::Store(error))) => Err(SliceError::Store(error)),
            Err(ApplyError::Record(error @ RecordError::Unreadable { .. })) => {
                Err(SliceError::failed("worker.incompatible", error.to_string()))
            }
        }
    }
}

#[async_trait]
impl LeaseKeeper for HeldLease {
    async fn save(&self, checkpoint: Bytes) -> Result<(), SliceError> {
        loop {
            let command = Command::SaveCheckpoint { attempt: self.attempt, checkpoint: checkpoint.clone() };
            match self.through_lease(command, Vec::new()).await {
                // An outage shorter than the lease costs nothing but time.
                Err(SliceError::Store(error)) if !self.is_lost() => {
                    tracing::warn!(%error, "a checkpoint could not be saved yet");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                other => return other,
            }
        }
    }

    async fn tell(&self, events: Vec<Event>) -> Result<(), SliceError> {
        self.through_lease(Command::Heartbeat { attempt: self.attempt }, events).await
    }

    fn progress(&self, progress: Progress) {
        self.progress.send_replace(Some(progress));
    }

    fn should_end(&self) -> bool {
        self.should_end.load(Ordering::Relaxed)
            || Instant::now() >= *self.ends_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn long_unit(&self, limit: Duration) {
        let until = Instant::now() + limit.min(LONG_UNIT_MAX);
        let mut ends_at = self.ends_at.lock().unwrap_or_else(PoisonError::into_inner);
        *ends_at = (*ends_at).max(until);
    }
}
