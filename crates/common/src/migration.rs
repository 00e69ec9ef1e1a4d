//! The migration: one document, one pure state machine.
//!
//! [`Migration::apply`] is the only code that moves a migration's state. It has no clock, does no I/O and does
//! not log: callers load the document with the store's time, apply a command, commit what came out, and start
//! again on a conflict.

mod apply;
mod claim;
mod command;
mod effects;
mod end;
mod start;
mod state;

pub use command::{Actor, Command, ReplayFrom, SliceEnd, SliceName};
pub use effects::{
    CheckpointEffect, Delay, Dispatch, Effects, LeaseEffect, MailKind, TimerEffect, Transition,
};
pub use start::{BadHours, Hours, StartTimes, moment};
pub use state::{
    CancelReason, Goal, Lease, Migration, Options, PathPair, PauseReason, Phase, Position, Priority, Request,
    State, StateName, Waits,
};

use crate::StoreTime;

/// How long an enrolment code waits for its source.
pub const SOURCE_WAIT: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);
/// How long a pause waits to be cured before it becomes a support case, unless the operator says otherwise.
pub const PAUSE_WAIT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// How long a lease lasts without a heartbeat.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(30);
/// Claims in a row that may end by lease expiry without a new checkpoint.
pub const LOST_CLAIMS_MAX: u32 = 3;
/// Largest checkpoint, in bytes.
pub const CHECKPOINT_MAX: usize = 64 * 1024;
/// The document schema that this version writes.
pub const SCHEMA: u16 = 1;

/// Why a command was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The slice, attempt or generation named is not the present one: the caller is late.
    #[error("stale: the migration is {state} and past what the command names")]
    Stale {
        /// The present state.
        state: StateName,
    },
    /// The state does not allow the command.
    #[error("a migration that is {state} cannot {command}")]
    NotNow {
        /// The present state.
        state: StateName,
        /// What was asked for, as a verb.
        command: &'static str,
    },
    /// The checkpoint is larger than [`CHECKPOINT_MAX`].
    #[error("the checkpoint has {bytes} bytes, at most {CHECKPOINT_MAX} are allowed")]
    CheckpointTooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl Migration {
    /// Applies one command to the migration as loaded at `now` (the store's time).
    ///
    /// Returns the migration as it will be and everything that the commit must bring about with it.
    pub fn apply(&self, now: StoreTime, command: Command) -> Result<Transition, Refusal> {
        apply::apply(self, now, command)
    }
}
