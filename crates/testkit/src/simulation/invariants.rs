//! The invariants of the design, held against the store after every commit.

use std::collections::{BTreeMap, BTreeSet};

use landfall_common::case::{CaseState, SupportCase};
use landfall_common::migration::{LOST_CLAIMS_MAX, Lease, Migration, PauseReason, State, StateName};
use landfall_common::ports::{Commit, DocumentKey, DocumentKind, IndexWrite, OutboxWrite};
use landfall_common::records::{SliceDue, index, lane, outbox_id};
use landfall_common::{AttemptId, MigrationId, StoreTime};

use super::destination::Writer;
use super::world::Inner;

/// What was seen so far. A rollback of the store does not roll it back.
#[derive(Debug, Default)]
pub struct History {
    /// What did not hold.
    pub violations: Vec<String>,
    /// Calls that a destination refused because a newer claim held it.
    pub fenced: u64,
    /// Commits that were seen.
    pub commits: u64,
    /// Times that the store lost its last second.
    pub rollbacks: u64,
    /// How often each state was entered.
    pub entered: BTreeMap<StateName, u64>,
    /// Every token ever given out, and to whom.
    tokens: BTreeMap<(MigrationId, u64), AttemptId>,
    /// The token of the last write that each migration's destination took.
    written: BTreeMap<MigrationId, u64>,
    /// From when on the present slice of each migration may run.
    due_from: BTreeMap<MigrationId, StoreTime>,
    last: BTreeMap<MigrationId, Migration>,
}

impl History {
    /// A destination took a write: never of a lower token than one before, never of two writers with one token.
    pub(super) fn wrote(&mut self, writer: &Writer) {
        let last = self.written.entry(writer.migration).or_default();
        if writer.token < *last {
            self.violations.push(format!(
                "{}: a write with token {} after one with {last}",
                writer.migration, writer.token
            ));
        }
        *last = writer.token;
        if self.tokens.get(&(writer.migration, writer.token)) != Some(&writer.attempt) {
            self.violations
                .push(format!("{}: token {} was not given to who writes", writer.migration, writer.token));
        }
    }
}

/// Holds a commit that was just made against the invariants.
pub(super) fn after(world: &mut Inner, commit: &Commit) {
    if world.is_direct() {
        return;
    }
    world.history.commits += 1;
    for id in mentioned(commit) {
        check(world, id);
    }
}

/// The migrations that a commit may have changed anything of.
fn mentioned(commit: &Commit) -> BTreeSet<MigrationId> {
    let documents = commit
        .documents
        .iter()
        .filter(|write| write.key.kind == DocumentKind::Migration)
        .map(|w| w.key.id.as_str());
    let entries = commit.outbox.iter().map(|write| match write {
        OutboxWrite::Put { id, .. } | OutboxWrite::Claim { id, .. } | OutboxWrite::Remove { id } => {
            id.as_str()
        }
    });
    let slices = entries.filter_map(|id| id.strip_prefix("slice/"));
    let members = commit.index.iter().map(|write| match write {
        IndexWrite::Set { member, .. } | IndexWrite::Remove { member, .. } => member.as_str(),
    });
    documents.chain(slices).chain(members).filter_map(|id| id.parse().ok()).collect()
}

impl Inner {
    /// The store lost its last commits: what is seen next has nothing to do with what was seen last.
    pub fn rolled_back(&mut self) {
        self.history.rollbacks += 1;
        self.history.last.clear();
        self.history.due_from.clear();
        self.check_everything();
    }

    /// Holds all migrations, and what is left of none, against the invariants.
    pub fn check_everything(&mut self) {
        let ids: Vec<MigrationId> =
            self.store.documents(DocumentKind::Migration).filter_map(|(id, _)| id.parse().ok()).collect();
        ids.iter().for_each(|id| check(self, *id));
        let queued: BTreeSet<String> = ids.iter().map(|id| outbox_id::slice(*id)).collect();
        let orphans: Vec<String> = self
            .store
            .outbox_entries()
            .filter(|entry| entry.id.starts_with("slice/") && !queued.contains(&entry.id))
            .map(|entry| format!("{} is due, and there is no such migration", entry.id))
            .collect();
        orphans.into_iter().for_each(|what| self.violated(what));
    }

    /// A migration as the store has it.
    pub fn migration(&self, id: MigrationId) -> Option<Migration> {
        let key = DocumentKey::new(DocumentKind::Migration, id);
        let document = self.store.document(&key, self.store_now())?;
        serde_json::from_slice(&document.body).ok()
    }

