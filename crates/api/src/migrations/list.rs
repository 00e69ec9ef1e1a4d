//! `GET /v1/migrations`.

use axum::Json;
use axum::extract::State;
use landfall_common::Migration;
use landfall_common::migration::StateName;
use landfall_common::ports::DocumentKind;
use landfall_common::records::index;
use serde::{Deserialize, Serialize};

use super::view::MigrationView;
use crate::auth::{Permission, Principal};
use crate::extract::Params;
use crate::paging::{Page, Walk};
use crate::problem::{Problem, ProblemBody};
use crate::sites::site_named;
use crate::state::ApiState;
use crate::validate::organization;

/// Which migrations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MigrationsQuery {
    /// Only those in this state.
    #[param(value_type = Option<String>, example = "running")]
    state: Option<StateName>,
    /// Only those of this site: its id or name.
    site: Option<String>,
    /// Only those of this organization.
    organization: Option<String>,
    /// Where the page begins: `next` of the page before, with the same filter.
    cursor: Option<String>,
    /// Most items, 1 to 200; 50 where absent.
    limit: Option<usize>,
}

/// What decides which migrations a list holds.
#[derive(Serialize)]
struct Filter {
    state: Option<StateName>,
    organization: Option<landfall_common::OrganizationId>,
}

/// List migrations, newest first.
#[utoipa::path(
    get, path = "/v1/migrations", tag = "migrations", params(MigrationsQuery),
    responses(
        (status = 200, description = "A page", body = Page<MigrationView>),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn list_migrations(
    State(state): State<ApiState>,
    principal: Principal,
    Params(query): Params<MigrationsQuery>,
) -> Result<Json<Page<MigrationView>>, Problem> {
    principal.may(Permission::ReadMigrations)?;
    let named = query
        .organization
        .map(|text| organization(text).map_err(|detail| Problem::invalid_field("organization", detail)))
        .transpose()?;
    let scope = match named {
        Some(named) => Some(principal.acts_for(Some(named))?),
        None if principal.is_everywhere() => None,
        None => Some(principal.organization),
    };
    let index = match (query.site, scope, query.state) {
        (Some(site), _, _) => index::migrations_to(site_named(&state, &principal, &site).await?.id),
        (None, Some(organization), Some(name)) => index::migrations_of_in(organization, name),
        (None, Some(organization), None) => index::migrations_of(organization),
        (None, None, Some(name)) => index::migrations_in(name),
        (None, None, None) => index::MIGRATIONS.to_owned(),
    };
    let filter = Filter { state: query.state, organization: scope };
    let walk = Walk::new(DocumentKind::Migration, index, &filter, query.cursor.as_deref(), query.limit)?;
    let page = walk
        .page::<Migration>(&state, |migration| {
            // Checked again whatever the index says: the filter is also the tenant's border.
            filter.state.is_none_or(|name| migration.state.name() == name)
                && filter.organization.is_none_or(|organization| migration.organization == organization)
                && principal.sees(migration.organization)
        })
        .await?;
    Ok(Json(page.map(MigrationView::new)))
}
