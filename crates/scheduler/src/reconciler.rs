//! The reconciler: leases that ran out, waits that are over. Every write is guarded by the version that it saw.

use std::collections::HashSet;
use std::time::Duration;

use landfall_common::migration::{Command, Migration, State};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexEntry, IndexQuery,
    IndexWrite, Order, Write,
};
use landfall_common::records::{ApplyError, RecordError, Records, Versioned, index};
use landfall_common::{CaseId, MigrationId, Phase, StoreTime};
use tokio_util::sync::CancellationToken;

/// Entries looked at in one sweep; what is left comes with the next.
const SWEEP_MAX: usize = 500;
/// Published or running for longer than this, an entry of an index is checked against its migration.
const IN_FLIGHT_CHECKED_AFTER: Duration = Duration::from_secs(3600);

pub(crate) async fn run(records: Records, sweep: Duration, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(sweep);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for kind in [Sweep::Leases, Sweep::Timers] {
            if let Err(error) = kind.sweep(&records).await {
                tracing::warn!(%error, "the reconciler waits for the store");
            }
        }
        for phase in Phase::ALL {
            if let Err(error) = check_in_flight(&records, phase).await {
                tracing::warn!(%error, "the reconciler waits for the store");
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Sweep {
    Leases,
    Timers,
}

impl Sweep {
    const fn index(self) -> &'static str {
        match self {
            Sweep::Leases => index::LEASES,
            Sweep::Timers => index::TIMERS,
        }
    }

    /// What a migration in that index is told; none where the entry is left over.
    fn command(self, migration: &Migration, case: CaseId) -> Option<Command> {
        match (self, &migration.state) {
            (Sweep::Leases, State::Running { lease, .. }) => {
                Some(Command::ExpireLease { attempt: lease.attempt, case })
            }
            (Sweep::Timers, State::AwaitingSource | State::Paused { .. }) => Some(Command::Wake { case }),
            (Sweep::Leases | Sweep::Timers, _) => None,
        }
    }

    /// Candidates, then the documents, then the index again: a heartbeat after the first look is seen in the
    /// second, and one after the documents moves their version.
    async fn sweep(self, records: &Records) -> Result<(), RecordError> {
        let candidates = expired(records, self.index()).await?;
        if candidates.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = candidates.into_iter().map(|entry| entry.member).collect();
        let (now, documents) = records.read_all::<Migration>(DocumentKind::Migration, &ids).await?;
        let still: HashSet<String> =
            expired(records, self.index()).await?.into_iter().map(|entry| entry.member).collect();
        for (id, document) in ids.iter().zip(documents) {
            if still.contains(id) {
                self.settle(records, now, id, document).await;
            }
        }
        Ok(())
    }

    async fn settle(self, records: &Records, now: StoreTime, id: &str, found: Option<Versioned<Migration>>) {
        let case = CaseId::from_uuid(records.draw());
        let command = found.as_ref().and_then(|found| self.command(&found.value, case));
        let (Some(found), Some(command)) = (found.clone(), command) else {
            self.forget(records, id, found.map(|found| found.version)).await;
            return;
        };
        let version = found.version;
        match records.apply_once(found, now, command, "", |_, _| {}).await {
            Ok(applied) => {
                let state = applied.transition.migration.state.name();
                tracing::info!(migration.id = id, %state, "{} ran out", self.index());
                metrics::counter!("landfall_reconciled_total", "kind" => self.index()).increment(1);
            }
            Err(ApplyError::Refused(_)) => self.forget(records, id, Some(version)).await,
            Err(ApplyError::Overtaken { .. } | ApplyError::Missing(_)) => {}
            Err(error @ (ApplyError::Conflict { .. } | ApplyError::Record(_))) => {
                tracing::warn!(migration.id = id, %error, "not reconciled yet");
            }
        }
    }

    /// Removes an entry that means nothing, unless the migration has changed since.
    async fn forget(self, records: &Records, id: &str, version: Option<u64>) {
        forget(records, id, version, vec![self.index().to_owned()]).await;
    }
}

async fn forget(records: &Records, id: &str, version: Option<u64>, indexes: Vec<String>) {
    let mut commit = Commit::new(records.request());
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Migration, id),
        expect: version.map_or(Expect::Absent, Expect::Version),
        write: Write::Keep,
        expires_in: None,
    });
    commit.index =
        indexes.into_iter().map(|index| IndexWrite::Remove { index, member: id.to_owned() }).collect();
    match records.commit(&commit).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => {}
        Err(CommitError::Store(error)) => tracing::warn!(%error, "an index entry was not removed yet"),
    }
}

async fn expired(records: &Records, index: &str) -> Result<Vec<IndexEntry>, RecordError> {
    let all = IndexQuery {
        index: index.to_owned(),
        order: Order::Ascending,
        until: None,
        after: None,
        limit: SWEEP_MAX,
    };
    let (now, entries) = records.store().index(&all).await?;
    Ok(entries.into_iter().take_while(|entry| entry.score <= now.as_micros()).collect())
}

/// The window counts by index, so an index must not leak: an old entry whose migration is neither queued nor
/// running is removed.
async fn check_in_flight(records: &Records, phase: Phase) -> Result<(), RecordError> {
    let name = index::in_flight_in(phase);
    let query = IndexQuery {
        index: name.clone(),
        order: Order::Ascending,
        until: None,
        after: None,
        limit: SWEEP_MAX,
    };
    let (now, entries) = records.store().index(&query).await?;
    let limit = now
        .as_micros()
        .saturating_sub(u64::try_from(IN_FLIGHT_CHECKED_AFTER.as_micros()).unwrap_or(u64::MAX));
    let ids: Vec<String> =
        entries.into_iter().take_while(|entry| entry.score < limit).map(|entry| entry.member).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (_, documents) = records.read_all::<Migration>(DocumentKind::Migration, &ids).await?;
    for (id, document) in ids.iter().zip(documents) {
        let in_flight = document
            .as_ref()
            .is_some_and(|found| matches!(found.value.state, State::Queued { .. } | State::Running { .. }));
        if !in_flight && id.parse::<MigrationId>().is_ok() {
            forget(records, id, document.map(|found| found.version), vec![name.clone()]).await;
        }
    }
    Ok(())
}
