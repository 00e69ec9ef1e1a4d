//! The state machine's whole table, as a snapshot that shows in review.

use bytes::Bytes;
use landfall_common::event::EventKind;
use landfall_common::migration::*;
use landfall_common::site::{DestinationSpec, SourceSpec};
use landfall_common::*;
use uuid::Uuid;

const NOW: StoreTime = StoreTime(1_700_000_000_000_000);

fn attempt() -> AttemptId {
    AttemptId::from_uuid(Uuid::from_u128(5))
}

fn case() -> CaseId {
    CaseId::from_uuid(Uuid::from_u128(6))
}

fn migration(state: State) -> Migration {
    Migration {
        schema: SCHEMA,
        id: MigrationId::from_uuid(Uuid::from_u128(1)),
        organization: OrganizationId::from_uuid(Uuid::from_u128(2)),
        site: SiteId::from_uuid(Uuid::from_u128(3)),
        site_name: "shop".into(),
        source: SourceSpec::Noop { units: 1, unit_ms: 1 },
        destination: DestinationSpec::Noop,
        options: Options::default(),
        owner_email: "owner@example.com".into(),
        created_by: "test".into(),
        generation: 1,
        state,
        goal: Goal::Deliver,
        request: None,
        token: 7,
        lost_claims: 0,
        failures: 0,
        last_failure: None,
        case: None,
        outputs: Default::default(),
        waits: landfall_common::migration::Waits::default(),
        created_at: NOW,
        changed_at: NOW,
        started_at: None,
        ended_at: None,
    }
}

fn running(phase: Phase) -> State {
    let worker = WorkerId::from_uuid(Uuid::from_u128(4));
    State::Running { at: Position { phase, slice: 2 }, lease: Lease { worker, attempt: attempt(), token: 7 } }
}

fn states() -> Vec<State> {
    let at = |phase| Position { phase, slice: 2 };
    let mut states = vec![State::AwaitingSource];
    for phase in Phase::ALL {
        states.push(State::Queued { at: at(phase) });
        states.push(running(phase));
    }
    for reason in
        [PauseReason::Credentials, PauseReason::SourceRateLimit, PauseReason::Approval, PauseReason::Person]
    {
        states.push(State::Paused { at: at(Phase::Import), reason, code: None });
    }
    let code = ErrorCode::new("destination.disk_full");
    states.push(State::NeedsSupport { at: at(Phase::Import), case: case(), code: code.clone() });
    states.push(State::Succeeded);
    states.push(State::Cancelled { reason: CancelReason::Requested });
    states.push(State::Rejected { code });
    states.push(State::RolledBack);
    states
}

fn commands(phase: Phase) -> Vec<(&'static str, Command)> {
    let by = || "tok".to_owned();
    let end = |end| Command::EndSlice { attempt: attempt(), end, checkpoint: None, case: case() };
    let failed = |code| end(SliceEnd::Failed(Failure::new(code, "why")));
    vec![
        ("enrol", Command::Enrol { by: by(), owner_email: String::new() }),
        (
            "claim",
            Command::Claim {
                slice: SliceName { generation: 1, phase, slice: 2 },
                worker: WorkerId::from_uuid(Uuid::from_u128(4)),
                attempt: attempt(),
            },
        ),
        ("heartbeat", Command::Heartbeat { attempt: attempt() }),
        ("checkpoint", Command::SaveCheckpoint { attempt: attempt(), checkpoint: Bytes::from_static(b"{}") }),
        ("end more", end(SliceEnd::More)),
        ("end done", end(SliceEnd::PhaseDone { output: serde_json::json!({}) })),
        ("end retryable", failed("source.unreachable")),
        ("end pause", failed("destination.access_denied")),
        ("end support", failed("destination.disk_full")),
        ("end reject", failed("source.site_network")),
        ("expire lease", Command::ExpireLease { attempt: attempt(), case: case() }),
        ("wake", Command::Wake { case: case() }),
        ("cancel", Command::Cancel { by: by() }),
        ("pause", Command::Pause { by: by() }),
        ("resume", Command::Resume { by: by() }),
        ("credentials", Command::CredentialsReplaced { by: by() }),
        ("roll back", Command::RollBack { by: by() }),
        (
            "replay",
            Command::Replay {
                by: by(),
                from: ReplayFrom::Checkpoint,
                reason: "cured".into(),
                options: None,
                delay: std::time::Duration::ZERO,
            },
        ),
    ]
}

fn show(state: &State) -> String {
    let at = state.position().map_or(String::new(), |at| format!(" {} {}", at.phase, at.slice));
    let more = match state {
        State::Paused { reason, .. } => format!(" ({reason:?})"),
        State::Cancelled { reason } => format!(" ({reason:?})"),
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Rejected { .. }
        | State::RolledBack => String::new(),
    };
    format!("{}{at}{more}", state.name())
}

