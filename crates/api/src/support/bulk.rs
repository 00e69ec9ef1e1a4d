//! `POST /v1/support/replays`: many migrations sent round again, by ids or by filter, not all at once.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use landfall_common::CaseId;
use landfall_common::case::CaseState;
use serde::{Deserialize, Serialize};

use super::PROSE_MAX;
use super::filter::FilterQuery;
use super::groups::all;
use super::replay::{From, Round, replay};
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, TraceParent};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};

/// Cases of one request.
const CASES_MAX: usize = 500;
/// Pages of 200 that are searched for them.
const PAGES_MAX: usize = 10;
/// First slices that become due in a minute, where the request does not say.
const PER_MINUTE_USUAL: u32 = 30;
const PER_MINUTE_MAX: u32 = 600;

/// Which cases are replayed, and how.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replays)]
pub(crate) struct ReplaysBody {
    /// These cases, at most 500; or a filter.
    #[serde(default)]
    ids: Vec<String>,
    /// The open cases that it keeps, at most 500.
    filter: Option<FilterQuery>,
    /// `checkpoint`, `start`, or a phase up to the one that failed.
    #[schema(required, nullable = false, value_type = String, example = "checkpoint")]
    from: Option<From>,
    /// Why; kept in each timeline and in the audit.
    #[schema(required, nullable = false)]
    reason: Option<String>,
    /// Only count them.
    #[serde(default)]
    dry_run: bool,
    /// How many start in a minute, 1 to 600; 30 where absent.
    per_minute: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = ReplaysDone)]
pub(crate) struct ReplaysView {
    dry_run: bool,
    /// Cases that were asked for.
    matched: u64,
    /// Cases whose migrations go round again.
    replayed: Vec<String>,
    /// Cases that could not be replayed, and why.
    refused: Vec<RefusedView>,
    /// The last one starts after so many seconds.
    last_starts_in_s: u64,
}

/// A case that could not be replayed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReplayRefused)]
pub(crate) struct RefusedView {
    case: String,
    detail: String,
}

/// Send many migrations round again. With `dry_run` nothing changes, and `matched` says how many it would be.
#[utoipa::path(
    post, path = "/v1/support/replays", tag = "support", request_body = ReplaysBody,
    responses(
        (status = 200, description = "What was done", body = ReplaysView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn replay_cases(
    State(state): State<ApiState>,
    principal: Principal,
    TraceParent(traceparent): TraceParent,
    JsonBody(body): JsonBody<ReplaysBody>,
) -> Result<(StatusCode, Json<ReplaysView>), Problem> {
    principal.may(Permission::Support)?;
    let mut faults = Faults::default();
    let from = faults.required("from", body.from, Ok);
    let reason = faults.required("reason", body.reason, prose(PROSE_MAX));
    let per_minute = body.per_minute.unwrap_or(PER_MINUTE_USUAL);
    if !(1..=PER_MINUTE_MAX).contains(&per_minute) {
        faults.add("per_minute", format!("has to be 1 to {PER_MINUTE_MAX}"));
    }
    if body.ids.is_empty() == body.filter.is_none() {
        faults.add("ids", "give either ids or a filter");
    }
    let ids: Vec<CaseId> = body
        .ids
        .iter()
        .filter_map(|id| faults.check("ids", id.parse().map_err(|_| format!("{id:?} is no case's id"))))
        .collect();
    let (from, reason) = faults.finish(from.zip(reason))?;
    let ids = match body.filter {
        None => ids,
        Some(filter) => of_filter(&state, filter).await?,
    };
    if ids.len() > CASES_MAX {
        return Err(Problem::invalid_field("ids", format!("more than {CASES_MAX} cases; narrow the filter")));
    }
    let spacing = Duration::from_secs(60) / per_minute;
    let round = Round { from, reason, options: None, delay: Duration::ZERO };
    let mut done = ReplaysView { dry_run: body.dry_run, matched: count(ids.len()), ..ReplaysView::default() };
    if !body.dry_run {
        for id in ids {
            let delay = spacing * u32::try_from(done.replayed.len()).unwrap_or(u32::MAX);
            let round = Round { delay, ..round.clone() };
            match replay(&state, &principal, id, &round, &traceparent).await {
                Ok(_) => {
                    done.last_starts_in_s = delay.as_secs();
                    done.replayed.push(id.to_string());
                }
                Err(problem) if problem.is_ours() => return Err(problem),
                Err(problem) => {
                    done.refused.push(RefusedView { case: id.to_string(), detail: problem.detail() });
                }
            }
        }
    }
    Ok((StatusCode::OK, Json(done)))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The open cases of a filter, the oldest first.
async fn of_filter(state: &ApiState, filter: FilterQuery) -> Result<Vec<CaseId>, Problem> {
    let (cases, is_partial) = all(state, filter, PAGES_MAX).await?;
    if is_partial {
        return Err(Problem::invalid_field(
            "filter",
            format!("keeps more than {CASES_MAX} cases; narrow it"),
        ));
    }
    let open = cases.into_iter().rev().filter(|case| case.state == CaseState::Open);
    Ok(open.map(|case| case.id).collect())
}
