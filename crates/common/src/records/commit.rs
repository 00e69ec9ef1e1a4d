//! From a transition to a commit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::names::{index, lane, outbox_id, stream};
use super::reader::Versioned;
use crate::case::SupportCase;
use crate::event::{Event, EventKind};
use crate::migration::{
    CheckpointEffect, Dispatch, Effects, LeaseEffect, MailKind, Migration, SOURCE_WAIT, State, TimerEffect,
    Transition,
};
use crate::ports::{
    Commit, DocumentKey, DocumentKind, DocumentWrite, EventWrite, Expect, IndexWrite, OutboxWrite, Score,
    Write,
};
use crate::wire::{CaseTicket, SliceTicket, TICKET_SCHEMA};
use crate::{MigrationId, RequestId};

/// What an outbox entry of a slice carries: the ticket, and the hosts whose caps it counts against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceDue {
    /// The ticket to publish.
    pub ticket: SliceTicket,
    /// The source's host.
    pub source_host: Option<String>,
    /// The destination's host.
    pub destination_host: Option<String>,
}

/// What an outbox entry of a case carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDue {
    /// The ticket to publish.
    pub ticket: CaseTicket,
}

/// What an outbox entry of a mail carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailDue {
    /// The migration.
    pub migration: MigrationId,
    /// Which mail.
    pub kind: MailKind,
}

/// A migration to be created.
#[derive(Debug, Clone)]
pub struct NewMigration {
    /// The document: in `awaiting_source`, or `queued` for a source that needs no enrolment.
    pub migration: Migration,
    /// Trace context of the request.
    pub traceparent: String,
}

/// The commit that creates a migration. It conflicts where the site is busy.
pub fn create(request: RequestId, new: &NewMigration) -> Commit {
    let migration = &new.migration;
    let mut commit = Commit::new(request);
    commit.documents.push(put(DocumentKind::Migration, migration.id, Expect::Absent, json(migration)));
    busy(&mut commit, migration);
    let message = match migration.state {
        State::AwaitingSource => "Created; waits for the source site to enrol",
        State::Queued { .. }
        | State::Running { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => "Created",
    };
    let event = Event::new(EventKind::Created, message).by(migration.created_by.clone());
    append_event(&mut commit, migration.id, &event);
    for name in [
        index::MIGRATIONS.to_owned(),
        index::migrations_of(migration.organization),
        index::migrations_to(migration.site),
    ] {
        commit.index.push(set(name, migration.id, Score::Value(migration.created_at.as_micros())));
    }
    state_indexes(&mut commit, None, migration);
    match migration.state {
        State::AwaitingSource => {
            commit.index.push(set(index::TIMERS.to_owned(), migration.id, Score::InFromNow(SOURCE_WAIT)));
        }
        State::Queued { .. } => {
            let start = migration.options.start.delay(migration.created_at, std::time::Duration::ZERO);
            commit.outbox.push(slice_due(migration, start, &new.traceparent));
        }
        State::Running { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => {}
    }
    commit
}

/// The commit of a transition, guarded by the version that was loaded.
pub fn transition(
    request: RequestId,
    before: &Versioned<Migration>,
    transition: &Transition,
    traceparent: &str,
) -> Commit {
    let Transition { migration, effects } = transition;
    let mut commit = Commit::new(request);
    // A renewed lease writes the document even where nothing in it changed: whoever is about to expire the lease is
    // guarded by the version, and must lose against the heartbeat.
    let renewed = matches!(effects.lease, LeaseEffect::Renew(_));
    let write =
        if *migration == before.value && !renewed { Write::Keep } else { Write::Put(json(migration)) };
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Migration, migration.id),
        expect: Expect::Version(before.version),
        write,
        expires_in: None,
    });
    checkpoint(&mut commit, migration, &effects.checkpoint);
    for event in &effects.events {
        append_event(&mut commit, migration.id, event);
    }
    dispatch(&mut commit, migration, effects.dispatch, traceparent);
    timers(&mut commit, migration, effects);
    state_indexes(&mut commit, Some(&before.value), migration);
    in_flight(&mut commit, &before.value, migration);
    match (before.value.state.is_terminal(), migration.state.is_terminal()) {
        (false, true) => {
            commit.documents.push(delete(DocumentKind::SiteBusy, migration.site));
            commit.documents.push(delete(DocumentKind::Secret, migration.id));
        }
        (true, false) => busy(&mut commit, migration),
        (true, true) | (false, false) => {}
    }
    if let Some(case) = &effects.case {
        open_case(&mut commit, case);
    }
    if let Some(kind) = effects.mail {
        mail(&mut commit, migration, kind);
    }
    commit
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("documents are plain data").into()
}

fn put(kind: DocumentKind, id: impl std::fmt::Display, expect: Expect, body: Bytes) -> DocumentWrite {
    DocumentWrite { key: DocumentKey::new(kind, id), expect, write: Write::Put(body), expires_in: None }
}

fn delete(kind: DocumentKind, id: impl std::fmt::Display) -> DocumentWrite {
    DocumentWrite {
        key: DocumentKey::new(kind, id),
        expect: Expect::Any,
        write: Write::Delete,
        expires_in: None,
    }
}

fn set(index: String, member: impl std::fmt::Display, score: Score) -> IndexWrite {
    IndexWrite::Set { index, member: member.to_string(), score }
}

fn unset(index: String, member: impl std::fmt::Display) -> IndexWrite {
    IndexWrite::Remove { index, member: member.to_string() }
}

/// The site is busy with this migration: refused where it is with another.
fn busy(commit: &mut Commit, migration: &Migration) {
    let id = migration.id.to_string();
    commit.documents.push(put(DocumentKind::SiteBusy, migration.site, Expect::Absent, id.into()));
}

