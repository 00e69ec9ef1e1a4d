//! Machine tokens: the credential that the plugin, internal services and the command line present.

use serde::{Deserialize, Serialize};

use crate::{OrganizationId, StoreTime, TokenId};

/// What the bearer of a token may do. Each role includes nothing but what its line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Creates sites and migrations of its organization, enrols sources, reads and steers its own.
    Owner,
    /// Submits migrations for its organization and reads them (internal services).
    Submitter,
    /// Works on support cases of every organization.
    Support,
    /// Everything, every organization.
    Operator,
}

/// A machine token as the store keeps it: never the secret, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineToken {
    /// Document schema.
    pub schema: u16,
    /// Its id; the token's text is `lfm_<32 hex of the id>_<secret>`.
    pub id: TokenId,
    /// What its maker called it.
    pub name: String,
    /// The organization that it acts for.
    pub organization: OrganizationId,
    /// What it may do.
    pub role: Role,
    /// The owner's mail address: copied to each migration that it starts.
    pub owner_email: String,
    /// Hex of BLAKE3 of the secret (256 random bits, so no slow hash is needed).
    pub secret_hash: String,
    /// When it was made.
    pub created_at: StoreTime,
    /// From when on it is refused.
    pub expires_at: StoreTime,
    /// When it was revoked, if it was.
    pub revoked_at: Option<StoreTime>,
}
