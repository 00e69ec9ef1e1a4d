//! `POST /v1/sites`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Score, Write,
};
use landfall_common::records::index;
use landfall_common::site::Site;
use landfall_common::{SiteId, StoreTime};

use super::body::{NewSite, SiteBody};
use super::credentials::sealed;
use super::view::SiteView;
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::JsonBody;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// The document schema that this version writes.
const SCHEMA: u16 = 1;

/// Create a site.
#[utoipa::path(
    post, path = "/v1/sites", tag = "sites", request_body = SiteBody,
    responses(
        (status = 201, description = "Created", body = SiteView, headers(
            ("Location" = String, description = "The site"),
        )),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn create_site(
    State(state): State<ApiState>,
    principal: Principal,
    JsonBody(body): JsonBody<SiteBody>,
) -> Result<Response, Problem> {
    principal.may(Permission::ManageSites)?;
    let new = body.check()?;
    if new.has_local_root() && !principal.is_everywhere() && !state.limits.owners_name_local_roots {
        let detail = "only operators may create sites whose files lie on the worker's machine";
        return Err(Problem::forbidden(detail));
    }
    let organization = principal.acts_for(new.organization)?;
    let name_key = DocumentKey::new(DocumentKind::SiteName, &new.name);
    let (now, found) = state.records.store().load(&[name_key]).await?;
    if found.iter().any(Option::is_some) {
        return Err(name_taken());
    }
    let site = Site {
        schema: SCHEMA,
        id: SiteId::from_uuid(state.records.draw()),
        organization,
        name: new.name.clone(),
        destination: new.destination.clone(),
        created_at: now,
    };
    let mut commit = creation(&state, &site, &new, now);
    let facts = serde_json::json!({ "site": site.id, "name": site.name, "of": site.organization });
    audit(&mut commit, &principal, "site.create", facts);
    match state.records.commit(&commit).await {
        Ok(_) => {}
        Err(CommitError::Conflict { .. }) => return Err(name_taken()),
        Err(CommitError::Store(error)) => return Err(error.into()),
    }
    let location = (header::LOCATION, format!("/v1/sites/{}", site.id));
    let view = SiteView::new(site).with(new.credentials.is_some(), None);
    Ok((StatusCode::CREATED, [location], Json(view)).into_response())
}

fn name_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "api.name_taken", "another site has this name")
}

fn creation(state: &ApiState, site: &Site, new: &NewSite, now: StoreTime) -> Commit {
    let mut commit = Commit::new(state.records.request());
    let absent = |kind: DocumentKind, id: &dyn std::fmt::Display, body: Vec<u8>| DocumentWrite {
        key: DocumentKey::new(kind, id),
        expect: Expect::Absent,
        write: Write::Put(body.into()),
        expires_in: None,
    };
    let body = serde_json::to_vec(site).expect("documents are plain data");
    commit.documents.push(absent(DocumentKind::Site, &site.id, body));
    commit.documents.push(absent(DocumentKind::SiteName, &site.name, site.id.to_string().into_bytes()));
    commit.documents.extend(new.credentials.as_ref().map(|secrets| sealed(state, site.id, secrets)));
    for name in [index::SITES.to_owned(), index::sites_of(site.organization)] {
        let score = Score::Value(now.as_micros());
        commit.index.push(IndexWrite::Set { index: name, member: site.id.to_string(), score });
    }
    commit
}
