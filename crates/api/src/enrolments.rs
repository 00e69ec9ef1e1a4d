//! How the source's plugin joins its migration, and asks how it goes.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod status;

use landfall_common::MigrationId;
use landfall_common::ports::{DocumentKey, DocumentKind};
use serde::{Deserialize, Serialize};

/// What is kept of a status token: it outlives the migration's secret, so that the plugin's page can show the end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StatusToken {
    /// Hex of BLAKE3 of the token.
    hash: String,
}

/// Where it is kept.
fn status_key(migration: MigrationId) -> DocumentKey {
    DocumentKey::new(DocumentKind::Secret, format!("{migration}/status"))
}