    /// All migrations.
    pub fn migrations(&self) -> Vec<Migration> {
        let bodies = self.store.documents(DocumentKind::Migration);
        bodies.filter_map(|(_, body)| serde_json::from_slice(body).ok()).collect()
    }
}

fn check(world: &mut Inner, id: MigrationId) {
    let Some(migration) = world.migration(id) else {
        let left: Vec<String> = world.store.indexes_with(&id.to_string()).map(str::to_owned).collect();
        if !left.is_empty() {
            world.violated(format!("{id} does not exist, and is in {left:?}"));
        }
        return;
    };
    let mut faults = Vec::new();
    if let Some(before) = world.history.last.get(&id) {
        follows(before, &migration, &mut faults);
    }
    if let State::Running { lease, .. } = migration.state {
        is_alone(world, id, lease, &mut faults);
        is_not_early(world, &migration, &mut faults);
    }
    let due =
        world.store.outbox(&outbox_id::slice(id)).filter(|entry| entry.claims == 0).map(|entry| entry.due);
    if let Some(due) = due {
        world.history.due_from.insert(id, due);
    }
    is_brought_forward(world, &migration, &mut faults);
    is_indexed(world, &migration, &mut faults);
    has_its_case(world, &migration, &mut faults);
    faults.into_iter().for_each(|what| world.violated(format!("{id} ({}): {what}", migration.state.name())));
    note(world, migration);
}

/// The trace of a run is made of what its migrations went through.
fn note(world: &mut Inner, migration: Migration) {
    let before = world.history.last.insert(migration.id, migration.clone());
    let was = before.as_ref().map(|before| (&before.state, before.generation, before.request.is_some()));
    if was == Some((&migration.state, migration.generation, migration.request.is_some())) {
        return;
    }
    let name = migration.state.name();
    if before.is_none_or(|before| before.state.name() != name) {
        *world.history.entered.entry(name).or_default() += 1;
    }
    let at = migration.state.position().map_or(String::new(), |at| format!(" {} {}", at.phase, at.slice));
    let asked = migration.request.as_ref().map_or("", |_| ", asked");
    world.note(
        "migration",
        &format_args!(
            "{} is {name}{at} of {} with {}{asked} {}",
            migration.id,
            migration.generation,
            migration.token,
            migration.last_failure.as_ref().map_or("", |failure| failure.code.as_str()),
        ),
    );
}

/// Generations and tokens only grow, and a state comes only from where it can.
fn follows(before: &Migration, after: &Migration, faults: &mut Vec<String>) {
    if after.generation < before.generation {
        faults.push(format!("generation {} after {}", after.generation, before.generation));
    }
    if after.token < before.token {
        faults.push(format!("token {} after {}", after.token, before.token));
    }
    if after.lost_claims > LOST_CLAIMS_MAX {
        faults.push(format!("{} claims in a row were lost", after.lost_claims));
    }
    let (was, is) = (before.state.name(), after.state.name());
    if was != is && !may_follow(was, is) {
        faults.push(format!("it was {was}"));
    }
}

fn may_follow(was: StateName, is: StateName) -> bool {
    use StateName as S;
    match was {
        S::AwaitingSource => matches!(is, S::Queued | S::Cancelled),
        S::Queued => matches!(is, S::Running | S::Paused | S::Cancelled),
        S::Running => !matches!(is, S::AwaitingSource),
        S::Paused => matches!(is, S::Queued | S::NeedsSupport | S::Cancelled),
        S::NeedsSupport => matches!(is, S::Queued | S::Cancelled),
        S::Succeeded => matches!(is, S::Queued),
        S::Cancelled | S::Rejected | S::RolledBack => false,
    }
}

/// No token is given to two attempts, not even where the store forgot that it had given it.
fn is_alone(world: &mut Inner, id: MigrationId, lease: Lease, faults: &mut Vec<String>) {
    let holder = *world.history.tokens.entry((id, lease.token)).or_insert(lease.attempt);
    if holder != lease.attempt {
        faults.push(format!("token {} was given to {holder} and to {}", lease.token, lease.attempt));
    }
}

/// No slice runs before it is due, unless the store's clock went back in between.
fn is_not_early(world: &Inner, migration: &Migration, faults: &mut Vec<String>) {
    let was_queued = world
        .history
        .last
        .get(&migration.id)
        .is_some_and(|before| matches!(before.state, State::Queued { .. }));
    let due = world.history.due_from.get(&migration.id);
    if was_queued && world.clock_off >= world.clock_off_max && due.is_some_and(|due| *due > world.store_now())
    {
        faults.push("it runs before it is due".to_owned());
    }
}

