//! What a migration is.

use serde::{Deserialize, Serialize};
use url::Url;

use super::start::StartTimes;
use crate::site::{DestinationSpec, SourceSpec};
use crate::{AttemptId, CaseId, ErrorCode, MigrationId, OrganizationId, SiteId, StoreTime, WorkerId};

/// The phases, in their order. Each has its own queue and can have its own worker pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reads the source into the staging storage.
    Snapshot,
    /// Puts the files beside the live ones at the destination.
    Transfer,
    /// Loads the database, cuts over, proves; also rolls back and cleans up.
    Import,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Phase; 3] = [Phase::Snapshot, Phase::Transfer, Phase::Import];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Snapshot => "snapshot",
            Phase::Transfer => "transfer",
            Phase::Import => "import",
        }
    }

    /// The phase after this one.
    pub const fn next(self) -> Option<Phase> {
        match self {
            Phase::Snapshot => Some(Phase::Transfer),
            Phase::Transfer => Some(Phase::Import),
            Phase::Import => None,
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A slice's place: its phase and its number within the generation and phase, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The phase.
    pub phase: Phase,
    /// The slice's number.
    pub slice: u32,
}

impl Position {
    /// The first slice of a phase.
    pub const fn first(phase: Phase) -> Self {
        Self { phase, slice: 1 }
    }

    /// The slice after this one.
    #[must_use]
    pub const fn next_slice(self) -> Self {
        Self { phase: self.phase, slice: self.slice.saturating_add(1) }
    }
}

/// The right of one worker to run one slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker.
    pub worker: WorkerId,
    /// The attempt, drawn at random.
    pub attempt: AttemptId,
    /// The fencing token.
    pub token: u64,
}

/// What a paused migration waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// New or other credentials, or something else that its owner must set right.
    Credentials,
    /// The time that the source asked to be left alone.
    SourceRateLimit,
    /// A person's approval of the cut-over.
    Approval,
    /// A person paused it.
    Person,
}

/// Why a migration was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Somebody cancelled it.
    Requested,
    /// The source never enrolled.
    Expired,
}

/// Where a migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum State {
    /// An enrolment is awaited from the source's plugin.
    AwaitingSource,
    /// A slice is due, now or later.
    Queued {
        /// The slice.
        #[serde(flatten)]
        at: Position,
    },
    /// A worker runs a slice.
    Running {
        /// The slice.
        #[serde(flatten)]
        at: Position,
        /// Its lease.
        lease: Lease,
    },
    /// It waits for something, and goes on from there.
    Paused {
        /// The slice that comes next.
        #[serde(flatten)]
        at: Position,
        /// What it waits for.
        reason: PauseReason,
        /// The code of the failure that led to it; none where a person paused it.
        code: Option<ErrorCode>,
    },
    /// A support case is open.
    NeedsSupport {
        /// The slice that failed.
        #[serde(flatten)]
        at: Position,
        /// The case.
        case: CaseId,
        /// Why.
        code: ErrorCode,
    },
    /// The site has arrived.
    Succeeded,
    /// It was cancelled, and nothing of it is left at the destination.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
    /// It cannot be done this way.
    Rejected {
        /// Why; its page names the way that fits.
        code: ErrorCode,
    },
    /// It had arrived, and the old site was brought back.
    RolledBack,
}

/// The name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the name of the variant of `State` that has the docs")]
pub enum StateName {
    AwaitingSource,
    Queued,
    Running,
    Paused,
    NeedsSupport,
    Succeeded,
    Cancelled,
    Rejected,
    RolledBack,
}

impl StateName {
    /// All of them.
    pub const ALL: [StateName; 9] = [
        StateName::AwaitingSource,
        StateName::Queued,
        StateName::Running,
        StateName::Paused,
        StateName::NeedsSupport,
        StateName::Succeeded,
        StateName::Cancelled,
        StateName::Rejected,
        StateName::RolledBack,
    ];

    /// The name in JSON and in index names.
    pub const fn as_str(self) -> &'static str {
        match self {
            StateName::AwaitingSource => "awaiting_source",
            StateName::Queued => "queued",
            StateName::Running => "running",
            StateName::Paused => "paused",
            StateName::NeedsSupport => "needs_support",
            StateName::Succeeded => "succeeded",
            StateName::Cancelled => "cancelled",
            StateName::Rejected => "rejected",
            StateName::RolledBack => "rolled_back",
        }
    }
}

impl std::fmt::Display for StateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl State {
    /// Its name.
    pub const fn name(&self) -> StateName {
        match self {
            State::AwaitingSource => StateName::AwaitingSource,
            State::Queued { .. } => StateName::Queued,
            State::Running { .. } => StateName::Running,
            State::Paused { .. } => StateName::Paused,
            State::NeedsSupport { .. } => StateName::NeedsSupport,
            State::Succeeded => StateName::Succeeded,
            State::Cancelled { .. } => StateName::Cancelled,
            State::Rejected { .. } => StateName::Rejected,
            State::RolledBack => StateName::RolledBack,
        }
    }

