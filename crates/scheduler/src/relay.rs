//! The relay: due outbox entries to the queues, with admission and confirms.
//!
//! An entry is claimed by moving its due time, never by popping it: whatever happens to the message, the entry is
//! due again later, until its consumer's commit removes it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use landfall_common::migration::Priority;
use landfall_common::ports::{
    Commit, CommitError, DueQuery, IndexWrite, OutboxEntry, OutboxWrite, Score, StoreError,
};
use landfall_common::records::{CaseDue, RecordError, SliceDue, lane};
use landfall_common::wire::{QueueName, Ticket};
use landfall_common::{OrganizationId, Phase, StoreTime};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admitted, Candidate, Present, admit, window};
use crate::rules::Rules;
use crate::walk::Walk;
use crate::{SchedulerOptions, SchedulerParts};

/// Organizations looked at in one round.
const TENANTS_MAX: usize = 200;
/// Entries of one organization looked at in one round.
const PER_TENANT_MAX: usize = 20;
/// So many times that many are looked at before the walk begins again.
const DEPTH_MAX: usize = 100;
/// Publishes under way at once.
const PUBLISHES_MAX: usize = 64;
/// A message that was published and not claimed is published again after this long, then twice as long each time.
const HIDE_FIRST: Duration = Duration::from_secs(30);
/// It is never hidden for longer.
const HIDE_MAX: Duration = Duration::from_secs(900);
/// What the broker did not take is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Relays the slices of one phase.
pub(crate) struct SliceRelay {
    parts: SchedulerParts,
    options: Arc<SchedulerOptions>,
    phase: Phase,
    rules: Rules,
    walk: Walk,
}

impl SliceRelay {
    pub(crate) fn new(parts: SchedulerParts, options: Arc<SchedulerOptions>, phase: Phase) -> Self {
        Self {
            parts,
            options,
            phase,
            rules: Rules::default(),
            walk: Walk::new(TENANTS_MAX, PER_TENANT_MAX, DEPTH_MAX),
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let published = match self.round().await {
                Ok(published) => published,
                Err(error) => {
                    tracing::warn!(phase = %self.phase, %error, "the relay waits for the store");
                    tokio::time::sleep(RETRY).await;
                    0
                }
            };
            if !rest(published, self.options.rest, &shutdown).await {
                return;
            }
        }
    }

    /// One look at what is due. Returns how many slices were published.
    async fn round(&mut self) -> Result<usize, RecordError> {
        let (skip_tenants, skip_entries) = self.walk.next();
        let (now, candidates) = self.due(skip_tenants, skip_entries).await?;
        let organizations: HashSet<OrganizationId> =
            candidates.iter().map(|candidate| candidate.organization).collect();
        if candidates.is_empty() || self.rules.is_held(&self.parts.records, self.phase).await? {
            self.walk.saw(organizations.len(), !candidates.is_empty());
            return Ok(0);
        }
        let shares = self.rules.shares(&self.parts.records, &organizations).await?;
        let counts = self.counts(&candidates).await?;
        let window = window(self.options.slots_max.get(&self.phase).copied().unwrap_or(0));
        let present = Present { window, caps: &self.options.caps, shares: &shares, counts };
        let Admitted { candidates, some_stay } = admit(candidates, self.phase, present);
        self.walk.saw(organizations.len(), some_stay);
        metrics::histogram!("landfall_relay_admitted", "phase" => self.phase.as_str())
            .record(u32::try_from(candidates.len()).unwrap_or(u32::MAX));
        let outcomes: Vec<bool> = futures::stream::iter(candidates)
            .map(|candidate| self.publish(candidate, now))
            .buffer_unordered(PUBLISHES_MAX)
            .collect()
            .await;
        Ok(outcomes.into_iter().filter(|published| *published).count())
    }

    /// What is due, of each organization the highest priority first.
    async fn due(
        &self,
        skip_tenants: usize,
        skip_entries: usize,
    ) -> Result<(StoreTime, Vec<Candidate>), StoreError> {
        let mut candidates = Vec::new();
        let mut latest = StoreTime::default();
        for priority in Priority::ALL {
            let query = DueQuery {
                lane: lane::slices(self.phase, priority),
                tenants: TENANTS_MAX,
                per_tenant: PER_TENANT_MAX,
                skip_tenants,
                skip_entries,
                epoch: self.parts.queue.epoch(),
            };
            let (now, entries) = self.parts.records.store().due(&query).await?;
            latest = latest.max(now);
            candidates.extend(entries.into_iter().filter_map(read));
        }
        Ok((latest, candidates))
    }

    async fn counts(&self, candidates: &[Candidate]) -> Result<HashMap<String, u64>, StoreError> {
        let names: HashSet<String> = candidates.iter().flat_map(Candidate::in_flight).collect();
        let names: Vec<String> = names.into_iter().collect();
        let counts = self.parts.records.store().count(&names).await?;
        Ok(names.into_iter().zip(counts).collect())
    }

