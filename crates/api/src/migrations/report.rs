//! `GET /v1/migrations/{id}/report`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use landfall_common::MigrationId;
use landfall_common::ports::DocumentKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::visible;
use crate::auth::Principal;
use crate::extract::{PathId, prefers};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// The document as the worker writes it.
#[derive(Debug, Deserialize)]
struct Report {
    json: Box<RawValue>,
    text: String,
}

fn none_yet() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "api.not_found", "there is no report yet")
}

/// The proof of a finished migration: what was carried, left out, rewritten and probed.
#[utoipa::path(
    get, path = "/v1/migrations/{id}/report", tag = "migrations",
    params(("id" = String, Path, description = "The migration")),
    responses(
        (status = 200, description = "The report; as text with `Accept: text/plain`", content(
            (serde_json::Value = "application/json"),
            (String = "text/plain"),
        )),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn migration_report(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<MigrationId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    visible(&state, &principal, id).await?;
    let (_, found) = state.records.read::<Report>(DocumentKind::Report, id).await?;
    let report = found.ok_or_else(none_yet)?.value;
    let vary = (header::VARY, "accept");
    if prefers(&headers, "text/plain") {
        let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
        return Ok(([kind, vary], report.text).into_response());
    }
    let kind = (header::CONTENT_TYPE, "application/json");
    Ok(([kind, vary], report.json.get().to_owned()).into_response())
}
