//! `POST /v1/enrolments`.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use landfall_common::migration::{Command, PauseReason};
use landfall_common::ports::{Commit, DocumentKey, DocumentKind, DocumentWrite, Expect, Sealed, Write};
use landfall_common::records::ApplyError;
use landfall_common::site::{Site, SourceSecret, SourceSpec};
use landfall_common::{Migration, MigrationId, State as MigrationState};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::address::is_same_site;
use super::body::{EnrolmentBody, Introduction};
use super::{StatusToken, status_key};
use crate::audit::audit;
use crate::auth::{Permission, Principal, authenticate, hash};
use crate::edge::ClientAddress;
use crate::extract::{JsonBody, TraceParent};
use crate::idempotency::OnceKey;
use crate::measures;
use crate::migrations::busy_with;
use crate::problem::{Problem, ProblemBody};
use crate::sites::{id_of_name, site};
use crate::state::ApiState;
use crate::tokens::create::random_32;

/// How long an enrolment with the same nonce is answered with the same.
const NONCE_KEEP: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// How often an enrolment starts again when the migration changes in the same moment.
const TRIES_MAX: usize = 5;

/// What the plugin gets. The only place where the migration's secret leaves the API.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Enrolled)]
pub(crate) struct Enrolled {
    /// The migration.
    #[schema(value_type = String)]
    migration: MigrationId,
    /// The site's name.
    site: String,
    /// Base64 of the 32 bytes that requests to the plugin are signed with.
    secret: String,
    /// Where the plugin's page asks how it goes.
    status_url: String,
    /// With what: `Authorization: Bearer`.
    status_token: String,
    /// How long the secret is good for, in seconds.
    expires_in_s: u64,
}

/// Enrol a source for the migration that waits for it.
#[utoipa::path(
    post, path = "/v1/enrolments", tag = "enrolments", request_body = EnrolmentBody, security(()),
    responses(
        (status = 201, description = "Enrolled; the migration begins", body = Enrolled),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn enrol(
    State(state): State<ApiState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    TraceParent(traceparent): TraceParent,
    JsonBody(body): JsonBody<EnrolmentBody>,
) -> Result<Response, Problem> {
    state.rates.enrol_address(address)?;
    let introduction = body.check()?;
    let principal = authenticate(&state, introduction.token.expose_secret()).await?;
    let principal = principal.ok_or_else(token_refused)?;
    state.rates.enrol_token(&principal.actor)?;
    principal.may(Permission::Enrol)?;
    let scope = format!("enrolment/{}", principal.actor);
    let once = OnceKey::new(&scope, &introduction.nonce, &introduction.claim);
    let _working = state.in_flight.take(&once)?;
    for _ in 0..TRIES_MAX {
        if let Some(sealed) = once.earlier::<Sealed>(&state).await? {
            return Ok((StatusCode::CREATED, Json(opened(&state, &scope, &sealed)?)).into_response());
        }
        let found = waiting(&state, &principal, &introduction).await?;
        let attempt =
            Attempt { principal: &principal, introduction: &introduction, once: &once, scope: &scope };
        if let Some(enrolled) = attempt.commit(&state, &found, &traceparent).await? {
            metrics::counter!(measures::ENROLLED).increment(1);
            tracing::info!(migration.id = %enrolled.migration, "source enrolled");
            return Ok((StatusCode::CREATED, Json(enrolled)).into_response());
        }
    }
    Err(Problem::conflict("the migration changes all the time; try again"))
}

fn token_refused() -> Problem {
    let detail = "the machine token is unknown, expired or revoked";
    Problem::new(StatusCode::UNAUTHORIZED, "enrolment.token_refused", detail)
}

fn nothing_waiting(status: StatusCode, detail: &str) -> Problem {
    Problem::new(status, "enrolment.nothing_waiting", detail)
}

/// The migration that waits for this source.
///
/// The order decides what is told to whom: nothing about a site before its organization is the token's, nothing
/// about its migration before that.
async fn waiting(
    state: &ApiState,
    principal: &Principal,
    introduction: &Introduction,
) -> Result<Waiting, Problem> {
    let claim = &introduction.claim;
    let id = id_of_name(state, &claim.site).await?;
    let found = match id {
        Some(id) => site(state, id).await?,
        None => None,
    };
    let Some(site) = found else {
        return Err(nothing_waiting(StatusCode::NOT_FOUND, "there is no site of that name"));
    };
    if !principal.sees(site.organization) {
        let detail = "the token's organization does not own the site";
        return Err(Problem::new(StatusCode::FORBIDDEN, "enrolment.foreign_site", detail));
    }
    let idle =
        || nothing_waiting(StatusCode::CONFLICT, "the site has no migration that waits for its source");
    let busy = busy_with(state, site.id).await?.ok_or_else(idle)?;
    let (_, migration) = state.records.migration(busy).await?;
    let migration = migration.ok_or_else(idle)?.value;
    let SourceSpec::Wordpress { url } = &migration.source else { return Err(idle()) };
    let is_first = match entrance(&migration) {
        Some(is_first) => is_first,
        None => return Err(idle()),
    };
    if !is_same_site(url, &claim.url) {
        let detail = "the migration was declared for another source URL than the one of this site";
        return Err(Problem::new(StatusCode::CONFLICT, "enrolment.url_mismatch", detail));
    }
    if claim.is_network {
        let detail = "the source is a site network";
        return Err(Problem::new(StatusCode::CONFLICT, "enrolment.site_network", detail));
    }
    Ok(Waiting { site, migration, is_first })
}

/// A site and the migration that its source may enrol for.
struct Waiting {
    site: Site,
    migration: Migration,
    /// Whether it is the first enrolment; else the source lost its secret, and gets a new one.
    is_first: bool,
}

/// Whether the source may enrol: at first, and again where the migration waits because of the source (the plugin was
/// deactivated, which deletes its secret).
fn entrance(migration: &Migration) -> Option<bool> {
    match &migration.state {
        MigrationState::AwaitingSource => Some(true),
        MigrationState::Paused { reason: PauseReason::Credentials, code: Some(code), .. }
        | MigrationState::NeedsSupport { code, .. } => {
            let is_of_source = code.as_str().starts_with("source.");
            (is_of_source || code.as_str() == "migration.pause_too_long").then_some(false)
        }
        MigrationState::Queued { .. }
        | MigrationState::Running { .. }
        | MigrationState::Paused { .. }
        | MigrationState::Succeeded
        | MigrationState::Cancelled { .. }
        | MigrationState::Rejected { .. }
        | MigrationState::RolledBack => None,
    }
}

/// One try to enrol.
struct Attempt<'a> {
    principal: &'a Principal,
    introduction: &'a Introduction,
    once: &'a OnceKey,
    scope: &'a str,
}

