//! How a support case looks outside.

use landfall_common::case::{CaseState, Note, SupportCase};
use landfall_common::{ErrorCode, Phase};
use serde::Serialize;

use crate::migrations::events::EventView;
use crate::migrations::view::MigrationView;
use crate::view::Moment;

/// A failed migration in the hands of support.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SupportCase)]
pub(crate) struct CaseView {
    /// Its id.
    #[schema(example = "case_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b")]
    id: String,
    /// `open`, `replayed` or `resolved`.
    #[schema(value_type = String, example = "open")]
    state: &'static str,
    /// What was found and done, once it is resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
    migration: String,
    /// The generation that failed.
    generation: u32,
    organization: String,
    site: String,
    /// What went wrong; its page is at `/errors/{code}`.
    #[schema(value_type = String)]
    code: ErrorCode,
    /// What went wrong, for people.
    detail: String,
    /// Where it stopped.
    #[schema(value_type = String, example = "import")]
    phase: Phase,
    opened_at: Moment,
    site_name: String,
    /// The host of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_host: Option<String>,
    /// Cases with the same were stopped by the same thing.
    fingerprint: String,
    /// The token that works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<String>,
    /// The organization's allowance of assisted migrations was used up.
    outside_allowance: bool,
    /// What the error means and what helps.
    runbook: String,
    notes: Vec<NoteView>,
}

/// A note of a support engineer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Note)]
pub(crate) struct NoteView {
    at: Moment,
    by: String,
    text: String,
}

/// A case with its evidence.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SupportCaseWithEvidence)]
pub(crate) struct EvidenceView {
    #[serde(flatten)]
    pub(crate) case: CaseView,
    /// The migration as it is now.
    pub(crate) subject: Option<MigrationView>,
    /// The newest events of its timeline, oldest first.
    pub(crate) timeline: Vec<EventView>,
    /// The site's page.
    pub(crate) site_dashboard_url: String,
}

impl CaseView {
    pub(crate) fn new(case: SupportCase) -> Self {
        let fingerprint = case.fingerprint();
        let (state, resolution) = match case.state {
            CaseState::Open => ("open", None),
            CaseState::Replayed => ("replayed", None),
            CaseState::Resolved { resolution } => ("resolved", Some(resolution)),
        };
        Self {
            fingerprint,
            runbook: format!("/errors/{}", case.code),
            site_name: case.site_name,
            source_host: case.source_host,
            claimed_by: case.claimed_by,
            outside_allowance: case.outside_allowance,
            id: case.id.to_string(),
            state,
            resolution,
            migration: case.migration.to_string(),
            generation: case.generation,
            organization: case.organization.to_string(),
            site: case.site.to_string(),
            code: case.code,
            detail: case.detail,
            phase: case.phase,
            opened_at: Moment(case.opened_at),
            notes: case.notes.into_iter().map(NoteView::new).collect(),
        }
    }
}

impl NoteView {
    fn new(note: Note) -> Self {
        Self { at: Moment(note.at), by: note.by, text: note.text }
    }
}
