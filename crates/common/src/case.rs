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

/// Notes of one case.
pub const NOTES_MAX: usize = 200;

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
    /// The site's name, as it was.
    #[serde(default)]
    pub site_name: String,
    /// The host of the source.
    #[serde(default)]
    pub source_host: Option<String>,
    /// Who works on it: a token's id.
    #[serde(default)]
    pub claimed_by: Option<String>,
    /// The organization's allowance of assisted migrations was used up when it was opened.
    #[serde(default)]
    pub outside_allowance: bool,
    /// What support wrote, at most [`NOTES_MAX`].
    #[serde(default)]
    pub notes: Vec<Note>,
    /// Whether the mail to the support address has gone out.
    #[serde(default)]
    pub announced: bool,
}

impl SupportCase {
    /// What cases have in common that were stopped by the same thing: the code, the phase, and the detail without what is
    /// a case's own in it (numbers, addresses, names in quotes). 16 hex digits.
    pub fn fingerprint(&self) -> String {
        let words = self.detail.split_whitespace().map(|word| {
            let is_own =
                word.contains(['/', '@', '`', '\'', '"', '.']) || word.contains(|c: char| c.is_ascii_digit());
            if is_own { "*" } else { word }
        });
        let shape: Vec<&str> = words.collect();
        let text = format!("{}\n{}\n{}", self.code, self.phase, shape.join(" "));
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}
