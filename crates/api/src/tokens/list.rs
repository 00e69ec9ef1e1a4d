//! `GET /v1/machine-tokens` and `DELETE /v1/machine-tokens/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use landfall_common::TokenId;
use landfall_common::ports::{Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, Write};
use landfall_common::records::index;
use landfall_common::token::MachineToken;
use serde::Deserialize;

use super::view::TokenView;
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{Params, PathId};
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::organization;

/// How often a revocation starts again when the token changes in the same moment.
const TRIES_MAX: usize = 5;

/// Which tokens.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokensQuery {
    /// For tokens that act for every organization: whose tokens; the platform's own where absent.
    organization: Option<String>,
    /// Where the page begins: `next` of the page before, with the same filter.
    cursor: Option<String>,
    /// Most items, 1 to 200; 50 where absent.
    limit: Option<usize>,
}

/// List an organization's machine tokens, newest first, the expired and revoked too.
#[utoipa::path(
    get, path = "/v1/machine-tokens", tag = "machine tokens", params(TokensQuery),
    responses(
        (status = 200, description = "A page", body = Page<TokenView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_tokens(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<TokensQuery>,
) -> Result<Json<Page<TokenView>>, Problem> {
    principal.may(Permission::ManageTokens)?;
    let whose = match query.organization {
        Some(text) => {
            let named =
                organization(text).map_err(|detail| Problem::invalid_field("organization", detail))?;
            principal.acts_for(Some(named))?
        }
        None => principal.organization,
    };
    let index = index::tokens_of(whose);
    let walk = Walk::new(DocumentKind::Token, index, &(), query.cursor.as_deref(), query.limit)?;
    let page = walk.page::<MachineToken>(&state, |token| principal.sees(token.organization)).await?;
    Ok(Json(page.map(|found| TokenView::new(found.value))))
}

/// Revoke a machine token: from now on it is refused. Migrations that it started go on.
#[utoipa::path(
    delete, path = "/v1/machine-tokens/{id}", tag = "machine tokens",
    params(("id" = String, Path, description = "The token's id")),
    responses(
        (status = 204, description = "Revoked, now or before"),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn revoke_token(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<TokenId>,
) -> Result<StatusCode, Problem> {
    principal.may(Permission::ManageTokens)?;
    for _ in 0..TRIES_MAX {
        let (now, found) = state.records.read::<MachineToken>(DocumentKind::Token, id).await?;
        let mut found = found
            .filter(|found| principal.sees(found.value.organization))
            .ok_or_else(|| Problem::not_found("machine token"))?;
        if found.value.revoked_at.is_some() {
            return Ok(StatusCode::NO_CONTENT);
        }
        found.value.revoked_at = Some(now);
        let mut commit = Commit::new(state.records.request());
        let body = serde_json::to_vec(&found.value).expect("documents are plain data").into();
        commit.documents.push(DocumentWrite {
            key: DocumentKey::new(DocumentKind::Token, id),
            expect: Expect::Version(found.version),
            write: Write::Put(body),
            expires_in: None,
        });
        audit(&mut commit, &principal, "machine_token.revoke", serde_json::json!({ "token": id }));
        match state.records.commit(&commit).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the token changes all the time; try again"))
}
