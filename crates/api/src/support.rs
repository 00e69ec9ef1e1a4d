//! Support cases: listed, shown, replayed, resolved.

pub(crate) mod act;
pub(crate) mod list;
pub(crate) mod view;

use landfall_common::CaseId;
use landfall_common::case::SupportCase;
use landfall_common::ports::DocumentKind;
use landfall_common::records::Versioned;

use crate::problem::Problem;
use crate::state::ApiState;

/// The case of an id.
async fn case(state: &ApiState, id: CaseId) -> Result<Versioned<SupportCase>, Problem> {
    let (_, found) = state.records.read::<SupportCase>(DocumentKind::Case, id).await?;
    found.ok_or_else(|| Problem::not_found("support case"))
}
