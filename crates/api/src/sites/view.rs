//! How a site looks outside.

use landfall_common::MigrationId;
use landfall_common::site::{DestinationSpec, Site};
use serde::Serialize;

use super::body::DestinationBody;
use crate::view::Moment;

/// A site on the platform.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Site)]
pub(crate) struct SiteView {
    /// Its id.
    #[schema(example = "site_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b")]
    id: String,
    /// The tenant.
    organization: String,
    /// Its name.
    name: String,
    /// Where its files, database and pages are; never its secrets.
    #[schema(value_type = DestinationBody)]
    destination: DestinationSpec,
    created_at: Moment,
    /// Whether its secrets were given; only of one site.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_credentials: Option<bool>,
    /// The migration that it is busy with; only of one site.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    migration: Option<MigrationId>,
}

impl SiteView {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            id: site.id.to_string(),
            organization: site.organization.to_string(),
            name: site.name,
            destination: site.destination,
            created_at: Moment(site.created_at),
            has_credentials: None,
            migration: None,
        }
    }

    /// With what is told of one site alone.
    pub(crate) fn with(mut self, has_credentials: bool, migration: Option<MigrationId>) -> Self {
        self.has_credentials = Some(has_credentials);
        self.migration = migration;
        self
    }
}