/// Never silently stuck: whatever state it is in, something that the store holds brings it forward, and nothing else
/// is there that could bring it elsewhere.
fn is_brought_forward(world: &Inner, migration: &Migration, faults: &mut Vec<String>) {
    let id = migration.id.to_string();
    let lease = world.store.score(index::LEASES, &id).is_some();
    let timer = world.store.score(index::TIMERS, &id).is_some();
    let due = world.store.outbox(&outbox_id::slice(migration.id));
    let (needs_lease, needs_timer, needs_slice) = match &migration.state {
        State::Queued { .. } => (false, false, true),
        State::Running { .. } => (true, false, false),
        State::AwaitingSource => (false, true, false),
        State::Paused { reason, .. } => (false, *reason != PauseReason::Person, false),
        State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => (false, false, false),
    };
    for (what, is, needs) in [
        ("a lease that runs out", lease, needs_lease),
        ("a timer", timer, needs_timer),
        ("a slice that is due", due.is_some(), needs_slice),
    ] {
        if is != needs {
            faults.push(format!("{} {what}", if is { "it has" } else { "it lacks" }));
        }
    }
    if let (Some(entry), State::Queued { at }) = (due, &migration.state) {
        let ticket = serde_json::from_slice::<SliceDue>(&entry.body).map(|due| due.ticket);
        let is_right = ticket.is_ok_and(|ticket| {
            (ticket.generation, ticket.phase, ticket.slice) == (migration.generation, at.phase, at.slice)
        });
        if !is_right || entry.lane != lane::slices(at.phase, migration.options.priority) {
            faults.push("another slice than its own is due".to_owned());
        }
    }
}

/// Lists, windows and caps count by these indexes: they say of each migration what its document says.
fn is_indexed(world: &Inner, migration: &Migration, faults: &mut Vec<String>) {
    let id = migration.id.to_string();
    let name = migration.state.name();
    for other in StateName::ALL {
        let organization = index::migrations_of_in(migration.organization, other);
        for index in [index::migrations_in(other), organization] {
            if world.store.score(&index, &id).is_some() != (other == name) {
                faults.push(format!("index {index} is wrong"));
            }
        }
    }
    let phase = migration.state.position().map(|at| at.phase);
    let (source, destination) = migration.hosts();
    let mut counted = vec![index::in_flight_of(migration.organization)];
    counted.extend(phase.map(index::in_flight_in));
    counted.extend(source.map(|host| index::in_flight_from(&host)));
    counted.extend(destination.map(|host| index::in_flight_to(&host)));
    let (may, must) = match migration.state {
        State::Running { .. } => (true, true),
        State::Queued { .. } => (true, false),
        State::AwaitingSource
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => (false, false),
    };
    for found in world.store.indexes_with(&id).filter(|name| name.starts_with("in_flight:")) {
        if !may || !counted.iter().any(|name| name == found) {
            faults.push(format!("it is counted in {found}"));
        }
    }
    for name in counted.iter().filter(|name| must && world.store.score(name, &id).is_none()) {
        faults.push(format!("it is not counted in {name}"));
    }
    let busy = DocumentKey::new(DocumentKind::SiteBusy, migration.site);
    let busy = world.store.document(&busy, world.store_now());
    let is_busy = busy.is_some_and(|document| document.body == id.as_bytes());
    if is_busy == migration.state.is_terminal() {
        faults.push(format!("its site is {}busy with it", if is_busy { "" } else { "not " }));
    }
}

fn has_its_case(world: &Inner, migration: &Migration, faults: &mut Vec<String>) {
    let State::NeedsSupport { case, .. } = migration.state else { return };
    let found = world.store.document(&DocumentKey::new(DocumentKind::Case, case), world.store_now());
    let Some(found) = found.and_then(|found| serde_json::from_slice::<SupportCase>(&found.body).ok()) else {
        faults.push(format!("there is no {case}"));
        return;
    };
    if found.migration != migration.id {
        faults.push(format!("{case} is of {}", found.migration));
    }
    let is_listed = world.store.score(index::CASES_OPEN, &case.to_string()).is_some();
    if is_listed != (found.state == CaseState::Open) {
        faults.push(format!("{case} is {:?} and {}listed", found.state, if is_listed { "" } else { "not " }));
    }
    if !found.announced && world.store.outbox(&outbox_id::case(case)).is_none() {
        faults.push(format!("nobody will be told of {case}"));
    }
}
