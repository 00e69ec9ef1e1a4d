//! Migrations: submitting, watching and steering them.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod report;
pub(crate) mod show;
pub(crate) mod steer;
pub(crate) mod view;

use landfall_common::ports::{DocumentKey, DocumentKind};
use landfall_common::records::Versioned;
use landfall_common::{Migration, MigrationId, SiteId, StoreTime};

use crate::auth::{Permission, Principal};
use crate::problem::Problem;
use crate::state::ApiState;

/// The migration, if it exists for the caller, with the store's time.
pub(crate) async fn visible(
    state: &ApiState,
    principal: &Principal,
    id: MigrationId,
) -> Result<(StoreTime, Versioned<Migration>), Problem> {
    principal.may(Permission::ReadMigrations)?;
    let (now, found) = state.records.migration(id).await?;
    let found = found
        .filter(|found| principal.sees(found.value.organization))
        .ok_or_else(|| Problem::not_found("migration"))?;
    Ok((now, found))
}

/// The migration that a site is busy with.
pub(crate) async fn busy_with(state: &ApiState, site: SiteId) -> Result<Option<MigrationId>, Problem> {
    let key = DocumentKey::new(DocumentKind::SiteBusy, site);
    let (_, mut found) = state.records.store().load(&[key]).await?;
    let Some(document) = found.pop().flatten() else { return Ok(None) };
    let id = std::str::from_utf8(&document.body).ok().and_then(|text| text.parse().ok());
    if id.is_none() {
        tracing::error!(site = %site, "the note of what the site is busy with cannot be read");
        return Err(Problem::internal());
    }
    Ok(id)
}

/// 409, naming the migration that the site is busy with.
pub(crate) fn site_busy(migration: MigrationId) -> Problem {
    let detail = format!("the site has an active migration: {migration}");
    Problem::new(axum::http::StatusCode::CONFLICT, "api.site_busy", detail).with("migration", migration)
}