#[test]
fn the_whole_table() {
    let mut table = String::new();
    for state in states() {
        table += &format!("{}\n", show(&state));
        let phase = state.position().map_or(Phase::Snapshot, |at| at.phase);
        for (name, command) in commands(phase) {
            let line = match migration(state.clone()).apply(NOW, command) {
                Err(refusal) => format!("refused: {}", refusal_name(&refusal)),
                Ok(Transition { migration: next, effects }) => format!(
                    "{} | {:?} lease {:?} timer {:?} checkpoint {} case {} mail {:?}{}",
                    show(&next.state),
                    effects.dispatch,
                    effects.lease,
                    effects.timer,
                    match effects.checkpoint {
                        CheckpointEffect::Keep => "keep",
                        CheckpointEffect::Put(_) => "put",
                        CheckpointEffect::Clear => "clear",
                    },
                    effects.case.is_some(),
                    effects.mail,
                    next.request.map_or(String::new(), |request| format!(" request {request:?}")),
                ),
            };
            table += &format!("    {name:<14} {line}\n");
        }
    }
    insta::assert_snapshot!(table);
}

fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Stale { .. } => "stale",
        Refusal::NotNow { .. } => "not now",
        Refusal::CheckpointTooLarge { .. } => "checkpoint too large",
    }
}

#[test]
fn a_token_never_goes_back_even_where_the_store_did() {
    let state = State::Queued { at: Position::first(Phase::Snapshot) };
    let claim = |now| {
        let command = Command::Claim {
            slice: SliceName { generation: 1, phase: Phase::Snapshot, slice: 1 },
            worker: WorkerId::from_uuid(Uuid::from_u128(4)),
            attempt: attempt(),
        };
        migration(state.clone()).apply(now, command).unwrap().migration.token
    };
    assert_eq!(claim(StoreTime(3)), 8, "a stored token is passed by one");
    assert_eq!(claim(NOW), NOW.as_micros(), "a younger clock is followed");
}

#[test]
fn a_crash_loop_ends_at_the_limit() {
    let mut lost = migration(running(Phase::Import));
    for expected in [StateName::Queued, StateName::Queued, StateName::NeedsSupport] {
        lost = lost.apply(NOW, Command::ExpireLease { attempt: attempt(), case: case() }).unwrap().migration;
        assert_eq!(lost.state.name(), expected);
        if expected == StateName::Queued {
            lost.state = running(Phase::Import);
        }
    }
}

#[test]
fn a_checkpoint_sets_the_counters_of_trouble_back() {
    let mut tired = migration(running(Phase::Import));
    (tired.lost_claims, tired.failures) = (2, 7);
    let command = Command::SaveCheckpoint { attempt: attempt(), checkpoint: Bytes::from_static(b"{}") };
    let fresh = tired.apply(NOW, command).unwrap().migration;
    assert_eq!((fresh.lost_claims, fresh.failures), (0, 0));
}

#[test]
fn retries_end_in_a_support_case() {
    let mut failing = migration(running(Phase::Transfer));
    for failure in 1..=8 {
        let end = SliceEnd::Failed(Failure::new("destination.unreachable", "no answer"));
        let command = Command::EndSlice { attempt: attempt(), end, checkpoint: None, case: case() };
        let Transition { migration: next, effects } = failing.apply(NOW, command).unwrap();
        assert_eq!(next.state.name() == StateName::NeedsSupport, failure == 8, "after {failure} failures");
        assert_eq!(effects.case.is_some(), failure == 8);
        failing = next;
        failing.state = running(Phase::Transfer);
    }
}

#[test]
fn a_cancel_during_transfer_cleans_up_and_then_is_cancelled() {
    let asked = migration(running(Phase::Transfer)).apply(NOW, Command::Cancel { by: "me".into() }).unwrap();
    let end = |end| Command::EndSlice { attempt: attempt(), end, checkpoint: None, case: case() };
    let cleaning = asked.migration.apply(NOW, end(SliceEnd::More)).unwrap().migration;
    assert_eq!(cleaning.goal, Goal::CleanUp);
    assert_eq!(cleaning.state, State::Queued { at: Position::first(Phase::Import) });
    let mut cleaning = cleaning;
    cleaning.state = running(Phase::Import);
    let over = cleaning.apply(NOW, end(SliceEnd::PhaseDone { output: serde_json::json!({}) })).unwrap();
    assert_eq!(over.migration.state.name(), StateName::Cancelled);
    assert_eq!(over.effects.events[0].kind, EventKind::Cancelled);
}

#[test]
fn a_document_reads_back() {
    for state in states() {
        let before = migration(state);
        let json = serde_json::to_vec(&before).unwrap();
        assert_eq!(serde_json::from_slice::<Migration>(&json).unwrap(), before);
    }
}
