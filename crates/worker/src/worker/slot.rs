//! One slot: ticket, claim, run, end, ack.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use landfall_common::event::{Event, EventKind};
use landfall_common::hold::Scope;
use landfall_common::migration::{Command, Lease, Migration, Refusal, SliceEnd, SliceName, State};
use landfall_common::ports::{
    Commit, Consumer, DocumentKey, DocumentKind, DocumentWrite, Expect, Sealed, StoreError, Write,
};
use landfall_common::records::{ApplyError, RecordError};
use landfall_common::site::{SiteCredentials, SourceSecret, SourceSpec};
use landfall_common::wire::{BadTicket, SliceTicket, Ticket};
use landfall_common::{AttemptId, CaseId, Failure, Phase};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::lease::HeldLease;
use super::{WorkerOptions, WorkerParts};
use crate::slice::{Fence, PhaseRun, Slice, SliceError};

pub(super) struct Slot {
    phase: Phase,
    number: usize,
    parts: Arc<WorkerParts>,
    options: Arc<WorkerOptions>,
    shutdown: CancellationToken,
}

/// What a claimed slice needs from the store besides the migration.
struct Papers {
    checkpoint: Option<Bytes>,
    credentials: SiteCredentials,
    source_secret: Option<Vec<u8>>,
}

impl Slot {
    pub(super) fn new(
        phase: Phase,
        number: usize,
        parts: Arc<WorkerParts>,
        options: Arc<WorkerOptions>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { phase, number, parts, options, shutdown }
    }

    pub(super) async fn run(self, mut consumer: Box<dyn Consumer>) {
        loop {
            let delivery = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                delivery = consumer.next() => delivery,
            };
            match Ticket::decode(delivery.body()) {
                Ok(Ticket::Slice(ticket)) => {
                    let span = tracing::info_span!(
                        "slice",
                        migration.id = %ticket.migration,
                        generation = ticket.generation,
                        phase = %ticket.phase,
                        slice = ticket.slice,
                        slot = self.number,
                    );
                    if self.work(&ticket).instrument(span).await.is_err() {
                        // The store is away. The ticket stays unacked and the slot waits with it: taking the
                        // next one would only fail as well.
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
                // Whatever cannot be read is dropped without loss: the outbox entry stays until a worker that
                // understands it has claimed the slice.
                Ok(Ticket::Case(_)) => tracing::warn!("a case's ticket is in the queue of a phase; dropped"),
                Err(error @ (BadTicket::Malformed(_) | BadTicket::Newer { .. })) => {
                    tracing::warn!(%error, "a message that is no ticket of this version is dropped");
                }
            }
            delivery.ack().await;
        }
    }

    /// Whether somebody holds the phase: what was published before is not started any more. Organizations are held back
    /// by the relay alone.
    async fn is_held(&self) -> Result<bool, StoreError> {
        let keys =
            [Scope::All, Scope::Phase(self.phase)].map(|scope| DocumentKey::new(DocumentKind::Hold, scope));
        let (_, holds) = self.parts.records.store().load(&keys).await?;
        Ok(holds.iter().any(Option::is_some))
    }

    /// Claims and runs the ticket's slice. An error means that the store did not answer.
    async fn work(&self, ticket: &SliceTicket) -> Result<(), StoreError> {
        if ticket.phase != self.phase {
            tracing::warn!("the ticket is in the queue of another phase; dropped");
            return Ok(());
        }
        if self.is_held().await? {
            tracing::info!("the ticket's slice is held; its entry in the outbox brings it again");
            return Ok(());
        }
        let attempt = AttemptId::from_uuid(self.parts.records.draw());
        let asked = Instant::now();
        let slice = SliceName { generation: ticket.generation, phase: ticket.phase, slice: ticket.slice };
        let command = Command::Claim { slice, worker: self.options.id, attempt };
        let applied =
            match self.parts.records.apply(ticket.migration, command, &ticket.traceparent, |_, _| {}).await {
                Ok(applied) => applied,
                Err(ApplyError::Refused(refusal)) => {
                    tracing::debug!(%refusal, "the ticket is stale; dropped");
                    return Ok(());
                }
                Err(ApplyError::Missing(_)) => {
                    tracing::warn!("the ticket names a migration that does not exist; dropped");
                    return Ok(());
                }
                Err(ApplyError::Conflict { .. } | ApplyError::Overtaken { .. }) => return Ok(()),
                Err(ApplyError::Record(RecordError::Store(error))) => return Err(error),
                Err(ApplyError::Record(error @ RecordError::Unreadable { .. })) => {
                    tracing::error!(%error, "the migration cannot be read by this version; left to another");
                    return Ok(());
                }
            };
        let migration = applied.transition.migration;
        let State::Running { lease, .. } = migration.state else {
            return Ok(());
        };
        metrics::counter!("landfall_slices_claimed_total", "phase" => self.phase.as_str()).increment(1);
        self.run_claimed(Arc::new(migration), lease, asked, &ticket.traceparent).await;
        Ok(())
    }

    async fn run_claimed(&self, migration: Arc<Migration>, lease: Lease, asked: Instant, traceparent: &str) {
        let held =
            HeldLease::hold(self.parts.records.clone(), &migration, lease.attempt, asked, &self.options);
        let drain = held.clone();
        let shutdown = self.shutdown.clone();
        let watcher = tokio::spawn(async move {
            shutdown.cancelled().await;
            drain.end_soon();
        });
        let began = Instant::now();
        let outcome = tokio::select! {
            // The loss first: a phase that could go on as well is not polled again.
            biased;
            // Dropping the phase's future is what stops its I/O.
            () = held.lost() => Err(SliceError::LeaseLost),
            outcome = self.run_phase(&migration, lease, &held) => outcome,
        };
        watcher.abort();
        self.end(&migration, lease, &held, outcome, traceparent).await;
        held.release();
        tracing::info!(
            duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "slice ended"
        );
    }

    async fn run_phase(
        &self,
        migration: &Arc<Migration>,
        lease: Lease,
        held: &Arc<HeldLease>,
    ) -> Result<PhaseRun, SliceError> {
        let papers = self.papers(migration).await?;
        let slice = Slice {
            migration: migration.clone(),
            fence: Fence { token: lease.token, attempt: lease.attempt },
            staging: self.parts.staging.clone(),
            credentials: Arc::new(papers.credentials),
            source_secret: papers.source_secret.map(Arc::new),
            lease: held.clone(),
            memory: self.options.memory.clone(),
        };
        let runner = match migration.source {
            SourceSpec::Noop { .. } => Some(&self.parts.noop),
            SourceSpec::Wordpress { .. } => self.parts.phases.get(&self.phase),
        };
        let Some(runner) = runner else {
            return Err(SliceError::failed("worker.incompatible", "this worker has no such phase"));
        };
        let run = AssertUnwindSafe(runner.run(&slice, papers.checkpoint)).catch_unwind().await;
        run.unwrap_or_else(|_| {
            Err(SliceError::failed("worker.internal", "the step panicked; see the worker's log"))
        })
    }

    async fn papers(&self, migration: &Migration) -> Result<Papers, SliceError> {
        let keys = [
            DocumentKey::new(DocumentKind::Checkpoint, migration.id),
            DocumentKey::new(DocumentKind::Secret, migration.site),
            DocumentKey::new(DocumentKind::Secret, migration.id),
        ];
        let (_, documents) = self.parts.records.store().load(&keys).await.map_err(SliceError::Store)?;
        let mut bodies = documents.into_iter().map(|document| document.map(|document| document.body));
        let mut next = || bodies.next().flatten();
        let (checkpoint, site, source) = (next(), next(), next());
        let credentials = match site {
            Some(body) => self.open(&migration.site.to_string(), &body)?,
            None => SiteCredentials::default(),
        };
        let source_secret = match source {
            Some(body) => {
                Some(self.open::<SourceSecret>(&migration.id.to_string(), &body)?.key_bytes().ok_or_else(
                    || SliceError::failed("worker.internal", "the source's secret is not 32 bytes of base64"),
                )?)
            }
            None => None,
        };
        Ok(Papers { checkpoint, credentials, source_secret })
    }

    fn open<T: serde::de::DeserializeOwned>(&self, context: &str, body: &[u8]) -> Result<T, SliceError> {
        let failed = |what: String| SliceError::failed("worker.internal", what);
        let sealed: Sealed =
            serde_json::from_slice(body).map_err(|_| failed("a sealed secret cannot be read".into()))?;
        let plain = self.parts.sealer.open(context, &sealed).map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&plain).map_err(|_| failed("a secret has an unknown form".into()))
    }

