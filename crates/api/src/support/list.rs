//! `GET /v1/support/cases` and `GET /v1/support/cases/{id}`.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use landfall_common::case::SupportCase;
use landfall_common::ports::{DocumentKind, StoredLine};
use landfall_common::records::stream;
use landfall_common::{CaseId, MigrationId};

use super::case;
use super::filter::FilterQuery;
use super::view::{CaseView, EvidenceView};
use crate::auth::{Permission, Principal};
use crate::extract::{Params, PathId};
use crate::migrations::events::EventView;
use crate::migrations::view::MigrationView;
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// Events of the timeline that a case shows.
const TIMELINE_MAX: usize = 100;
/// Events read at once.
const LINES_MAX: usize = 500;
/// Most reads: more events than a stream keeps.
const READS_MAX: usize = 10;

/// List support cases, newest first.
#[utoipa::path(
    get, path = "/v1/support/cases", tag = "support", params(FilterQuery),
    responses(
        (status = 200, description = "A page", body = Page<CaseView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_cases(
    State(state): State<ApiState>,
    principal: Principal,
    Params(mut query): Params<FilterQuery>,
) -> Result<Json<Page<CaseView>>, Problem> {
    principal.may(Permission::Support)?;
    let (cursor, limit) = (query.cursor.take(), query.limit.take());
    let filter = query.check()?;
    let walk = Walk::new(DocumentKind::Case, filter.index(), &filter, cursor.as_deref(), limit)?;
    let page = walk.page::<SupportCase>(&state, |case| filter.keeps(case)).await?;
    Ok(Json(page.map(|found| CaseView::new(found.value))))
}

/// Show a support case with its evidence.
#[utoipa::path(
    get, path = "/v1/support/cases/{id}", tag = "support",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, description = "The case", body = EvidenceView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn show_case(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<CaseId>,
) -> Result<Json<EvidenceView>, Problem> {
    principal.may(Permission::Support)?;
    let case = case(&state, id).await?.value;
    let (_, subject) = state.records.migration(case.migration).await?;
    let timeline = newest(&state, case.migration, TIMELINE_MAX).await?;
    Ok(Json(EvidenceView {
        site_dashboard_url: state.url(&format!("/sites/{}", case.site)),
        case: CaseView::new(case),
        subject: subject.map(MigrationView::new),
        timeline: timeline.iter().map(EventView::new).collect(),
    }))
}

/// The newest events, oldest first. Streams are read from their beginning, and are trimmed, so this is bounded.
pub(super) async fn newest(
    state: &ApiState,
    migration: MigrationId,
    most: usize,
) -> Result<VecDeque<StoredLine>, Problem> {
    let mut newest = VecDeque::new();
    let mut after = 0;
    for _ in 0..READS_MAX {
        let lines = state.records.store().events(&stream::migration(migration), after, LINES_MAX).await?;
        let is_last = lines.len() < LINES_MAX;
        after = lines.last().map_or(after, |line| line.id);
        newest.extend(lines);
        newest.drain(..newest.len().saturating_sub(most));
        if is_last {
            break;
        }
    }
    Ok(newest)
}
