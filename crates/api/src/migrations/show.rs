//! `GET /v1/migrations/{id}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use landfall_common::MigrationId;

use super::view::MigrationView;
use super::visible;
use crate::auth::Principal;
use crate::extract::{PathId, etag};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// Show a migration, with live progress while it runs.
#[utoipa::path(
    get, path = "/v1/migrations/{id}", tag = "migrations",
    params(("id" = String, Path, description = "The migration")),
    responses(
        (status = 200, description = "The migration", body = MigrationView, headers(
            ("ETag" = String, description = "Its version, for If-Match"),
        )),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn show_migration(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<MigrationId>,
) -> Result<Response, Problem> {
    let (_, found) = visible(&state, &principal, id).await?;
    let tag = etag(found.version);
    let view = MigrationView::live(&state, found).await?;
    Ok(([tag], Json(view)).into_response())
}