    async fn publish(&self, candidate: Candidate, now: StoreTime) -> bool {
        let in_flight = candidate.in_flight();
        let migration = candidate.due.ticket.migration;
        let index = in_flight.into_iter().map(|index| IndexWrite::Set {
            index,
            member: migration.to_string(),
            score: Score::InFromNow(Duration::ZERO),
        });
        let lag = now.since(candidate.entry.due);
        metrics::histogram!("landfall_due_lag_seconds", "phase" => self.phase.as_str())
            .record(lag.as_secs_f64());
        let ticket = Ticket::Slice(candidate.due.ticket.clone());
        publish(&self.parts, &candidate.entry, QueueName::Phase(self.phase), &ticket, index.collect()).await
    }
}

/// Relays cases to the support desk: few, so without admission.
pub(crate) async fn relay_cases(
    parts: SchedulerParts,
    options: Arc<SchedulerOptions>,
    shutdown: CancellationToken,
) {
    loop {
        let published = match cases_round(&parts).await {
            Ok(published) => published,
            Err(error) => {
                tracing::warn!(%error, "the relay of cases waits for the store");
                tokio::time::sleep(RETRY).await;
                0
            }
        };
        if !rest(published, options.rest, &shutdown).await {
            return;
        }
    }
}

async fn cases_round(parts: &SchedulerParts) -> Result<usize, StoreError> {
    let query = DueQuery {
        lane: lane::CASES.to_owned(),
        tenants: TENANTS_MAX,
        per_tenant: PER_TENANT_MAX,
        skip_tenants: 0,
        skip_entries: 0,
        epoch: parts.queue.epoch(),
    };
    let (_, entries) = parts.records.store().due(&query).await?;
    let mut published = 0;
    for entry in entries {
        let Ok(due) = serde_json::from_slice::<CaseDue>(&entry.body) else {
            tracing::error!(
                outbox.id = entry.id,
                "an outbox entry of a case cannot be read; left for a newer version"
            );
            continue;
        };
        if publish(parts, &entry, QueueName::Support, &Ticket::Case(due.ticket), Vec::new()).await {
            published += 1;
        }
    }
    Ok(published)
}

/// Claims the entry, publishes, and on failure lets it be due again soon.
async fn publish(
    parts: &SchedulerParts,
    entry: &OutboxEntry,
    queue: QueueName,
    ticket: &Ticket,
    index: Vec<IndexWrite>,
) -> bool {
    let hide = HIDE_FIRST.saturating_mul(1 << entry.claims.min(10)).min(HIDE_MAX);
    let due = match claim(parts, &entry.id, entry.due, hide, index).await {
        Ok(due) => due,
        Err(CommitError::Conflict { .. }) => return false,
        Err(CommitError::Store(error)) => {
            tracing::warn!(%error, "an outbox entry could not be claimed");
            return false;
        }
    };
    let outcome = parts.queue.publish(queue, &ticket.encode()).await;
    let result = if outcome.is_ok() { "confirmed" } else { "failed" };
    metrics::counter!("landfall_published_total", "queue" => queue.as_str(), "result" => result).increment(1);
    match outcome {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, queue = queue.as_str(), "a ticket was not confirmed; tried again soon");
            if let Err(CommitError::Store(error)) = claim(parts, &entry.id, due, RETRY, Vec::new()).await {
                tracing::warn!(%error, "the entry stays hidden for its full time");
            }
            false
        }
    }
}

/// Moves an entry's due time, and returns the new one.
pub(crate) async fn claim(
    parts: &SchedulerParts,
    id: &str,
    due: StoreTime,
    hide: Duration,
    index: Vec<IndexWrite>,
) -> Result<StoreTime, CommitError> {
    let mut commit = Commit::new(parts.records.request());
    commit.outbox.push(OutboxWrite::Claim { id: id.to_owned(), due, hide, epoch: parts.queue.epoch() });
    commit.index = index;
    let committed = parts.records.commit(&commit).await?;
    Ok(committed.at.plus(hide))
}

/// Rests when there was nothing to do. False when the scheduler stops.
pub(crate) async fn rest(done: usize, rest: Duration, shutdown: &CancellationToken) -> bool {
    if done > 0 {
        return !shutdown.is_cancelled();
    }
    tokio::select! {
        biased;
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(rest) => true,
    }
}

fn read(entry: OutboxEntry) -> Option<Candidate> {
    let due: Option<SliceDue> = serde_json::from_slice(&entry.body).ok();
    let organization = entry.tenant.parse().ok();
    match (due, organization) {
        (Some(due), Some(organization)) => Some(Candidate { entry, due, organization }),
        (None, _) | (_, None) => {
            tracing::error!(outbox.id = entry.id, "an outbox entry cannot be read; left for a newer version");
            None
        }
    }
}
