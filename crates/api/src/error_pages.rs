//! The pages that the `type` of a problem points to, from the catalogue of codes.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use landfall_common::codes::CATALOGUE;

use crate::problem::{Problem, ProblemBody};

/// The page of an error code.
#[utoipa::path(
    get, path = "/errors/{code}", tag = "errors", security(()),
    params(("code" = String, Path, description = "An error code")),
    responses(
        (status = 200, description = "What happened, and what you can do", content_type = "text/plain", body = String),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn error_page(Path(code): Path<String>) -> Result<Response, Problem> {
    let entry =
        CATALOGUE.iter().find(|entry| entry.code == code).ok_or_else(|| Problem::not_found("error code"))?;
    let page = format!(
        "{}\n\nCode: {}\n\nWhat happened\n{}\n\nWhat you can do\n{}\n",
        entry.title, entry.code, entry.cause, entry.remedy
    );
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page).into_response())
}
