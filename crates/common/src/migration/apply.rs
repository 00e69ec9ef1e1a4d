//! The table of commands: for each command, every state spelled out.

use std::time::Duration;

use super::state::{CancelReason, Goal, Migration, Options, PauseReason, Phase, Position, Request, State};
use super::{
    CheckpointEffect, Command, Dispatch, Effects, LeaseEffect, MailKind, Refusal, ReplayFrom, TimerEffect,
    Transition, claim, end,
};
use crate::case::{CaseState, SupportCase};
use crate::event::{Event, EventKind};
use crate::{CaseId, ErrorCode, Failure, StoreTime};

/// How long the source is left alone where it did not say.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(300);

pub(super) fn apply(migration: &Migration, now: StoreTime, command: Command) -> Result<Transition, Refusal> {
    let verb = command.verb();
    let change = Change::of(migration, now);
    match command {
        Command::Enrol { by, owner_email } => enrol(change, by, owner_email, verb),
        Command::Claim { slice, worker, attempt } => claim::claim(change, slice, worker, attempt),
        Command::Heartbeat { attempt } => claim::heartbeat(change, attempt),
        Command::SaveCheckpoint { attempt, checkpoint } => {
            claim::save_checkpoint(change, attempt, checkpoint)
        }
        Command::EndSlice { attempt, end, checkpoint, case } => {
            end::end_slice(change, attempt, end, checkpoint, case)
        }
        Command::ExpireLease { attempt, case } => end::expire_lease(change, attempt, case),
        Command::Wake { case } => wake(change, case, verb),
        Command::Cancel { by } => cancel(change, by, verb),
        Command::Pause { by } => pause(change, by, verb),
        Command::Resume { by } => resume(change, by, verb),
        Command::CredentialsReplaced { by } => Ok(credentials_replaced(change, by)),
        Command::RollBack { by } => roll_back(change, by, verb),
        Command::Replay { by, from, reason, options, delay } => {
            replay(change, by, Round { from, reason, options, delay }, verb)
        }
    }
}

/// A transition that is being put together.
pub(super) struct Change {
    pub(super) next: Migration,
    pub(super) effects: Effects,
    pub(super) now: StoreTime,
}

impl Change {
    fn of(migration: &Migration, now: StoreTime) -> Self {
        Self { next: migration.clone(), effects: Effects::none(), now }
    }

    pub(super) fn refuse(&self, command: &'static str) -> Refusal {
        Refusal::NotNow { state: self.next.state.name(), command }
    }

    pub(super) fn stale(&self) -> Refusal {
        Refusal::Stale { state: self.next.state.name() }
    }

    #[must_use]
    pub(super) fn event(mut self, event: Event) -> Self {
        self.effects.events.push(event);
        self
    }

    pub(super) fn done(self) -> Transition {
        Transition { migration: self.next, effects: self.effects }
    }

    fn enter(&mut self, state: State) {
        if state.is_terminal() {
            self.next.ended_at = Some(self.now);
        }
        self.next.changed_at = self.now;
        self.next.state = state;
        self.effects.lease = LeaseEffect::Drop;
        self.effects.timer = TimerEffect::Clear;
        self.effects.dispatch = Dispatch::Withdraw;
    }

    /// A slice is due after `delay`, or when its submitter lets slices start. What undoes things waits for no hours.
    #[must_use]
    pub(super) fn queue(mut self, at: Position, delay: Duration) -> Self {
        let start = match self.next.goal {
            Goal::Deliver => self.next.options.start.delay(self.now, delay),
            Goal::CleanUp | Goal::RollBack => delay,
        };
        self.enter(State::Queued { at });
        self.effects.dispatch = Dispatch::Due(start);
        self.next.request = None;
        if start <= delay {
            return self;
        }
        let minutes = start.as_secs().div_ceil(60);
        let message = format!("Waits for its time: {} slice {} starts in {minutes} min", at.phase, at.slice);
        let facts = serde_json::json!({ "starts_at": self.now.plus(start) });
        self.event(Event::new(EventKind::Waits, message).with(facts))
    }

    /// It waits for something.
    #[must_use]
    pub(super) fn pause(
        mut self,
        at: Position,
        reason: PauseReason,
        code: Option<ErrorCode>,
        wait: Option<Duration>,
    ) -> Self {
        let message = match &code {
            Some(code) => format!("Paused ({code}): waits for {}", waits_for(reason)),
            None => format!("Paused: waits for {}", waits_for(reason)),
        };
        self.enter(State::Paused { at, reason, code });
        self.next.request = None;
        self.effects.timer = match reason {
            PauseReason::Credentials | PauseReason::Approval => TimerEffect::Set(self.next.waits.cure),
            PauseReason::SourceRateLimit => TimerEffect::Set(wait.unwrap_or(RATE_LIMIT_WAIT)),
            PauseReason::Person => TimerEffect::Clear,
        };
        self.event(Event::new(EventKind::Paused, message))
    }

