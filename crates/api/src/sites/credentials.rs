//! `PUT /v1/sites/{id}/credentials`.

use axum::extract::State;
use axum::http::StatusCode;
use landfall_common::SiteId;
use landfall_common::migration::Command;
use landfall_common::ports::{Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, Write};
use landfall_common::records::ApplyError;
use landfall_common::site::SiteCredentials;

use super::body::CredentialsBody;
use super::site;
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, PathId, TraceParent};
use crate::migrations::busy_with;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// How often it starts again when a migration of the site begins or ends in the same moment.
const TRIES_MAX: usize = 5;

/// Replace a site's credentials. A migration that waits for them goes on.
#[utoipa::path(
    put, path = "/v1/sites/{id}/credentials", tag = "sites", request_body = CredentialsBody,
    params(("id" = String, Path, description = "The site")),
    responses(
        (status = 204, description = "Replaced"),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn replace_credentials(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<SiteId>,
    TraceParent(traceparent): TraceParent,
    JsonBody(body): JsonBody<CredentialsBody>,
) -> Result<StatusCode, Problem> {
    let found = site(&state, id).await?.filter(|site| principal.sees(site.organization));
    let site = found.ok_or_else(|| Problem::not_found("site"))?;
    principal.may(Permission::ManageSites)?;
    let credentials = body.check()?;
    let secret = sealed(&state, site.id, &credentials);
    let amend = |commit: &mut Commit| {
        commit.documents.push(secret.clone());
        audit(commit, &principal, "site.replace_credentials", serde_json::json!({ "site": site.id }));
    };
    for _ in 0..TRIES_MAX {
        // The secret and the migration's way on are one commit: a worker that is woken finds the new one.
        if let Some(migration) = busy_with(&state, site.id).await? {
            let command = Command::CredentialsReplaced { by: principal.actor.clone() };
            let applied =
                state.records.apply(migration, command, &traceparent, |_, commit| amend(commit)).await;
            match applied {
                Ok(_) => return Ok(StatusCode::NO_CONTENT),
                Err(ApplyError::Missing(_) | ApplyError::Overtaken { .. } | ApplyError::Conflict { .. }) => {
                    continue;
                }
                Err(ApplyError::Refused(refusal)) => return Err(refusal.into()),
                Err(ApplyError::Record(error)) => return Err(error.into()),
            }
        }
        let mut commit = Commit::new(state.records.request());
        commit.documents.push(still_idle(site.id));
        amend(&mut commit);
        match state.records.commit(&commit).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("migrations of the site come and go; try again"))
}

/// The site's secrets, sealed for the site: what the worker opens at each claim.
pub(super) fn sealed(state: &ApiState, site: SiteId, credentials: &SiteCredentials) -> DocumentWrite {
    let plain = serde_json::to_vec(credentials).expect("credentials are plain data");
    let sealed = state.sealer.seal(&site.to_string(), &plain);
    DocumentWrite {
        key: DocumentKey::new(DocumentKind::Secret, site),
        expect: Expect::Any,
        write: Write::Put(serde_json::to_vec(&sealed).expect("sealed secrets are plain data").into()),
        expires_in: None,
    }
}

fn still_idle(site: SiteId) -> DocumentWrite {
    DocumentWrite {
        key: DocumentKey::new(DocumentKind::SiteBusy, site),
        expect: Expect::Absent,
        write: Write::Keep,
        expires_in: None,
    }
}