/// Adds a line for a migration's timeline to a commit.
pub fn append_event(commit: &mut Commit, migration: MigrationId, event: &Event) {
    commit.events.push(EventWrite {
        stream: stream::migration(migration),
        body: json(event),
        keep: Some(stream::MIGRATION_KEEP),
    });
}

fn checkpoint(commit: &mut Commit, migration: &Migration, effect: &CheckpointEffect) {
    match effect {
        CheckpointEffect::Keep => {}
        CheckpointEffect::Put(bytes) => {
            commit.documents.push(put(DocumentKind::Checkpoint, migration.id, Expect::Any, bytes.clone()));
        }
        CheckpointEffect::Clear => commit.documents.push(delete(DocumentKind::Checkpoint, migration.id)),
    }
}

fn slice_due(migration: &Migration, due_in: std::time::Duration, traceparent: &str) -> OutboxWrite {
    let at = migration.state.position().expect("a slice is due only in a state that has one");
    let (source_host, destination_host) = migration.hosts();
    let due = SliceDue {
        ticket: SliceTicket {
            schema: TICKET_SCHEMA,
            migration: migration.id,
            generation: migration.generation,
            phase: at.phase,
            slice: at.slice,
            traceparent: traceparent.to_owned(),
        },
        source_host,
        destination_host,
    };
    OutboxWrite::Put {
        id: outbox_id::slice(migration.id),
        lane: lane::slices(at.phase, migration.options.priority),
        tenant: migration.organization.to_string(),
        due_in,
        body: json(&due),
    }
}

fn dispatch(commit: &mut Commit, migration: &Migration, effect: Dispatch, traceparent: &str) {
    match effect {
        Dispatch::Keep => {}
        Dispatch::Due(delay) => commit.outbox.push(slice_due(migration, delay, traceparent)),
        Dispatch::Withdraw => commit.outbox.push(OutboxWrite::Remove { id: outbox_id::slice(migration.id) }),
    }
}

fn timers(commit: &mut Commit, migration: &Migration, effects: &Effects) {
    match effects.lease {
        LeaseEffect::Keep => {}
        LeaseEffect::Renew(length) => {
            commit.index.push(set(index::LEASES.to_owned(), migration.id, Score::InFromNow(length)));
        }
        LeaseEffect::Drop => commit.index.push(unset(index::LEASES.to_owned(), migration.id)),
    }
    match effects.timer {
        TimerEffect::Keep => {}
        TimerEffect::Set(wait) => {
            commit.index.push(set(index::TIMERS.to_owned(), migration.id, Score::InFromNow(wait)));
        }
        TimerEffect::Clear => commit.index.push(unset(index::TIMERS.to_owned(), migration.id)),
    }
}

fn state_indexes(commit: &mut Commit, before: Option<&Migration>, after: &Migration) {
    let name = after.state.name();
    let was = before.map(|before| before.state.name());
    if was == Some(name) {
        return;
    }
    if let Some(was) = was {
        commit.index.push(unset(index::migrations_in(was), after.id));
        commit.index.push(unset(index::migrations_of_in(after.organization, was), after.id));
    }
    let score = Score::Value(after.created_at.as_micros());
    commit.index.push(set(index::migrations_in(name), after.id, score));
    commit.index.push(set(index::migrations_of_in(after.organization, name), after.id, score));
}

/// Published or running: the relay adds a slice when it publishes it; a claim says so again (the relay's entry
/// may be of an older phase); the end of a slice and any other way out of the two states removes it.
fn in_flight(commit: &mut Commit, before: &Migration, after: &Migration) {
    let running = matches!(after.state, State::Running { .. });
    let was_running = matches!(before.state, State::Running { .. });
    if running && was_running {
        return;
    }
    let (source, destination) = after.hosts();
    let mut names = vec![index::in_flight_of(after.organization)];
    names.extend(source.map(|host| index::in_flight_from(&host)));
    names.extend(destination.map(|host| index::in_flight_to(&host)));
    let phase = if running { after.state.position() } else { before.state.position() };
    names.extend(phase.map(|at| index::in_flight_in(at.phase)));
    for name in names {
        commit.index.push(if running {
            set(name, after.id, Score::InFromNow(std::time::Duration::ZERO))
        } else {
            unset(name, after.id)
        });
    }
}

fn open_case(commit: &mut Commit, case: &SupportCase) {
    commit.documents.push(put(DocumentKind::Case, case.id, Expect::Absent, json(case)));
    let score = Score::Value(case.opened_at.as_micros());
    for name in [index::CASES.to_owned(), index::CASES_OPEN.to_owned(), index::cases_of(case.organization)] {
        commit.index.push(set(name, case.id, score));
    }
    let due =
        CaseDue { ticket: CaseTicket { schema: TICKET_SCHEMA, case: case.id, migration: case.migration } };
    commit.outbox.push(OutboxWrite::Put {
        id: outbox_id::case(case.id),
        lane: lane::CASES.to_owned(),
        tenant: case.organization.to_string(),
        due_in: std::time::Duration::ZERO,
        body: json(&due),
    });
}

fn mail(commit: &mut Commit, migration: &Migration, kind: MailKind) {
    if migration.owner_email.is_empty() {
        return;
    }
    commit.outbox.push(OutboxWrite::Put {
        id: outbox_id::mail(migration.id, migration.generation, kind),
        lane: lane::MAIL.to_owned(),
        tenant: migration.organization.to_string(),
        due_in: std::time::Duration::ZERO,
        body: json(&MailDue { migration: migration.id, kind }),
    });
}
