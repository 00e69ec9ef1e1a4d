//! Holds: nothing new is started for an organization, a phase, or at all. What runs ends its slice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{OrganizationId, Phase, StoreTime};

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    All,
    /// One phase.
    Phase(Phase),
    /// One organization.
    Organization(OrganizationId),
}

/// Not `all`, a phase or an organization's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not all, a phase or an organization's id")]
pub struct BadScope(String);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Phase(phase) => write!(f, "{phase}"),
            Scope::Organization(organization) => write!(f, "{organization}"),
        }
    }
}

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        if text == "all" {
            return Ok(Scope::All);
        }
        if let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.as_str() == text) {
            return Ok(Scope::Phase(phase));
        }
        text.parse().map(Scope::Organization).map_err(|_| BadScope(text.to_owned()))
    }
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Document schema.
    pub schema: u16,
    /// What is held, as [`Scope`] is written.
    pub scope: String,
    /// Why, for whoever looks.
    pub reason: String,
    /// Who: a token's id.
    pub by: String,
    /// Since when.
    pub since: StoreTime,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        let organization = OrganizationId::from_uuid(Uuid::from_u128(7));
        for scope in [Scope::All, Scope::Phase(Phase::Import), Scope::Organization(organization)] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!("everything".parse::<Scope>().is_err());
    }
}