    /// A person has to look.
    #[must_use]
    pub(super) fn need_support(mut self, at: Position, case: CaseId, failure: Failure) -> Self {
        self.enter(State::NeedsSupport { at, case, code: failure.code.clone() });
        self.next.request = None;
        self.next.case = Some(case);
        self.effects.mail = Some(MailKind::Failed);
        self.effects.case = Some(Box::new(SupportCase {
            schema: super::SCHEMA,
            id: case,
            migration: self.next.id,
            generation: self.next.generation,
            organization: self.next.organization,
            site: self.next.site,
            code: failure.code.clone(),
            detail: failure.detail.clone(),
            phase: at.phase,
            opened_at: self.now,
            state: CaseState::Open,
            site_name: self.next.site_name.clone(),
            source_host: self.next.source.host(),
            claimed_by: None,
            outside_allowance: false,
            notes: Vec::new(),
            announced: false,
        }));
        let message = format!("Support takes over ({}): {}", failure.code, failure.detail);
        self.next.last_failure = Some(failure);
        self.event(Event::new(EventKind::NeedsSupport, message).with(serde_json::json!({ "case": case })))
    }

    /// It has ended.
    #[must_use]
    pub(super) fn finish(mut self, state: State, event: Event) -> Self {
        self.enter(state);
        self.next.request = None;
        self.effects.checkpoint = CheckpointEffect::Clear;
        self.event(event)
    }

    /// Cancelled: at once where the destination was never touched, else after a slice that cleans it up.
    #[must_use]
    pub(super) fn begin_clean_up(mut self, at: Position, by: String) -> Self {
        if at.phase == Phase::Snapshot {
            let event = Event::new(EventKind::Cancelled, "Cancelled; the destination was not touched").by(by);
            return self.finish(State::Cancelled { reason: CancelReason::Requested }, event);
        }
        self.next.goal = Goal::CleanUp;
        self.reset_counters();
        self.effects.checkpoint = CheckpointEffect::Clear;
        let first = Position::first(Phase::Import);
        let at = if at.phase == Phase::Import { at.next_slice() } else { first };
        self.queue(at, Duration::ZERO)
            .event(Event::new(EventKind::Requested, "Cancel: the destination is being cleaned up").by(by))
    }

    pub(super) fn reset_counters(&mut self) {
        self.next.lost_claims = 0;
        self.next.failures = 0;
    }
}

fn waits_for(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Credentials => "its owner to set something right",
        PauseReason::SourceRateLimit => "the source to take requests again",
        PauseReason::Approval => "approval of the cut-over",
        PauseReason::Person => "somebody to resume it",
    }
}

