//! Support cases: what retries could not cure, in the hands of people.

use serde::{Deserialize, Serialize};

use crate::{CaseId, ErrorCode, MigrationId, OrganizationId, Phase, SiteId, StoreTime};

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CaseState {
    /// Waits for support.
    Open,
    /// Sent round again; open again if it fails again.
    Replayed,
    /// Closed.
    Resolved {
        /// What was found and done.
        resolution: String,
    },
}

/// A note of a support engineer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: StoreTime,
    /// Who: a token's id.
    pub by: String,
    /// What.
    pub text: String,
}

/// A failed migration in the hands of support.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupportCase {
    /// Document schema.
    pub schema: u16,
    /// Its id.
    pub id: CaseId,
    /// The migration.
    pub migration: MigrationId,
    /// The generation that failed.
    pub generation: u32,
    /// The tenant.
    pub organization: OrganizationId,
    /// The site.
    pub site: SiteId,
    /// What went wrong, stable.
    pub code: ErrorCode,
    /// What went wrong, for people. Redacted.
    pub detail: String,
    /// Where it stopped.
    pub phase: Phase,
    /// Since when.
    pub opened_at: StoreTime,
    /// Where it stands.
    #[serde(flatten)]
    pub state: CaseState,
    /// What support wrote.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// Whether the mail to the support address has gone out.
    #[serde(default)]
    pub announced: bool,
}
