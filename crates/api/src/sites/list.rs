//! `GET /v1/sites` and `GET /v1/sites/{id}`.

use axum::Json;
use axum::extract::State;
use landfall_common::ports::{DocumentKey, DocumentKind};
use landfall_common::records::index;
use landfall_common::site::Site;
use serde::Deserialize;

use super::site_named;
use super::view::SiteView;
use crate::auth::{Permission, Principal};
use crate::extract::{Params, PathId};
use crate::migrations::busy_with;
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::organization;

/// Which sites.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SitesQuery {
    /// Only those of this organization.
    organization: Option<String>,
    /// Where the page begins: `next` of the page before, with the same filter.
    cursor: Option<String>,
    /// Most items, 1 to 200; 50 where absent.
    limit: Option<usize>,
}

/// List sites, newest first.
#[utoipa::path(
    get, path = "/v1/sites", tag = "sites", params(SitesQuery),
    responses(
        (status = 200, description = "A page", body = Page<SiteView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_sites(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<SitesQuery>,
) -> Result<Json<Page<SiteView>>, Problem> {
    principal.may(Permission::ReadSites)?;
    let named = query
        .organization
        .map(|text| organization(text).map_err(|detail| Problem::invalid_field("organization", detail)))
        .transpose()?;
    let index = match named {
        Some(named) => index::sites_of(principal.acts_for(Some(named))?),
        None if principal.is_everywhere() => index::SITES.to_owned(),
        None => index::sites_of(principal.organization),
    };
    let walk = Walk::new(DocumentKind::Site, index, &(), query.cursor.as_deref(), query.limit)?;
    let page = walk.page::<Site>(&state, |site| principal.sees(site.organization)).await?;
    Ok(Json(page.map(|found| SiteView::new(found.value))))
}

/// Show a site, by its id or its name.
#[utoipa::path(
    get, path = "/v1/sites/{id}", tag = "sites",
    params(("id" = String, Path, description = "The site's id or name")),
    responses(
        (status = 200, description = "The site", body = SiteView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn show_site(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<String>,
) -> Result<Json<SiteView>, Problem> {
    principal.may(Permission::ReadSites)?;
    let site = site_named(&state, &principal, &id).await?;
    let secret = DocumentKey::new(DocumentKind::Secret, site.id);
    let (_, secrets) = state.records.store().load(&[secret]).await?;
    let migration = busy_with(&state, site.id).await?;
    Ok(Json(SiteView::new(site).with(secrets.iter().any(Option::is_some), migration)))
}
