//! What a worker does through its lease.

use bytes::Bytes;

use super::apply::Change;
use super::state::{Lease, State};
use super::{
    CHECKPOINT_MAX, CheckpointEffect, Dispatch, LEASE, LeaseEffect, Refusal, SliceName, TimerEffect,
    Transition,
};
use crate::event::{Event, EventKind};
use crate::{AttemptId, WorkerId};

/// A worker takes the slice that its ticket names. Anything else than that slice, queued, is stale: the
/// ticket was a duplicate, came late, or was overtaken.
pub(super) fn claim(
    mut change: Change,
    slice: SliceName,
    worker: WorkerId,
    attempt: AttemptId,
) -> Result<Transition, Refusal> {
    let at = match change.next.state {
        State::Queued { at }
            if slice.generation == change.next.generation
                && slice.phase == at.phase
                && slice.slice == at.slice =>
        {
            at
        }
        State::Queued { .. }
        | State::AwaitingSource
        | State::Running { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => return Err(change.stale()),
    };
    // The clock keeps the token ahead even where the store lost its last commits.
    let token = change.next.token.saturating_add(1).max(change.now.as_micros());
    change.next.token = token;
    change.next.state = State::Running { at, lease: Lease { worker, attempt, token } };
    change.next.changed_at = change.now;
    change.next.started_at.get_or_insert(change.now);
    change.effects.dispatch = Dispatch::Withdraw;
    change.effects.lease = LeaseEffect::Renew(LEASE);
    change.effects.timer = TimerEffect::Clear;
    let facts = serde_json::json!({ "phase": at.phase, "slice": at.slice, "worker": worker, "token": token });
    let message = format!("{} slice {} runs", at.phase, at.slice);
    Ok(change.event(Event::new(EventKind::SliceClaimed, message).with(facts)).done())
}

/// The worker lives: its lease is renewed, the document stays as it is.
pub(super) fn heartbeat(mut change: Change, attempt: AttemptId) -> Result<Transition, Refusal> {
    held(&change, attempt)?;
    change.effects.lease = LeaseEffect::Renew(LEASE);
    Ok(change.done())
}

/// A checkpoint is progress: it renews the lease and sets the counters of trouble back.
pub(super) fn save_checkpoint(
    mut change: Change,
    attempt: AttemptId,
    checkpoint: Bytes,
) -> Result<Transition, Refusal> {
    held(&change, attempt)?;
    put_checkpoint(&mut change, checkpoint)?;
    change.effects.lease = LeaseEffect::Renew(LEASE);
    Ok(change.done())
}

pub(super) fn put_checkpoint(change: &mut Change, checkpoint: Bytes) -> Result<(), Refusal> {
    if checkpoint.len() > CHECKPOINT_MAX {
        return Err(Refusal::CheckpointTooLarge { bytes: checkpoint.len() });
    }
    change.reset_counters();
    change.effects.checkpoint = CheckpointEffect::Put(checkpoint);
    Ok(())
}

/// The slice that the attempt holds; stale where it holds none.
pub(super) fn held(change: &Change, attempt: AttemptId) -> Result<super::Position, Refusal> {
    match change.next.state {
        State::Running { at, lease } if lease.attempt == attempt => Ok(at),
        State::Running { .. }
        | State::AwaitingSource
        | State::Queued { .. }
        | State::Paused { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::Rejected { .. }
        | State::RolledBack => Err(change.stale()),
    }
}
