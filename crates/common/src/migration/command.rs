//! What can be asked of a migration.

use std::time::Duration;

use bytes::Bytes;

use super::{Options, Phase};
use crate::{AttemptId, CaseId, Failure, WorkerId};

/// Who asks: a token's id, or a role.
pub type Actor = String;

/// Names one slice of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SliceName {
    /// The generation.
    pub generation: u32,
    /// The phase.
    pub phase: Phase,
    /// The slice.
    pub slice: u32,
}

/// How a slice ended.
#[derive(Debug, Clone, PartialEq)]
pub enum SliceEnd {
    /// There is more to do: the budget is spent, or the worker drains.
    More,
    /// The phase's work is done.
    PhaseDone {
        /// What the next phases need of it: a small JSON object.
        output: serde_json::Value,
    },
    /// It failed.
    Failed(Failure),
}

/// From where a replay goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFrom {
    /// From the checkpoint of the phase that failed.
    Checkpoint,
    /// From the beginning of a phase, at most the one that failed.
    Phase(Phase),
    /// From the beginning.
    Start,
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The source's plugin enrolled.
    Enrol {
        /// Who.
        by: Actor,
        /// The owner's address, from the machine token.
        owner_email: String,
    },
    /// A worker takes a slice.
    Claim {
        /// The slice that its ticket names.
        slice: SliceName,
        /// The worker.
        worker: WorkerId,
        /// Its attempt.
        attempt: AttemptId,
    },
    /// The worker lives.
    Heartbeat {
        /// Its attempt.
        attempt: AttemptId,
    },
    /// The worker saves a checkpoint.
    SaveCheckpoint {
        /// Its attempt.
        attempt: AttemptId,
        /// The checkpoint.
        checkpoint: Bytes,
    },
    /// The worker's slice ended.
    EndSlice {
        /// Its attempt.
        attempt: AttemptId,
        /// How.
        end: SliceEnd,
        /// A last checkpoint to save with it.
        checkpoint: Option<Bytes>,
        /// The id for a case, should one be opened.
        case: CaseId,
    },
    /// The reconciler found the lease run out.
    ExpireLease {
        /// The attempt that it saw.
        attempt: AttemptId,
        /// The id for a case, should one be opened.
        case: CaseId,
    },
    /// The timer of a wait ran out.
    Wake {
        /// The id for a case, should one be opened.
        case: CaseId,
    },
    /// Somebody cancels.
    Cancel {
        /// Who.
        by: Actor,
    },
    /// Somebody pauses.
    Pause {
        /// Who.
        by: Actor,
    },
    /// Somebody or something lets it go on.
    Resume {
        /// Who.
        by: Actor,
    },
    /// The site's credentials were replaced.
    CredentialsReplaced {
        /// Who.
        by: Actor,
    },
    /// Somebody wants the old site back.
    RollBack {
        /// Who.
        by: Actor,
    },
    /// Support sends it round again.
    Replay {
        /// Who.
        by: Actor,
        /// From where.
        from: ReplayFrom,
        /// Why; kept for the audit.
        reason: String,
        /// What its submitter chose, edited by support; none: as it is.
        options: Option<Box<Options>>,
        /// How long its first slice waits: many that are sent round together do not start together.
        delay: Duration,
    },
}

impl Command {
    /// The command as a verb, for refusals.
    pub const fn verb(&self) -> &'static str {
        match self {
            Command::Enrol { .. } => "enrol a source",
            Command::Claim { .. } => "be claimed",
            Command::Heartbeat { .. } => "take a heartbeat",
            Command::SaveCheckpoint { .. } => "save a checkpoint",
            Command::EndSlice { .. } => "end a slice",
            Command::ExpireLease { .. } => "expire a lease",
            Command::Wake { .. } => "be woken",
            Command::Cancel { .. } => "be cancelled",
            Command::Pause { .. } => "be paused",
            Command::Resume { .. } => "be resumed",
            Command::CredentialsReplaced { .. } => "take new credentials",
            Command::RollBack { .. } => "be rolled back",
            Command::Replay { .. } => "be replayed",
        }
    }
}
