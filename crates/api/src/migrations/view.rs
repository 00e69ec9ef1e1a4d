//! How a migration looks outside.

use landfall_common::migration::{CancelReason, Goal, Options, PauseReason, Request, State, StateName};
use landfall_common::progress::Progress;
use landfall_common::records::Versioned;
use landfall_common::site::{DestinationSpec, SourceSpec};
use landfall_common::{CaseId, ErrorCode, Migration, MigrationId, Phase};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::body::{OptionsBody, SourceBody};
use crate::problem::Problem;
use crate::state::ApiState;
use crate::view::Moment;

/// A migration.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Migration)]
pub(crate) struct MigrationView {
    /// Its id.
    #[schema(value_type = String, example = "mig_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b")]
    id: MigrationId,
    /// The tenant.
    organization: String,
    /// The site that it goes to.
    site: String,
    /// The site's name.
    site_name: String,
    /// Where it comes from.
    #[schema(value_type = SourceBody)]
    source: SourceSpec,
    /// Where the site will answer; absent for no-op destinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_url: Option<String>,
    /// What its submitter chose.
    #[schema(value_type = OptionsBody)]
    options: Options,
    /// Where it stands.
    #[schema(value_type = String, example = "running")]
    state: StateName,
    /// Whether it has ended.
    is_terminal: bool,
    /// The phase that is due, runs or comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "snapshot")]
    phase: Option<Phase>,
    /// The slice of the phase, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<u32>,
    /// Why it is paused or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The error code behind a pause, a case or a rejection; its page is at `/errors/{code}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<ErrorCode>,
    /// The support case, once there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    case: Option<CaseId>,
    /// What it works towards: `deliver`, `clean_up`, `roll_back`.
    #[schema(value_type = String, example = "deliver")]
    goal: Goal,
    /// What was asked for while a slice runs, and is carried out when it ends: `cancel`, `pause`.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<&'static str>,
    /// 1 at submission; each replay and roll-back starts the next.
    generation: u32,
    /// The last failure, cured or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<FailureView>,
    /// Where mail about it goes.
    owner_email: String,
    /// The token that created it.
    created_by: String,
    created_at: Moment,
    /// When its state last changed.
    changed_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Moment>,
    /// One more with each change; also the `ETag`.
    version: u64,
    /// Live progress; only of one migration, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    progress: Option<Progress>,
    /// Percentage of the phase, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
}

/// A failure.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureView {
    /// Stable and dotted.
    #[schema(value_type = String)]
    code: ErrorCode,
    /// What happened, for people.
    detail: String,
}

impl MigrationView {
    /// The view without live progress.
    pub(crate) fn new(found: Versioned<Migration>) -> Self {
        let Versioned { version, value: migration } = found;
        let position = migration.state.position();
        Self {
            id: migration.id,
            organization: migration.organization.to_string(),
            site: migration.site.to_string(),
            site_name: migration.site_name,
            source: migration.source,
            destination_url: destination_url(&migration.options, &migration.destination),
            options: migration.options,
            state: migration.state.name(),
            is_terminal: migration.state.is_terminal(),
            phase: position.map(|at| at.phase),
            slice: position.map(|at| at.slice),
            reason: reason(&migration.state),
            code: code(&migration.state),
            case: migration.case,
            goal: migration.goal,
            requested: migration.request.map(|request| match request {
                Request::Cancel { .. } => "cancel",
                Request::Pause { .. } => "pause",
            }),
            generation: migration.generation,
            last_failure: migration
                .last_failure
                .map(|failure| FailureView { code: failure.code, detail: failure.detail }),
            owner_email: migration.owner_email,
            created_by: migration.created_by,
            created_at: Moment(migration.created_at),
            changed_at: Moment(migration.changed_at),
            started_at: migration.started_at.map(Moment),
            ended_at: migration.ended_at.map(Moment),
            version,
            progress: None,
            percent: None,
        }
    }

    /// The view with the progress that its worker last reported.
    pub(crate) async fn live(state: &ApiState, found: Versioned<Migration>) -> Result<Self, Problem> {
        let progress = progress_of(state, &found.value).await?;
        let mut view = Self::new(found);
        view.percent = progress.as_ref().and_then(Progress::percent);
        view.progress = progress;
        Ok(view)
    }
}

/// The view as JSON, to be kept and sent again as it was.
pub(crate) fn raw(view: &MigrationView) -> Box<RawValue> {
    serde_json::value::to_raw_value(view).expect("views are plain data")
}

/// What an accepted submission is answered with, now and when it is repeated.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) id: MigrationId,
    pub(crate) body: Box<RawValue>,
}

/// The key of a migration's live progress in the store's ephemeral values.
pub(crate) fn progress_key(id: MigrationId) -> String {
    format!("progress/{id}")
}

/// What the worker of a running migration last reported.
pub(crate) async fn progress_of(
    state: &ApiState,
    migration: &Migration,
) -> Result<Option<Progress>, Problem> {
    if migration.state.name() != StateName::Running {
        return Ok(None);
    }
    let mut values = state.records.store().ephemeral(&[progress_key(migration.id)]).await?;
    // A value that cannot be read is of a newer worker: progress is a nicety, so it is left out.
    Ok(values.pop().flatten().and_then(|value| serde_json::from_slice(&value).ok()))
}

fn destination_url(options: &Options, destination: &DestinationSpec) -> Option<String> {
    match (&options.destination_url, destination) {
        (Some(url), _) => Some(url.to_string()),
        (None, DestinationSpec::Hosted(site)) => Some(site.url.to_string()),
        (None, DestinationSpec::Noop) => None,
    }
}

fn reason(state: &State) -> Option<&'static str> {
    match state {
        State::Paused { reason, .. } => Some(match reason {
            PauseReason::Credentials => "credentials",
            PauseReason::SourceRateLimit => "source_rate_limit",
            PauseReason::Approval => "approval",
            PauseReason::Person => "person",
        }),
        State::Cancelled { reason } => Some(match reason {
            CancelReason::Requested => "requested",
            CancelReason::Expired => "expired",
        }),
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::NeedsSupport { .. }
        | State::Succeeded
        | State::Rejected { .. }
        | State::RolledBack => None,
    }
}

fn code(state: &State) -> Option<ErrorCode> {
    match state {
        State::Paused { code, .. } => code.clone(),
        State::NeedsSupport { code, .. } | State::Rejected { code } => Some(code.clone()),
        State::AwaitingSource
        | State::Queued { .. }
        | State::Running { .. }
        | State::Succeeded
        | State::Cancelled { .. }
        | State::RolledBack => None,
    }
}
