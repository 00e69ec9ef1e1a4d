//! Support cases: found, claimed, noted on, replayed one by one or many at once, resolved.

pub(crate) mod bulk;
pub(crate) mod bundle;
pub(crate) mod desk;
pub(crate) mod filter;
pub(crate) mod groups;
pub(crate) mod list;
mod redact;
pub(crate) mod replay;
pub(crate) mod resolve;
pub(crate) mod view;

use landfall_common::case::{CaseState, SupportCase};
use landfall_common::migration::State as MigrationState;
use landfall_common::ports::{Commit, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Write};
use landfall_common::records::{Versioned, index};
use landfall_common::{CaseId, Migration};

use crate::problem::Problem;
use crate::state::ApiState;

/// How often a command starts again when the case changes in the same moment.
const TRIES_MAX: usize = 5;
/// Longest reason, note or resolution, in characters.
const PROSE_MAX: usize = 2000;

/// The case of an id.
async fn case(state: &ApiState, id: CaseId) -> Result<Versioned<SupportCase>, Problem> {
    let (_, found) = state.records.read::<SupportCase>(DocumentKind::Case, id).await?;
    found.ok_or_else(|| Problem::not_found("support case"))
}

/// The case that a migration is stopped by.
fn stopped_by(migration: &Migration) -> Option<CaseId> {
    match migration.state {
        MigrationState::NeedsSupport { case, .. } => Some(case),
        MigrationState::AwaitingSource
        | MigrationState::Queued { .. }
        | MigrationState::Running { .. }
        | MigrationState::Paused { .. }
        | MigrationState::Succeeded
        | MigrationState::Cancelled { .. }
        | MigrationState::Rejected { .. }
        | MigrationState::RolledBack => None,
    }
}

/// The case is as it was seen, and becomes `next`. One that is not open waits for nobody any more.
fn put(commit: &mut Commit, seen: &Versioned<SupportCase>, next: &SupportCase) {
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Case, next.id),
        expect: Expect::Version(seen.version),
        write: Write::Put(serde_json::to_vec(next).expect("documents are plain data").into()),
        expires_in: None,
    });
    if next.state != CaseState::Open {
        let (index, member) = (index::CASES_OPEN.to_owned(), next.id.to_string());
        commit.index.push(IndexWrite::Remove { index, member });
    }
}

/// Closes the case that a migration is stopped by in the commit that cancels the migration.
pub(crate) async fn cancelled_with(
    state: &ApiState,
    migration: &Migration,
) -> Result<Option<(Versioned<SupportCase>, SupportCase)>, Problem> {
    let Some(id) = stopped_by(migration) else { return Ok(None) };
    let found = case(state, id).await?;
    let resolution = "The migration was cancelled.".to_owned();
    let next = SupportCase { state: CaseState::Resolved { resolution }, ..found.value.clone() };
    Ok(Some((found, next)))
}

/// Adds what [`cancelled_with`] found to a commit.
pub(crate) fn close_cancelled(commit: &mut Commit, closed: Option<&(Versioned<SupportCase>, SupportCase)>) {
    if let Some((seen, next)) = closed {
        put(commit, seen, next);
    }
}
