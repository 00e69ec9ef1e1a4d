//! `GET /v1/support/cases/{id}/bundle`: the evidence as one file, to hand on.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use landfall_common::CaseId;
use serde_json::json;

use super::case;
use super::list::newest;
use super::redact::redacted;
use super::view::CaseView;
use crate::auth::{Permission, Principal};
use crate::extract::PathId;
use crate::migrations::events::EventView;
use crate::migrations::view::MigrationView;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// As many events as a timeline keeps.
const EVENTS_MAX: usize = 5_000;

/// Download a case's evidence: the case, the migration, its whole timeline with the last exchanges with the source, what
/// the code means. Mailboxes, credentials and tokens are taken out.
#[utoipa::path(
    get, path = "/v1/support/cases/{id}/bundle", tag = "support",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "A JSON file", content_type = "application/json"),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn case_bundle(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
) -> Result<Response, Problem> {
    principal.may(Permission::Support)?;
    let case = case(&state, id).await?.value;
    let (now, subject) = state.records.migration(case.migration).await?;
    let timeline = newest(&state, case.migration, EVENTS_MAX).await?;
    let help = case
        .code
        .entry()
        .map(|entry| json!({ "title": entry.title, "cause": entry.cause, "remedy": entry.remedy }));
    let bundle = json!({
        "bundle": 1,
        "made_at": crate::view::Moment(now),
        "version": env!("CARGO_PKG_VERSION"),
        "site_dashboard_url": state.url(&format!("/sites/{}", case.site)),
        "help": help,
        "case": CaseView::new(case),
        "migration": subject.map(MigrationView::new),
        "timeline": timeline.iter().map(EventView::new).collect::<Vec<_>>(),
    });
    let body = serde_json::to_vec_pretty(&redacted(bundle)).expect("a bundle is plain data");
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"landfall-{id}.json\"")),
    ];
    Ok((headers, body).into_response())
}
