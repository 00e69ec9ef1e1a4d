//! The WordPress plugin, as the build packed it for this API.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// The plugin for the source site.
#[utoipa::path(
    get, path = "/v1/plugin.zip", tag = "plugin", security(()),
    responses(
        (status = 200, description = "The plugin, ready to be uploaded in wp-admin", content_type = "application/zip"),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn plugin_zip(State(state): State<ApiState>) -> Result<Response, Problem> {
    let zip = state.plugin_zip.clone().ok_or_else(|| Problem::not_found("plugin in this installation"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"landfall-migrate.zip\""),
    ];
    Ok((headers, zip).into_response())
}
