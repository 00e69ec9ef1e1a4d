//! `POST /v1/support/cases/{id}/replay`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use landfall_common::CaseId;
use landfall_common::case::{CaseState, SupportCase};
use landfall_common::migration::{Command, Options, Phase, ReplayFrom};
use landfall_common::ports::Commit;
use landfall_common::records::ApplyError;
use landfall_common::site::SourceSpec;
use serde::{Deserialize, Serialize};

use super::view::CaseView;
use super::{PROSE_MAX, TRIES_MAX, case, put, stopped_by};
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, PathId, TraceParent};
use crate::migrations::body::{OptionsBody, check_options};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};

/// How a case is replayed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay)]
pub(crate) struct ReplayBody {
    /// `checkpoint`, `start`, or a phase up to the one that failed.
    #[schema(required, nullable = false, value_type = String, example = "checkpoint")]
    from: Option<From>,
    /// Why; kept in the timeline and in the audit.
    #[schema(required, nullable = false)]
    reason: Option<String>,
    /// What takes the place of the submitter's options, all of them; as they are where absent.
    options: Option<OptionsBody>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum From {
    Checkpoint,
    Start,
    Snapshot,
    Transfer,
    Import,
}

impl From {
    const fn place(self) -> ReplayFrom {
        match self {
            From::Checkpoint => ReplayFrom::Checkpoint,
            From::Start => ReplayFrom::Start,
            From::Snapshot => ReplayFrom::Phase(Phase::Snapshot),
            From::Transfer => ReplayFrom::Phase(Phase::Transfer),
            From::Import => ReplayFrom::Phase(Phase::Import),
        }
    }
}

/// Send a migration round again.
#[utoipa::path(
    post, path = "/v1/support/cases/{id}/replay", tag = "support", request_body = ReplayBody,
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case as it is now", body = CaseView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn replay_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
    TraceParent(traceparent): TraceParent,
    JsonBody(body): JsonBody<ReplayBody>,
) -> Result<Json<CaseView>, Problem> {
    principal.may(Permission::Support)?;
    let found = case(&state, id).await?;
    let (_, subject) = state.records.migration(found.value.migration).await?;
    let has_source =
        subject.is_some_and(|subject| matches!(subject.value.source, SourceSpec::Wordpress { .. }));
    let mut faults = Faults::default();
    let from = faults.required("from", body.from, Ok);
    let reason = faults.required("reason", body.reason, prose(PROSE_MAX));
    let options = body.options.map(|options| check_options(&mut faults, options, has_source));
    let (from, reason) = faults.finish(from.zip(reason))?;
    let round = Round { from, reason, options: options.map(Box::new), delay: Duration::ZERO };
    let replayed = replay(&state, &principal, id, &round, &traceparent).await?;
    Ok(Json(CaseView::new(replayed)))
}

/// How it goes round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) from: From,
    pub(super) reason: String,
    pub(super) options: Option<Box<Options>>,
    pub(super) delay: Duration,
}

/// Sends the migration of a case round, and returns the case as it is then.
pub(super) async fn replay(
    state: &ApiState,
    principal: &Principal,
    id: CaseId,
    round: &Round,
    traceparent: &str,
) -> Result<SupportCase, Problem> {
    let Round { from, reason, options, delay } = round;
    for _ in 0..TRIES_MAX {
        let found = case(state, id).await?;
        check_is_current(state, &found.value).await?;
        let next = SupportCase { state: CaseState::Replayed, ..found.value.clone() };
        let command = Command::Replay {
            by: principal.actor.clone(),
            from: from.place(),
            reason: reason.clone(),
            options: options.clone(),
            delay: *delay,
        };
        let facts = serde_json::json!({
            "case": id, "migration": next.migration, "from": from, "reason": reason, "options": options,
        });
        let amend = |commit: &mut Commit| {
            put(commit, &found, &next);
            audit(commit, principal, "case.replay", facts.clone());
        };
        let applied =
            state.records.apply(next.migration, command, traceparent, |_, commit| amend(commit)).await;
        match applied {
            Ok(_) => {
                tracing::info!(case.id = %id, migration.id = %next.migration, "case replayed");
                return Ok(next);
            }
            Err(ApplyError::Overtaken { .. } | ApplyError::Conflict { .. }) => {}
            Err(ApplyError::Missing(_)) => return Err(Problem::not_found("migration")),
            Err(ApplyError::Refused(refusal)) => return Err(refusal.into()),
            Err(ApplyError::Record(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the case changes all the time; try again"))
}

/// Only the case that the migration is stopped by can send it round: an older one has been overtaken.
async fn check_is_current(state: &ApiState, case: &SupportCase) -> Result<(), Problem> {
    let (_, found) = state.records.migration(case.migration).await?;
    if found.is_some_and(|found| stopped_by(&found.value) == Some(case.id)) {
        return Ok(());
    }
    Err(Problem::conflict("the migration is not stopped by this case"))
}
