//! `POST /v1/machine-tokens`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_common::ports::{
    Commit, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Score, Write,
};
use landfall_common::records::index;
use landfall_common::token::{MachineToken, Role};
use landfall_common::{OrganizationId, TokenId};
use rand::TryRngCore;
use serde::Deserialize;

use super::view::{NewTokenView, TokenView};
use crate::audit::audit;
use crate::auth::{PLATFORM, Permission, Principal, TOKEN_PREFIX, hash};
use crate::extract::JsonBody;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::{Faults, email, organization, text};

/// The document schema that this version writes.
const SCHEMA: u16 = 1;
/// How long a token is good for where its maker does not say.
const DAYS_USUAL: u32 = 90;
/// How long it is good for at most.
const DAYS_MAX: u32 = 366;

/// A machine token to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MachineTokenRequest)]
pub(crate) struct TokenBody {
    /// What you call it.
    #[schema(required, nullable = false, example = "wp-admin of example.org")]
    name: Option<String>,
    /// Where mail about the migrations goes that it starts.
    #[schema(required, nullable = false, example = "owner@example.org")]
    owner_email: Option<String>,
    /// `owner` or `submitter`; operators may also make `support` and `operator`.
    #[schema(required, nullable = false, value_type = String, example = "owner")]
    role: Option<Role>,
    /// For tokens that act for every organization: the one that the new token acts for; where absent, a new one
    /// begins.
    organization: Option<String>,
    /// 1 to 366; 90 where absent.
    expires_in_days: Option<u32>,
}

struct NewToken {
    name: String,
    owner_email: String,
    role: Role,
    organization: Option<OrganizationId>,
    days: u32,
}

/// Make a machine token. Its text is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/v1/machine-tokens", tag = "machine tokens", request_body = TokenBody,
    responses(
        (status = 201, description = "Made", body = NewTokenView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn create_token(
    State(state): State<ApiState>,
    principal: Principal,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<Response, Problem> {
    principal.may(Permission::ManageTokens)?;
    let new = body.check()?;
    let organization = organization_of(&state, &principal, &new)?;
    let secret = URL_SAFE_NO_PAD.encode(random_32()?);
    let id = TokenId::from_uuid(state.records.draw());
    // The key is not there yet; what counts is the time of the store, which comes with the look.
    let key = DocumentKey::new(DocumentKind::Token, id);
    let (now, _) = state.records.store().load(std::slice::from_ref(&key)).await?;
    let token = MachineToken {
        schema: SCHEMA,
        id,
        name: new.name,
        organization,
        role: new.role,
        owner_email: new.owner_email,
        secret_hash: hash(&secret),
        created_at: now,
        expires_at: now.plus(Duration::from_secs(u64::from(new.days) * 24 * 3600)),
        revoked_at: None,
    };
    let mut commit = Commit::new(state.records.request());
    let body = serde_json::to_vec(&token).expect("documents are plain data").into();
    commit.documents.push(DocumentWrite {
        key,
        expect: Expect::Absent,
        write: Write::Put(body),
        expires_in: None,
    });
    commit.index.push(IndexWrite::Set {
        index: index::tokens_of(organization),
        member: id.to_string(),
        score: Score::Value(now.as_micros()),
    });
    let facts = serde_json::json!({ "token": id, "role": token.role, "of": organization });
    audit(&mut commit, &principal, "machine_token.create", facts);
    state.records.commit(&commit).await?;
    let text = format!("{TOKEN_PREFIX}{}_{secret}", id.uuid().simple());
    let location = (header::LOCATION, format!("/v1/machine-tokens/{id}"));
    let view = NewTokenView { token: text, view: TokenView::new(token) };
    Ok((StatusCode::CREATED, [location], Json(view)).into_response())
}

impl TokenBody {
    fn check(self) -> Result<NewToken, Problem> {
        let mut faults = Faults::default();
        let name = faults.required("name", self.name, text(100));
        let owner_email = faults.required("owner_email", self.owner_email, email);
        let role = faults.required("role", self.role, Ok);
        let organization = faults.optional("organization", self.organization, organization);
        let days = faults.check("expires_in_days", days(self.expires_in_days.unwrap_or(DAYS_USUAL)));
        let token = (|| {
            Some(NewToken { name: name?, owner_email: owner_email?, role: role?, organization, days: days? })
        })();
        faults.finish(token)
    }
}

fn days(days: u32) -> Result<u32, String> {
    if (1..=DAYS_MAX).contains(&days) { Ok(days) } else { Err(format!("has to be 1 to {DAYS_MAX}")) }
}

/// Nobody makes a token that may do more than their own.
fn organization_of(
    state: &ApiState,
    principal: &Principal,
    new: &NewToken,
) -> Result<OrganizationId, Problem> {
    match new.role {
        // The platform is nobody's tenant: what it makes for an owner without saying whose begins a new one.
        Role::Owner | Role::Submitter if new.organization.is_none() && principal.organization == PLATFORM => {
            Ok(OrganizationId::from_uuid(state.records.draw()))
        }
        Role::Owner | Role::Submitter => principal.acts_for(new.organization),
        Role::Support | Role::Operator if principal.role == Role::Operator => {
            Ok(new.organization.unwrap_or(PLATFORM))
        }
        Role::Support | Role::Operator => {
            Err(Problem::forbidden("only operators make tokens that act for every organization"))
        }
    }
}

/// 256 bits from the operating system.
pub(crate) fn random_32() -> Result<[u8; 32], Problem> {
    let mut bytes = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bytes");
        Problem::internal()
    })?;
    Ok(bytes)
}
