//! `POST /v1/support/cases/{id}/resolve`.

use axum::Json;
use axum::extract::State;
use landfall_common::CaseId;
use landfall_common::case::{CaseState, SupportCase};
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::Command;
use landfall_common::ports::{Commit, CommitError};
use landfall_common::records::{ApplyError, Versioned, stream};
use serde::Deserialize;

use super::view::CaseView;
use super::{PROSE_MAX, TRIES_MAX, case, put, stopped_by};
use crate::audit::{audit, line};
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, PathId, TraceParent};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};

/// How a case is closed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resolve)]
pub(crate) struct ResolveBody {
    /// What was found and done.
    #[schema(required, nullable = false)]
    resolution: Option<String>,
    /// Cancel the migration with it: needed while the migration is stopped by the case, so that it does not wait for
    /// nobody. What was begun at the destination is cleaned up, and the site is free again.
    #[serde(default)]
    cancel: bool,
}

/// Close a case. While the migration is still stopped by it, replay it instead, or cancel the migration with it.
#[utoipa::path(
    post, path = "/v1/support/cases/{id}/resolve", tag = "support", request_body = ResolveBody,
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case as it is now", body = CaseView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn resolve_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
    TraceParent(traceparent): TraceParent,
    JsonBody(body): JsonBody<ResolveBody>,
) -> Result<Json<CaseView>, Problem> {
    principal.may(Permission::Support)?;
    let mut faults = Faults::default();
    let resolution = faults.required("resolution", body.resolution, prose(PROSE_MAX));
    let resolution = faults.finish(resolution)?;
    for _ in 0..TRIES_MAX {
        let found = case(&state, id).await?;
        if matches!(found.value.state, CaseState::Resolved { .. }) {
            return Err(Problem::conflict("the case is resolved already"));
        }
        let (_, subject) = state.records.migration(found.value.migration).await?;
        let is_stopped = subject.is_some_and(|subject| stopped_by(&subject.value) == Some(id));
        if is_stopped && !body.cancel {
            return Err(Problem::conflict(
                "the migration is still stopped by this case: replay it, or resolve the case with \"cancel\": true",
            ));
        }
        let closing = Closing { found, resolution: resolution.clone(), cancels: is_stopped };
        if let Some(closed) = close(&state, &principal, closing, &traceparent).await? {
            return Ok(Json(CaseView::new(closed)));
        }
    }
    Err(Problem::conflict("the case changes all the time; try again"))
}

struct Closing {
    found: Versioned<SupportCase>,
    resolution: String,
    /// The migration goes with it.
    cancels: bool,
}

/// None where something changed at the same time.
async fn close(
    state: &ApiState,
    principal: &Principal,
    closing: Closing,
    traceparent: &str,
) -> Result<Option<SupportCase>, Problem> {
    let Closing { found, resolution, cancels } = closing;
    let resolved = CaseState::Resolved { resolution: resolution.clone() };
    let next = SupportCase { state: resolved, ..found.value.clone() };
    let (id, migration) = (next.id, next.migration);
    let amend = |commit: &mut Commit| {
        put(commit, &found, &next);
        let event = Event::new(EventKind::CaseResolved, format!("Support closed the case: {resolution}"))
            .with(serde_json::json!({ "case": id }))
            .by(principal.actor.clone());
        let timeline = stream::migration(migration);
        commit.events.push(line(timeline, &event, Some(stream::MIGRATION_KEEP)));
        let facts = serde_json::json!({
            "case": id, "migration": migration, "resolution": resolution, "cancel": cancels,
        });
        audit(commit, principal, "case.resolve", facts);
    };
    if cancels {
        let command = Command::Cancel { by: principal.actor.clone() };
        let applied = state.records.apply(migration, command, traceparent, |_, commit| amend(commit)).await;
        return match applied {
            Ok(_) => Ok(Some(next.clone())),
            Err(ApplyError::Overtaken { .. } | ApplyError::Conflict { .. }) => Ok(None),
            Err(ApplyError::Missing(_)) => Err(Problem::not_found("migration")),
            Err(ApplyError::Refused(refusal)) => Err(refusal.into()),
            Err(ApplyError::Record(error)) => Err(error.into()),
        };
    }
    let mut commit = Commit::new(state.records.request());
    amend(&mut commit);
    match state.records.commit(&commit).await {
        Ok(_) => Ok(Some(next.clone())),
        Err(CommitError::Conflict { .. }) => Ok(None),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
