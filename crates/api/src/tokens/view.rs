//! How a machine token looks outside.

use landfall_common::token::{MachineToken, Role};
use serde::Serialize;

use crate::view::Moment;

/// A machine token, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MachineToken)]
pub(crate) struct TokenView {
    /// Its id.
    #[schema(example = "tok_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b")]
    id: String,
    /// What its maker called it.
    name: String,
    /// The organization that it acts for.
    organization: String,
    /// `owner`, `submitter`, `support` or `operator`.
    #[schema(value_type = String, example = "owner")]
    role: Role,
    /// Where mail about its migrations goes.
    owner_email: String,
    created_at: Moment,
    /// From when on it is refused.
    expires_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Moment>,
}

/// A machine token that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = NewMachineToken)]
pub(crate) struct NewTokenView {
    /// The token's text. It is shown this once.
    #[schema(example = "lfm_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b_…")]
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) view: TokenView,
}

impl TokenView {
    pub(crate) fn new(token: MachineToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            organization: token.organization.to_string(),
            role: token.role,
            owner_email: token.owner_email,
            created_at: Moment(token.created_at),
            expires_at: Moment(token.expires_at),
            revoked_at: token.revoked_at.map(Moment),
        }
    }
}
