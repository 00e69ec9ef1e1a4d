//! `GET /v1/support/cases` and `GET /v1/support/cases/{id}`.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use landfall_common::case::{CaseState, SupportCase};
use landfall_common::ports::{DocumentKind, StoredLine};
use landfall_common::records::{index, stream};
use landfall_common::{CaseId, MigrationId, OrganizationId, Phase};
use serde::{Deserialize, Serialize};

use super::case;
use super::view::{CaseView, EvidenceView};
use crate::auth::{Permission, Principal};
use crate::extract::{Params, PathId};
use crate::migrations::events::EventView;
use crate::migrations::view::MigrationView;
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::organization;

/// Events of the timeline that a case shows.
const TIMELINE_MAX: usize = 100;
/// Events read at once.
const LINES_MAX: usize = 500;
/// Most reads: more events than a stream keeps.
const READS_MAX: usize = 10;

/// Which cases.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CasesQuery {
    /// `open` where absent, or `all`.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "open")]
    state: Which,
    /// Only those of this organization.
    organization: Option<String>,
    /// Only those with this error code.
    code: Option<String>,
    /// Only those that stopped in this phase.
    #[param(value_type = Option<String>, example = "import")]
    phase: Option<Phase>,
    /// Where the page begins: `next` of the page before, with the same filter.
    cursor: Option<String>,
    /// Most items, 1 to 200; 50 where absent.
    limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Which {
    #[default]
    Open,
    All,
}

/// What decides which cases a list holds.
#[derive(Serialize)]
struct Filter {
    which: Which,
    organization: Option<OrganizationId>,
    code: Option<String>,
    phase: Option<Phase>,
}

impl Filter {
    fn keeps(&self, case: &SupportCase) -> bool {
        let is_wanted = match self.which {
            Which::All => true,
            Which::Open => case.state == CaseState::Open,
        };
        is_wanted
            && self.organization.is_none_or(|organization| case.organization == organization)
            && self.code.as_ref().is_none_or(|code| case.code.as_str() == code)
            && self.phase.is_none_or(|phase| case.phase == phase)
    }
}

/// List support cases, newest first.
#[utoipa::path(
    get, path = "/v1/support/cases", tag = "support", params(CasesQuery),
    responses(
        (status = 200, description = "A page", body = Page<CaseView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_cases(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<CasesQuery>,
) -> Result<Json<Page<CaseView>>, Problem> {
    principal.may(Permission::Support)?;
    let organization = query
        .organization
        .map(|text| organization(text).map_err(|detail| Problem::invalid_field("organization", detail)))
        .transpose()?;
    let filter = Filter { which: query.state, organization, code: query.code, phase: query.phase };
    let index = match (filter.which, organization) {
        (Which::Open, _) => index::CASES_OPEN.to_owned(),
        (Which::All, Some(organization)) => index::cases_of(organization),
        (Which::All, None) => index::CASES.to_owned(),
    };
    let walk = Walk::new(DocumentKind::Case, index, &filter, query.cursor.as_deref(), query.limit)?;
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
    let timeline = newest(&state, case.migration).await?;
    Ok(Json(EvidenceView {
        site_dashboard_url: state.url(&format!("/sites/{}", case.site)),
        case: CaseView::new(case),
        subject: subject.map(MigrationView::new),
        timeline: timeline.iter().map(EventView::new).collect(),
    }))
}

/// The newest events, oldest first. Streams are read from their beginning, and are trimmed, so this is bounded.
async fn newest(state: &ApiState, migration: MigrationId) -> Result<VecDeque<StoredLine>, Problem> {
    let mut newest = VecDeque::new();
    let mut after = 0;
    for _ in 0..READS_MAX {
        let lines = state.records.store().events(&stream::migration(migration), after, LINES_MAX).await?;
        let is_last = lines.len() < LINES_MAX;
        after = lines.last().map_or(after, |line| line.id);
        newest.extend(lines);
        newest.drain(..newest.len().saturating_sub(TIMELINE_MAX));
        if is_last {
            break;
        }
    }
    Ok(newest)
}
