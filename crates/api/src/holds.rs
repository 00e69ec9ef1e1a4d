//! `GET /v1/holds`, `PUT /v1/holds/{scope}` and `DELETE /v1/holds/{scope}`: nothing new is started for an organization,
//! a phase, or at all.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use landfall_common::hold::{Hold, Scope};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Score, Write,
};
use landfall_common::records::index;
use serde::{Deserialize, Serialize};

use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, Params, PathId};
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, prose};
use crate::view::Moment;

/// Longest reason, in characters.
const REASON_MAX: usize = 2000;

/// A hold.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Hold)]
pub(crate) struct HoldView {
    /// `all`, a phase, or an organization's id.
    #[schema(example = "import")]
    scope: String,
    /// Why.
    reason: String,
    /// The token that set it.
    by: String,
    since: Moment,
}

impl HoldView {
    fn new(hold: Hold) -> Self {
        Self { scope: hold.scope, reason: hold.reason, by: hold.by, since: Moment(hold.since) }
    }
}

/// Why nothing is to be started.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHold)]
pub(crate) struct HoldBody {
    /// Kept in the audit, and shown to whoever wonders.
    #[schema(required, nullable = false)]
    reason: Option<String>,
}

/// A page of holds.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoldsQuery {
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// Most items, 1 to 200; 50 where absent.
    limit: Option<usize>,
}

/// List the holds, the newest first.
#[utoipa::path(
    get, path = "/v1/holds", tag = "operation", params(HoldsQuery),
    responses(
        (status = 200, description = "A page", body = Page<HoldView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_holds(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<HoldsQuery>,
) -> Result<Json<Page<HoldView>>, Problem> {
    principal.may(Permission::Support)?;
    let walk =
        Walk::new(DocumentKind::Hold, index::HOLDS.to_owned(), &(), query.cursor.as_deref(), query.limit)?;
    let page = walk.page::<Hold>(&state, |_| true).await?;
    Ok(Json(page.map(|found| HoldView::new(found.value))))
}

/// Start nothing new for an organization, in a phase, or at all. What runs ends its slice; the hold takes effect within
/// two seconds.
#[utoipa::path(
    put, path = "/v1/holds/{scope}", tag = "operation", request_body = HoldBody,
    params(("scope" = String, Path, description = "`all`, a phase, or an organization's id")),
    responses(
        (status = 200, description = "The hold", body = HoldView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn set_hold(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(scope): PathId<String>,
    JsonBody(body): JsonBody<HoldBody>,
) -> Result<Json<HoldView>, Problem> {
    principal.may(Permission::Operate)?;
    let scope = scope_of(&scope)?;
    let mut faults = Faults::default();
    let reason = faults.required("reason", body.reason, prose(REASON_MAX));
    let reason = faults.finish(reason)?;
    let (now, _) = state.records.read::<Hold>(DocumentKind::Hold, scope).await?;
    let hold = Hold { schema: 1, scope: scope.to_string(), reason, by: principal.actor.clone(), since: now };
    let mut commit = Commit::new(state.records.request());
    let body = serde_json::to_vec(&hold).expect("documents are plain data").into();
    commit.documents.push(written(scope, Write::Put(body)));
    commit.index.push(IndexWrite::Set {
        index: index::HOLDS.to_owned(),
        member: scope.to_string(),
        score: Score::Value(now.as_micros()),
    });
    let facts = serde_json::json!({ "scope": hold.scope, "reason": hold.reason });
    audit(&mut commit, &principal, "hold.set", facts);
    done(&state, &commit).await?;
    tracing::warn!(scope = %scope, "a hold was set");
    Ok(Json(HoldView::new(hold)))
}

/// Lift a hold. What is due starts again, in its turn.
#[utoipa::path(
    delete, path = "/v1/holds/{scope}", tag = "operation",
    params(("scope" = String, Path, description = "`all`, a phase, or an organization's id")),
    responses(
        (status = 204, description = "There is none, now or before"),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn lift_hold(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(scope): PathId<String>,
) -> Result<StatusCode, Problem> {
    principal.may(Permission::Operate)?;
    let scope = scope_of(&scope)?;
    let mut commit = Commit::new(state.records.request());
    commit.documents.push(written(scope, Write::Delete));
    commit.index.push(IndexWrite::Remove { index: index::HOLDS.to_owned(), member: scope.to_string() });
    audit(&mut commit, &principal, "hold.lift", serde_json::json!({ "scope": scope.to_string() }));
    done(&state, &commit).await?;
    tracing::info!(scope = %scope, "a hold was lifted");
    Ok(StatusCode::NO_CONTENT)
}

fn scope_of(text: &str) -> Result<Scope, Problem> {
    text.parse()
        .map_err(|error: landfall_common::hold::BadScope| Problem::invalid_field("scope", error.to_string()))
}

/// Whatever was there: of two people who hold the same thing the later one's reason counts.
fn written(scope: Scope, write: Write) -> DocumentWrite {
    DocumentWrite {
        key: DocumentKey::new(DocumentKind::Hold, scope),
        expect: Expect::Any,
        write,
        expires_in: None,
    }
}

async fn done(state: &ApiState, commit: &Commit) -> Result<(), Problem> {
    match state.records.commit(commit).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict { what }) => Err(Problem::conflict(format!("{what} is in the way"))),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