    /// Commits the slice's end. Where the lease is lost there is nothing to commit but the news of it.
    async fn end(
        &self,
        migration: &Migration,
        lease: Lease,
        held: &HeldLease,
        outcome: Result<PhaseRun, SliceError>,
        traceparent: &str,
    ) {
        let (end, report) = match outcome {
            Ok(PhaseRun::More) => (SliceEnd::More, None),
            Ok(PhaseRun::Done { output, report }) => (SliceEnd::PhaseDone { output }, report),
            Err(SliceError::Failed(failure)) => (SliceEnd::Failed(failure), None),
            Err(SliceError::Store(error)) => {
                // Without the store nothing can be committed; the lease runs out and the slice runs again.
                tracing::warn!(%error, "the slice stops: the store does not answer");
                return;
            }
            Err(SliceError::LeaseLost) => {
                self.tell_fenced(migration, lease).await;
                return;
            }
        };
        if let SliceEnd::Failed(Failure { code, detail, .. }) = &end {
            tracing::warn!(%code, detail, "the slice failed");
            metrics::counter!("landfall_slices_failed_total", "code" => code.to_string()).increment(1);
        }
        let case = CaseId::from_uuid(self.parts.records.draw());
        let command = Command::EndSlice { attempt: lease.attempt, end, checkpoint: None, case };
        let amend = |_: &_, commit: &mut Commit| {
            if let Some(report) = &report {
                commit.documents.push(DocumentWrite {
                    key: DocumentKey::new(DocumentKind::Report, migration.id),
                    expect: Expect::Any,
                    write: Write::Put(report.clone()),
                    expires_in: None,
                });
            }
        };
        while !held.is_lost() {
            match self.parts.records.apply(migration.id, command.clone(), traceparent, amend).await {
                Ok(_) => return,
                Err(ApplyError::Refused(Refusal::Stale { .. } | Refusal::NotNow { .. })) => {
                    self.tell_fenced(migration, lease).await;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the slice's end could not be committed yet");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
        // A step that fails because another worker took its destination over finds its lease gone as well.
        self.tell_fenced(migration, lease).await;
    }

    /// A line in the timeline for a worker that found its lease gone. Best effort: the lease's expiry is there already.
    async fn tell_fenced(&self, migration: &Migration, lease: Lease) {
        metrics::counter!("landfall_leases_lost_total", "phase" => self.phase.as_str()).increment(1);
        tracing::warn!(token = lease.token, "the lease is lost; nothing more is written");
        let event =
            Event::new(EventKind::Fenced, format!("A worker of {} stopped: its lease is gone", self.phase))
                .with(serde_json::json!({ "token": lease.token, "worker": lease.worker }))
                .by("worker");
        if let Err(error) = self.parts.records.tell(migration.id, &event).await {
            tracing::warn!(%error, "the loss of the lease could not be told");
        }
    }
}
