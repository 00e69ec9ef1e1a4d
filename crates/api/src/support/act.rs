//! `POST /v1/support/cases/{id}/replay` and `…/resolve`.

use axum::Json;
use axum::extract::State;
use landfall_common::case::{CaseState, SupportCase};
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::{Command, Phase, ReplayFrom, State as MigrationState};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Write,
};
use landfall_common::records::{ApplyError, Versioned, index, stream};
use landfall_common::{CaseId, Migration};
use serde::{Deserialize, Serialize};

use super::case;
use super::view::CaseView;
use crate::audit::{audit, line};
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, PathId, TraceParent};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};

/// How often a command starts again when the case changes in the same moment.
const TRIES_MAX: usize = 5;
/// Longest reason or resolution, in characters.
const PROSE_MAX: usize = 2000;

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
}

/// How a case is closed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resolve)]
pub(crate) struct ResolveBody {
    /// What was found and done.
    #[schema(required, nullable = false)]
    resolution: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum From {
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
    let mut faults = Faults::default();
    let from = faults.required("from", body.from, Ok);
    let reason = faults.required("reason", body.reason, prose(PROSE_MAX));
    let (from, reason) = faults.finish(from.zip(reason))?;
    for _ in 0..TRIES_MAX {
        let found = case(&state, id).await?;
        check_is_current(&state, &found.value).await?;
        let next = SupportCase { state: CaseState::Replayed, ..found.value.clone() };
        let command =
            Command::Replay { by: principal.actor.clone(), from: from.place(), reason: reason.clone() };
        let facts = serde_json::json!({
            "case": id, "migration": next.migration, "from": from, "reason": reason,
        });
        let amend = |commit: &mut Commit| {
            close(commit, &found, &next);
            audit(commit, &principal, "case.replay", facts.clone());
        };
        let applied =
            state.records.apply(next.migration, command, &traceparent, |_, commit| amend(commit)).await;
        match applied {
            Ok(_) => {
                tracing::info!(case.id = %id, migration.id = %next.migration, "case replayed");
                return Ok(Json(CaseView::new(next)));
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
    let stopped_by = |migration: &Migration| match migration.state {
        MigrationState::NeedsSupport { case, .. } => Some(case),
        MigrationState::AwaitingSource
        | MigrationState::Queued { .. }
        | MigrationState::Running { .. }
        | MigrationState::Paused { .. }
        | MigrationState::Succeeded
        | MigrationState::Cancelled { .. }
        | MigrationState::Rejected { .. }
        | MigrationState::RolledBack => None,
    };
    if found.is_some_and(|found| stopped_by(&found.value) == Some(case.id)) {
        return Ok(());
    }
    Err(Problem::conflict("the migration is not stopped by this case"))
}

/// Close a case.
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
        let resolved = CaseState::Resolved { resolution: resolution.clone() };
        let next = SupportCase { state: resolved, ..found.value.clone() };
        let mut commit = Commit::new(state.records.request());
        close(&mut commit, &found, &next);
        let event = Event::new(EventKind::CaseResolved, format!("Support closed the case: {resolution}"))
            .with(serde_json::json!({ "case": id }))
            .by(principal.actor.clone());
        let timeline = stream::migration(next.migration);
        commit.events.push(line(timeline, &event, Some(stream::MIGRATION_KEEP)));
        let facts = serde_json::json!({ "case": id, "migration": next.migration, "resolution": resolution });
        audit(&mut commit, &principal, "case.resolve", facts);
        match state.records.commit(&commit).await {
            Ok(_) => return Ok(Json(CaseView::new(next))),
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the case changes all the time; try again"))
}

/// The case is as it was seen, becomes `next`, and waits for nobody any more.
fn close(commit: &mut Commit, seen: &Versioned<SupportCase>, next: &SupportCase) {
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Case, next.id),
        expect: Expect::Version(seen.version),
        write: Write::Put(serde_json::to_vec(next).expect("documents are plain data").into()),
        expires_in: None,
    });
    commit
        .index
        .push(IndexWrite::Remove { index: index::CASES_OPEN.to_owned(), member: next.id.to_string() });
}