fn enrol(
    mut change: Change,
    by: String,
    owner_email: String,
    verb: &'static str,
) -> Result<Transition, Refusal> {
    match change.next.state {
        State::AwaitingSource => {
            if !owner_email.is_empty() {
                change.next.owner_email = owner_email;
            }
            Ok(change
                .queue(Position::first(Phase::Snapshot), Duration::ZERO)
                .event(Event::new(EventKind::SourceEnrolled, "The source site has enrolled").by(by))
                .done())
        }
        State::Queued { .. }
        | State::Running { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}

fn wake(change: Change, case: CaseId, verb: &'static str) -> Result<Transition, Refusal> {
    match change.next.state.clone() {
        State::AwaitingSource => {
            let event = Event::new(EventKind::Cancelled, "Cancelled: the source site never enrolled");
            Ok(change.finish(State::Cancelled { reason: CancelReason::Expired }, event).done())
        }
        State::Paused { at, reason, code } => match reason {
            PauseReason::SourceRateLimit => Ok(change
                .queue(at, Duration::ZERO)
                .event(Event::new(EventKind::Resumed, "Goes on: the wait is over"))
                .done()),
            PauseReason::Credentials | PauseReason::Approval => {
                let what = code.map_or_else(|| waits_for(reason).to_owned(), |code| code.to_string());
                let failure = Failure::new("migration.pause_too_long", format!("not cured in time: {what}"));
                Ok(change.need_support(at, case, failure).done())
            }
            PauseReason::Person => Err(change.refuse(verb)),
        },
        State::Queued { .. }
        | State::Running { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}

fn cancel(mut change: Change, by: String, verb: &'static str) -> Result<Transition, Refusal> {
    if change.next.goal != Goal::Deliver {
        return Err(change.refuse(verb));
    }
    match change.next.state.clone() {
        State::AwaitingSource => {
            let event = Event::new(EventKind::Cancelled, "Cancelled before it began").by(by);
            Ok(change.finish(State::Cancelled { reason: CancelReason::Requested }, event).done())
        }
        State::Queued { at } | State::Paused { at, .. } | State::NeedsSupport { at, .. } => {
            Ok(change.begin_clean_up(at, by).done())
        }
        State::Running { .. } => {
            if matches!(change.next.request, Some(Request::Cancel { .. })) {
                return Ok(change.done());
            }
            change.next.request = Some(Request::Cancel { by: by.clone() });
            Ok(change.event(Event::new(EventKind::Requested, "Cancel requested").by(by)).done())
        }
        State::Succeeded | State::Cancelled { .. } | State::Rejected { .. } | State::RolledBack => {
            Err(change.refuse(verb))
        }
    }
}

fn pause(mut change: Change, by: String, verb: &'static str) -> Result<Transition, Refusal> {
    match change.next.state.clone() {
        State::Queued { at } => Ok(change.pause(at, PauseReason::Person, None, None).by(by).done()),
        State::Running { .. } => {
            if change.next.request.is_some() {
                return Ok(change.done());
            }
            change.next.request = Some(Request::Pause { by: by.clone() });
            Ok(change.event(Event::new(EventKind::Requested, "Pause requested").by(by)).done())
        }
        State::Paused { at, reason, code } => match reason {
            PauseReason::Person => Ok(change.done()),
            PauseReason::Credentials | PauseReason::SourceRateLimit | PauseReason::Approval => {
                Ok(change.pause(at, PauseReason::Person, code, None).by(by).done())
            }
        },
        State::AwaitingSource
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}

impl Change {
    /// Says who asked for the events so far.
    pub(super) fn by(mut self, who: String) -> Self {
        for event in &mut self.effects.events {
            event.by.clone_from(&who);
        }
        self
    }
}

fn resume(mut change: Change, by: String, verb: &'static str) -> Result<Transition, Refusal> {
    match change.next.state.clone() {
        State::Paused { at, .. } => {
            change.reset_counters();
            Ok(change
                .queue(at, Duration::ZERO)
                .event(Event::new(EventKind::Resumed, "Resumed").by(by))
                .done())
        }
        State::Running { .. } if matches!(change.next.request, Some(Request::Pause { .. })) => {
            change.next.request = None;
            Ok(change
                .event(Event::new(EventKind::Resumed, "The request to pause was withdrawn").by(by))
                .done())
        }
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}

/// New credentials wake a migration that waits for them; for any other they are no news.
fn credentials_replaced(mut change: Change, by: String) -> Transition {
    match change.next.state.clone() {
        State::Paused { at, reason: PauseReason::Credentials, .. } => {
            change.reset_counters();
            change
                .queue(at, Duration::ZERO)
                .event(Event::new(EventKind::Resumed, "Goes on with the new credentials").by(by))
                .done()
        }
        State::Paused { .. }
        | State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => change.done(),
    }
}

fn roll_back(mut change: Change, by: String, verb: &'static str) -> Result<Transition, Refusal> {
    match change.next.state {
        State::Succeeded => {
            change.next.goal = Goal::RollBack;
            change.next.generation = change.next.generation.saturating_add(1);
            change.next.ended_at = None;
            change.reset_counters();
            Ok(change
                .queue(Position::first(Phase::Import), Duration::ZERO)
                .event(
                    Event::new(EventKind::Requested, "Roll back: the old site is being brought back").by(by),
                )
                .done())
        }
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}

/// How support sends it round.
struct Round {
    from: ReplayFrom,
    reason: String,
    options: Option<Box<Options>>,
    delay: Duration,
}

fn replay(mut change: Change, by: String, round: Round, verb: &'static str) -> Result<Transition, Refusal> {
    let Round { from, reason, options, delay } = round;
    match change.next.state.clone() {
        State::NeedsSupport { at, case, .. } => {
            let phase = match (from, change.next.goal) {
                (ReplayFrom::Checkpoint, _) | (_, Goal::CleanUp | Goal::RollBack) => at.phase,
                (ReplayFrom::Phase(phase), Goal::Deliver) if phase <= at.phase => phase,
                (ReplayFrom::Phase(_), Goal::Deliver) => return Err(change.refuse(verb)),
                (ReplayFrom::Start, Goal::Deliver) => Phase::Snapshot,
            };
            if from != ReplayFrom::Checkpoint {
                change.effects.checkpoint = CheckpointEffect::Clear;
                change.next.outputs.retain(|done, _| *done < phase);
            }
            change.next.generation = change.next.generation.saturating_add(1);
            change.reset_counters();
            let facts = serde_json::json!({
                "case": case, "reason": reason, "phase": phase, "options_changed": options.is_some(),
            });
            if let Some(options) = options {
                change.next.options = *options;
            }
            Ok(change
                .queue(Position::first(phase), delay)
                .event(
                    Event::new(EventKind::Replayed, format!("Replayed by support: {reason}"))
                        .with(facts)
                        .by(by),
                )
                .done())
        }
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::Paused { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.refuse(verb)),
    }
}