    /// Whether the site is free for another migration. `needs_support` is not: a replay may follow.
    pub const fn is_terminal(&self) -> bool {
        match self {
            State::AwaitingSource
            | State::Queued { .. }
            | State::Running { .. }
            | State::Paused { .. }
            | State::NeedsSupport { .. } => false,
            State::Succeeded | State::Cancelled { .. } | State::Rejected { .. } | State::RolledBack => true,
        }
    }

    /// The slice that is due, runs, or comes next.
    pub const fn position(&self) -> Option<Position> {
        match self {
            State::Queued { at }
            | State::Running { at, .. }
            | State::Paused { at, .. }
            | State::NeedsSupport { at, .. } => Some(*at),
            State::AwaitingSource
            | State::Succeeded
            | State::Cancelled { .. }
            | State::Rejected { .. }
            | State::RolledBack => None,
        }
    }
}

/// What its slices work towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The site at its destination.
    Deliver,
    /// The destination as if nothing had been.
    CleanUp,
    /// The old site back at the destination.
    RollBack,
}

/// What somebody asked for while a slice was running; carried out when the slice ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Request {
    /// Cancel.
    Cancel {
        /// Who.
        by: String,
    },
    /// Pause.
    Pause {
        /// Who.
        by: String,
    },
}

/// A server path at the source and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathPair {
    /// Absolute path at the source.
    pub from: String,
    /// Absolute path at the destination.
    pub to: String,
}

/// Which of an organization's migrations go first. Other organizations are not affected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before the others.
    High,
    /// In their order.
    #[default]
    Normal,
    /// When no other is due.
    Low,
}

impl Priority {
    /// All of them, the first first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    fn is_normal(&self) -> bool {
        *self == Priority::Normal
    }
}

/// What its submitter chose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether a site that is at the destination may be replaced.
    pub overwrite: bool,
    /// The URL that the site will have, where it is not the one that the destination answers at (a final domain).
    pub destination_url: Option<Url>,
    /// Patterns left out besides the usual ones.
    pub exclude: Vec<String>,
    /// Patterns of the usual list that are not to be left out.
    pub include: Vec<String>,
    /// Server paths that are rewritten, besides the document root's.
    pub paths: Vec<PathPair>,
    /// Which of the organization's migrations go first.
    #[serde(skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// When slices may start.
    #[serde(skip_serializing_if = "StartTimes::is_always")]
    pub start: StartTimes,
    /// For tests of the way to support: the no-op source fails its first slices with this code.
    pub noop_fail: Option<ErrorCode>,
}

/// How long it waits for people. The operator's settings, as they were when it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// How long a pause waits to be cured before it becomes a support case.
    pub cure: std::time::Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { cure: super::PAUSE_WAIT }
    }
}

/// One migration: the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// Document schema.
    pub schema: u16,
    /// Its id.
    pub id: MigrationId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The site that it goes to.
    pub site: SiteId,
    /// The site's name, for people.
    pub site_name: String,
    /// Where it comes from.
    pub source: SourceSpec,
    /// Where it goes to, as it was when the migration was created. Secrets are the site's, read at each claim.
    pub destination: DestinationSpec,
    /// What its submitter chose.
    pub options: Options,
    /// Where mail to the owner goes; empty: nowhere.
    pub owner_email: String,
    /// Who created it: a token's id.
    pub created_by: String,
    /// 1 at submission; each replay starts the next.
    pub generation: u32,
    /// Where it stands.
    pub state: State,
    /// What its slices work towards.
    pub goal: Goal,
    /// What was asked for while a slice runs.
    pub request: Option<Request>,
    /// The highest fencing token given out.
    pub token: u64,
    /// Claims in a row that ended by lease expiry without a new checkpoint.
    pub lost_claims: u32,
    /// Failures in a row without a new checkpoint.
    pub failures: u32,
    /// The last failure.
    pub last_failure: Option<crate::Failure>,
    /// The support case, once there was one.
    pub case: Option<CaseId>,
    /// What each finished phase left for the next ones: small JSON objects, by phase.
    pub outputs: std::collections::BTreeMap<Phase, serde_json::Value>,
    /// How long it waits for people.
    #[serde(default)]
    pub waits: Waits,
    /// When it was created.
    pub created_at: StoreTime,
    /// When its state last changed.
    pub changed_at: StoreTime,
    /// When its first slice was claimed.
    pub started_at: Option<StoreTime>,
    /// When it ended.
    pub ended_at: Option<StoreTime>,
}

impl Migration {
    /// The hosts whose load caps protect: the source's, then the destination's.
    pub fn hosts(&self) -> (Option<String>, Option<String>) {
        (self.source.host(), self.destination.host())
    }
}
