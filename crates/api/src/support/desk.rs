//! `POST /v1/support/cases/{id}/claim`, `…/release` and `…/notes`: who works on a case, and what they found.

use axum::Json;
use axum::extract::State;
use landfall_common::case::{NOTES_MAX, Note, SupportCase};
use landfall_common::ports::{Commit, CommitError};
use landfall_common::{CaseId, StoreTime};
use serde::Deserialize;
use serde_json::json;

use super::view::CaseView;
use super::{PROSE_MAX, TRIES_MAX, case, put};
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, PathId};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};

/// Who takes a case.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Claim)]
pub(crate) struct ClaimBody {
    /// Take it from whoever has it.
    take_over: bool,
}

/// A note.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNote)]
pub(crate) struct NoteBody {
    /// Up to 2,000 characters. Not for secrets.
    #[schema(required, nullable = false)]
    text: Option<String>,
}

/// Take a case: others see who works on it.
#[utoipa::path(
    post, path = "/v1/support/cases/{id}/claim", tag = "support", request_body = ClaimBody,
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case as it is now", body = CaseView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn claim_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
    JsonBody(body): JsonBody<ClaimBody>,
) -> Result<Json<CaseView>, Problem> {
    let me = principal.actor.clone();
    change(&state, &principal, id, "case.claim", |case, _| {
        match &case.claimed_by {
            Some(other) if *other != me && !body.take_over => {
                return Err(Problem::conflict(format!(
                    "{other} works on the case; \"take_over\": true takes it"
                )));
            }
            Some(_) | None => case.claimed_by = Some(me.clone()),
        }
        Ok(())
    })
    .await
}

/// Give a case back.
#[utoipa::path(
    post, path = "/v1/support/cases/{id}/release", tag = "support",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case as it is now", body = CaseView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn release_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
) -> Result<Json<CaseView>, Problem> {
    change(&state, &principal, id, "case.release", |case, _| {
        case.claimed_by = None;
        Ok(())
    })
    .await
}

/// Add a note to a case.
#[utoipa::path(
    post, path = "/v1/support/cases/{id}/notes", tag = "support", request_body = NoteBody,
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case as it is now", body = CaseView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn note_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
    JsonBody(body): JsonBody<NoteBody>,
) -> Result<Json<CaseView>, Problem> {
    let mut faults = Faults::default();
    let text = faults.required("text", body.text, prose(PROSE_MAX));
    let text = faults.finish(text)?;
    let by = principal.actor.clone();
    change(&state, &principal, id, "case.note", |case, at| {
        if case.notes.len() >= NOTES_MAX {
            return Err(Problem::conflict(format!("the case has {NOTES_MAX} notes already")));
        }
        case.notes.push(Note { at, by: by.clone(), text: text.clone() });
        Ok(())
    })
    .await
}

/// Changes a case, and starts again where it changed at the same time.
async fn change(
    state: &ApiState,
    principal: &Principal,
    id: CaseId,
    action: &str,
    edit: impl Fn(&mut SupportCase, StoreTime) -> Result<(), Problem>,
) -> Result<Json<CaseView>, Problem> {
    principal.may(Permission::Support)?;
    for _ in 0..TRIES_MAX {
        let found = case(state, id).await?;
        let (now, _) = state.records.store().load(&[]).await?;
        let mut next = found.value.clone();
        edit(&mut next, now)?;
        let mut commit = Commit::new(state.records.request());
        put(&mut commit, &found, &next);
        audit(&mut commit, principal, action, json!({ "case": id, "migration": next.migration }));
        match state.records.commit(&commit).await {
            Ok(_) => return Ok(Json(CaseView::new(next))),
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the case changes all the time; try again"))
}
