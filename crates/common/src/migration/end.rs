//! How a slice ends, and what comes after it.

use std::time::Duration;

use bytes::Bytes;

use super::apply::Change;
use super::claim::{held, put_checkpoint};
use super::state::{Goal, PauseReason, Phase, Position, Request, State};
use super::{CancelReason, CheckpointEffect, LOST_CLAIMS_MAX, MailKind, Refusal, SliceEnd, Transition};
use crate::codes::{Class, Schedule, ScheduleEnd};
use crate::event::{Event, EventKind};
use crate::{AttemptId, CaseId, Failure};

/// Pauses in a row, without a checkpoint between them, for a source that wants to be left alone.
const RATE_LIMIT_PAUSES_MAX: u32 = 100;

pub(super) fn end_slice(
    mut change: Change,
    attempt: AttemptId,
    end: SliceEnd,
    checkpoint: Option<Bytes>,
    case: CaseId,
) -> Result<Transition, Refusal> {
    let at = held(&change, attempt)?;
    if let Some(checkpoint) = checkpoint {
        put_checkpoint(&mut change, checkpoint)?;
    }
    Ok(match end {
        SliceEnd::More => more(change, at),
        SliceEnd::PhaseDone { output } => phase_done(change, at, output),
        SliceEnd::Failed(failure) => failed(change, at, failure, case),
    })
}

fn more(change: Change, at: Position) -> Transition {
    let next = at.next_slice();
    let message = format!("{} slice {} ended with work left", at.phase, at.slice);
    let change = change.event(Event::new(EventKind::SliceEnded, message));
    go_on(change, next, Duration::ZERO).done()
}

/// The next slice is queued, unless somebody asked for something else while this one ran.
fn go_on(mut change: Change, next: Position, delay: Duration) -> Change {
    match change.next.request.take() {
        Some(Request::Cancel { by }) => change.begin_clean_up(next, by),
        Some(Request::Pause { by }) => change.pause(next, PauseReason::Person, None, None).by(by),
        None => change.queue(next, delay),
    }
}

fn phase_done(mut change: Change, at: Position, output: serde_json::Value) -> Transition {
    change.reset_counters();
    change.effects.checkpoint = CheckpointEffect::Clear;
    match change.next.goal {
        Goal::Deliver => {
            change.next.outputs.insert(at.phase, output);
            let change = change.event(Event::new(EventKind::PhaseDone, format!("{} is done", at.phase)));
            match at.phase.next() {
                Some(phase) => go_on(change, Position::first(phase), Duration::ZERO).done(),
                None => succeed(change),
            }
        }
        Goal::CleanUp => {
            let event =
                Event::new(EventKind::Cancelled, "Cancelled; nothing of it is left at the destination");
            change.finish(State::Cancelled { reason: CancelReason::Requested }, event).done()
        }
        Goal::RollBack => {
            let event = Event::new(EventKind::RolledBack, "The old site is back");
            change.finish(State::RolledBack, event).done()
        }
    }
}

/// The site has arrived. A request to cancel or pause that came after the cut-over is too late.
fn succeed(mut change: Change) -> Transition {
    change.effects.mail = Some(MailKind::Completed);
    let message = match change.next.request {
        None => "The site has arrived",
        Some(Request::Cancel { .. } | Request::Pause { .. }) => {
            "The site has arrived; the request came too late, roll back instead"
        }
    };
    change.finish(State::Succeeded, Event::new(EventKind::Succeeded, message)).done()
}

fn failed(mut change: Change, at: Position, failure: Failure, case: CaseId) -> Transition {
    change.next.last_failure = Some(failure.clone());
    change.next.failures = change.next.failures.saturating_add(1);
    if let Some(Request::Cancel { by }) = change.next.request.clone() {
        change.next.request = None;
        return change.begin_clean_up(at.next_slice(), by).done();
    }
    match failure.code.class() {
        Class::Retryable(schedule) => retry(change, at, failure, schedule, case),
        Class::Pause(PauseReason::SourceRateLimit) if change.next.failures > RATE_LIMIT_PAUSES_MAX => {
            change.need_support(at, case, failure).done()
        }
        Class::Pause(reason) => {
            let wait = failure.retry_after;
            change.pause(at.next_slice(), reason, Some(failure.code), wait).done()
        }
        Class::Support => change.need_support(at, case, failure).done(),
        Class::Reject if at.phase == Phase::Snapshot && change.next.goal == Goal::Deliver => {
            let message = format!("Cannot be done this way ({}): {}", failure.code, failure.detail);
            let event = Event::new(EventKind::Rejected, message);
            change.finish(State::Rejected { code: failure.code }, event).done()
        }
        Class::Reject => change.need_support(at, case, failure).done(),
    }
}

fn retry(change: Change, at: Position, failure: Failure, schedule: Schedule, case: CaseId) -> Transition {
    let failures = change.next.failures;
    if failures >= schedule.failures_max {
        return match schedule.then {
            ScheduleEnd::Support => change.need_support(at, case, failure).done(),
            ScheduleEnd::Pause(reason) => {
                change.pause(at.next_slice(), reason, Some(failure.code), failure.retry_after).done()
            }
        };
    }
    let jittered = jitter(&change, at, schedule.wait(failures));
    let delay = failure.retry_after.map_or(jittered, |asked| asked.max(jittered));
    let message = format!(
        "{} slice {} failed ({}): {}; again in {} s",
        at.phase,
        at.slice,
        failure.code,
        failure.detail,
        delay.as_secs().max(1)
    );
    let change = change.event(Event::new(EventKind::RetryScheduled, message).with(serde_json::json!({
        "code": failure.code, "failure": failures, "delay_ms": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
    })));
    go_on(change, at.next_slice(), delay).done()
}

/// Spreads a wait over 75 % to 125 % of itself, by the slice's name: pure, and different for each migration.
fn jitter(change: &Change, at: Position, wait: Duration) -> Duration {
    let name = format!("{}/{}/{}/{}", change.next.id, change.next.generation, at.phase, at.slice);
    let spread = u32::from(blake3::hash(name.as_bytes()).as_bytes()[0]);
    wait * (192 + spread / 2) / 256
}

/// The lease ran out: the worker died, hung or lost the store.
pub(super) fn expire_lease(
    mut change: Change,
    attempt: AttemptId,
    case: CaseId,
) -> Result<Transition, Refusal> {
    let at = held(&change, attempt)?;
    change.next.lost_claims = change.next.lost_claims.saturating_add(1);
    let message = format!("The worker of {} slice {} gave no sign of life", at.phase, at.slice);
    let facts = serde_json::json!({ "lost_claims": change.next.lost_claims });
    let change = change.event(Event::new(EventKind::LeaseExpired, message).with(facts));
    if change.next.lost_claims >= LOST_CLAIMS_MAX {
        let detail =
            format!("{LOST_CLAIMS_MAX} attempts in a row ended without a sign of life at {}", at.phase);
        return Ok(change.need_support(at, case, Failure::new("worker.lost_too_often", detail)).done());
    }
    Ok(go_on(change, at.next_slice(), Duration::ZERO).done())
}
