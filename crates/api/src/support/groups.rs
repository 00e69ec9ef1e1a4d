//! `GET /v1/support/groups`: cases that were stopped by the same thing, together.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use landfall_common::case::SupportCase;
use landfall_common::ports::DocumentKind;
use landfall_common::{ErrorCode, Phase, StoreTime};
use serde::Serialize;

use super::filter::FilterQuery;
use crate::auth::{Permission, Principal};
use crate::extract::Params;
use crate::paging::Walk;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::view::Moment;

/// Pages of cases that are looked at: 10,000 cases.
const PAGES_MAX: usize = 50;
const PAGE: usize = 200;
/// Groups that are shown, the largest first.
const GROUPS_MAX: usize = 200;

/// Cases with one fingerprint.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CaseGroup)]
pub(crate) struct GroupView {
    /// What to filter cases by.
    fingerprint: String,
    #[schema(value_type = String)]
    code: ErrorCode,
    #[schema(value_type = String, example = "import")]
    phase: Phase,
    cases: u64,
    /// How many organizations they are of.
    organizations: u64,
    oldest: Moment,
    newest: Moment,
    /// The newest one's detail.
    example: String,
    /// The newest one.
    case: String,
}

/// Groups, the largest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CaseGroups)]
pub(crate) struct GroupsView {
    items: Vec<GroupView>,
    /// There are more cases than were looked at; narrow the filter.
    is_partial: bool,
}

/// List cases by what stopped them.
#[utoipa::path(
    get, path = "/v1/support/groups", tag = "support", params(FilterQuery),
    responses(
        (status = 200, description = "The groups, the largest first, at most 200", body = GroupsView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn case_groups(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<FilterQuery>,
) -> Result<Json<GroupsView>, Problem> {
    principal.may(Permission::Support)?;
    let (cases, is_partial) = all(&state, query, PAGES_MAX).await?;
    let mut groups: HashMap<String, Vec<SupportCase>> = HashMap::new();
    for case in cases {
        groups.entry(case.fingerprint()).or_default().push(case);
    }
    let mut items: Vec<GroupView> =
        groups.into_iter().filter_map(|(fingerprint, cases)| group(fingerprint, cases)).collect();
    items.sort_by(|a, b| b.cases.cmp(&a.cases).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    items.truncate(GROUPS_MAX);
    Ok(Json(GroupsView { items, is_partial }))
}

/// The cases that a filter keeps, newest first, and whether there may be more than so many pages hold.
pub(super) async fn all(
    state: &ApiState,
    query: FilterQuery,
    pages_max: usize,
) -> Result<(Vec<SupportCase>, bool), Problem> {
    if query.cursor.is_some() || query.limit.is_some() {
        return Err(Problem::bad_request("cursor and limit are for lists of cases".to_owned()));
    }
    let filter = query.check()?;
    let (mut cases, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..pages_max {
        let walk = Walk::new(DocumentKind::Case, filter.index(), &filter, cursor.as_deref(), Some(PAGE))?;
        let page = walk.page::<SupportCase>(state, |case| filter.keeps(case)).await?;
        cases.extend(page.items.into_iter().map(|found| found.value));
        cursor = page.next;
        if cursor.is_none() {
            return Ok((cases, false));
        }
    }
    Ok((cases, true))
}

/// None for no cases.
fn group(fingerprint: String, cases: Vec<SupportCase>) -> Option<GroupView> {
    let organizations: std::collections::HashSet<_> = cases.iter().map(|case| case.organization).collect();
    let opened = |case: &SupportCase| case.opened_at;
    let oldest: StoreTime = cases.iter().map(opened).min()?;
    let count = u64::try_from(cases.len()).unwrap_or(u64::MAX);
    let newest = cases.into_iter().max_by_key(opened)?;
    Some(GroupView {
        fingerprint,
        cases: count,
        organizations: u64::try_from(organizations.len()).unwrap_or(u64::MAX),
        oldest: Moment(oldest),
        newest: Moment(newest.opened_at),
        case: newest.id.to_string(),
        code: newest.code,
        phase: newest.phase,
        example: newest.detail,
    })
}