impl Attempt<'_> {
    /// Secret, status token, state and answer in one commit. None: something changed, look again.
    async fn commit(
        &self,
        state: &ApiState,
        found: &Waiting,
        traceparent: &str,
    ) -> Result<Option<Enrolled>, Problem> {
        let id = found.migration.id;
        let enrolled = self.answer(state, found)?;
        let documents = self.documents(state, id, &enrolled);
        let by = self.principal.actor.clone();
        let command = if found.is_first {
            Command::Enrol { by, owner_email: self.principal.owner_email.clone() }
        } else {
            Command::CredentialsReplaced { by }
        };
        let amend = |commit: &mut Commit| {
            commit.documents.extend(documents.iter().cloned());
            let facts = serde_json::json!({
                "migration": id, "url": self.introduction.claim.url, "versions": self.introduction.versions,
            });
            audit(commit, self.principal, "migration.enrol", facts);
        };
        match state.records.apply(id, command, traceparent, |_, commit| amend(commit)).await {
            Ok(_) => Ok(Some(enrolled)),
            Err(
                ApplyError::Missing(_)
                | ApplyError::Refused(_)
                | ApplyError::Overtaken { .. }
                | ApplyError::Conflict { .. },
            ) => Ok(None),
            Err(ApplyError::Record(error)) => Err(error.into()),
        }
    }

    fn answer(&self, state: &ApiState, found: &Waiting) -> Result<Enrolled, Problem> {
        Ok(Enrolled {
            migration: found.migration.id,
            site: found.site.name.clone(),
            secret: STANDARD.encode(random_32()?),
            status_url: state.url(&format!("/v1/enrolments/{}", found.migration.id)),
            status_token: format!("lfs_{}", URL_SAFE_NO_PAD.encode(random_32()?)),
            expires_in_s: state.limits.enrolment_keep.as_secs(),
        })
    }

    fn documents(&self, state: &ApiState, id: MigrationId, enrolled: &Enrolled) -> [DocumentWrite; 3] {
        let claim = &self.introduction.claim;
        let status_hash = hash(&enrolled.status_token);
        let secret = SourceSecret {
            secret: enrolled.secret.clone(),
            url: claim.url.clone(),
            admin_url: claim.admin_url.as_ref().map(ToString::to_string),
            status_token_hash: status_hash.clone(),
        };
        let secret = sealed(state, &id.to_string(), &secret);
        let keep = state.limits.enrolment_keep.saturating_mul(2);
        let answer = sealed(state, self.scope, enrolled);
        [
            put(DocumentKey::new(DocumentKind::Secret, id), &secret, None),
            put(status_key(id), &StatusToken { hash: status_hash }, Some(keep)),
            self.once.store(&answer, NONCE_KEEP),
        ]
    }
}

fn put(key: DocumentKey, value: &impl Serialize, keep: Option<std::time::Duration>) -> DocumentWrite {
    let body = serde_json::to_vec(value).expect("documents are plain data").into();
    DocumentWrite { key, expect: Expect::Any, write: Write::Put(body), expires_in: keep }
}

fn sealed(state: &ApiState, context: &str, value: &impl Serialize) -> Sealed {
    let plain = serde_json::to_vec(value).expect("secrets are plain data");
    state.sealer.seal(context, &plain)
}

/// The answer of an earlier enrolment with the same nonce. It is the API's own, not a secret of a site.
fn opened(state: &ApiState, scope: &str, sealed: &Sealed) -> Result<Enrolled, Problem> {
    let plain = state.sealer.open(scope, sealed).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "an earlier answer does not open");
        Problem::internal()
    })?;
    serde_json::from_slice(&plain).map_err(|_| Problem::internal())
}
