//! Who asks, and what they may do.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use landfall_common::ports::DocumentKind;
use landfall_common::token::{MachineToken, Role};
use landfall_common::{OrganizationId, TokenId};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::problem::Problem;
use crate::state::ApiState;

/// The prefix of a machine token's text: `lfm_<32 hex digits of its id>_<secret>`.
pub(crate) const TOKEN_PREFIX: &str = "lfm_";
/// Longest credential that is looked at, in bytes.
const CREDENTIAL_MAX: usize = 512;
/// Who the bootstrap token is, in events and in the audit.
const BOOTSTRAP: &str = "bootstrap";

/// The organization of the platform itself: of tokens that act for every organization.
pub(crate) const PLATFORM: OrganizationId = OrganizationId::from_uuid(Uuid::nil());

/// What can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// See sites.
    ReadSites,
    /// Create sites, and give them credentials.
    ManageSites,
    /// Create migrations.
    Submit,
    /// See migrations, their events and reports.
    ReadMigrations,
    /// Cancel, pause, resume, roll back.
    Steer,
    /// Enrol a source.
    Enrol,
    /// Make, list and revoke machine tokens.
    ManageTokens,
    /// Work on support cases.
    Support,
    /// Hold and let go, and set what organizations get.
    Operate,
}

impl Permission {
    /// Whether a role has it.
    pub(crate) const fn is_of(self, role: Role) -> bool {
        match (role, self) {
            (Role::Operator, _any) => true,
            (Role::Owner, Self::Support | Self::Operate) => false,
            (Role::Owner, _any) => true,
            (Role::Submitter, Self::ReadSites | Self::Submit | Self::ReadMigrations) => true,
            (
                Role::Submitter,
                Self::ManageSites
                | Self::Steer
                | Self::Enrol
                | Self::ManageTokens
                | Self::Support
                | Self::Operate,
            ) => false,
            (Role::Support, Self::ReadSites | Self::ReadMigrations | Self::Support) => true,
            (
                Role::Support,
                Self::ManageSites
                | Self::Submit
                | Self::Steer
                | Self::Enrol
                | Self::ManageTokens
                | Self::Operate,
            ) => false,
        }
    }
}

/// The bearer of a valid token.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// The token's id, or `bootstrap`: who did it, in events and in the audit.
    pub(crate) actor: String,
    /// The organization that it acts for.
    pub(crate) organization: OrganizationId,
    /// What it may do.
    pub(crate) role: Role,
    /// Where mail about its migrations goes; empty: nowhere.
    pub(crate) owner_email: String,
}

impl Principal {
    /// Whether it acts for every organization.
    pub(crate) const fn is_everywhere(&self) -> bool {
        match self.role {
            Role::Operator | Role::Support => true,
            Role::Owner | Role::Submitter => false,
        }
    }

    /// Whether things of the organization exist for it. Those of others are answered like things that do not.
    pub(crate) fn sees(&self, organization: OrganizationId) -> bool {
        self.is_everywhere() || self.organization == organization
    }

    /// Refuses what its role may not do.
    pub(crate) fn may(&self, permission: Permission) -> Result<(), Problem> {
        if permission.is_of(self.role) {
            return Ok(());
        }
        Err(Problem::forbidden("the token's role does not allow this"))
    }

    /// The organization that a request is for: its own, or the one that is named, which has to be its own unless
    /// it acts for all.
    pub(crate) fn acts_for(&self, named: Option<OrganizationId>) -> Result<OrganizationId, Problem> {
        match named {
            None => Ok(self.organization),
            Some(named) if self.sees(named) => Ok(named),
            Some(_foreign) => Err(Problem::forbidden("the token acts for another organization")),
        }
    }
}

impl FromRequestParts<ApiState> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let text = bearer(&parts.headers).ok_or_else(Problem::unauthorized)?;
        let principal = authenticate(state, text).await?.ok_or_else(Problem::unauthorized)?;
        state.rates.token(&principal.actor)?;
        tracing::Span::current().record("actor", principal.actor.as_str());
        Ok(principal)
    }
}

/// The credential of `Authorization: Bearer …`. Two such headers are none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// The bearer of a credential; none where it is unknown, wrong, expired or revoked.
///
/// Secrets have 256 random bits, so one fast hash keeps them safe at rest, and comparing hashes in constant time
/// tells nothing about them.
pub(crate) async fn authenticate(state: &ApiState, text: &str) -> Result<Option<Principal>, Problem> {
    if text.is_empty() || text.len() > CREDENTIAL_MAX {
        return Ok(None);
    }
    if let Some(expected) = &state.bootstrap_hash
        && bool::from(expected.as_bytes().ct_eq(blake3::hash(text.as_bytes()).as_bytes()))
    {
        return Ok(Some(Principal {
            actor: BOOTSTRAP.to_owned(),
            organization: PLATFORM,
            role: Role::Operator,
            owner_email: String::new(),
        }));
    }
    let Some((id, secret)) = split(text) else { return Ok(None) };
    let (now, found) = state.records.read::<MachineToken>(DocumentKind::Token, id).await?;
    let Some(token) = found.map(|found| found.value) else { return Ok(None) };
    let hash = hash(secret);
    let is_right = bool::from(hash.as_bytes().ct_eq(token.secret_hash.as_bytes()));
    if !is_right || token.revoked_at.is_some() || now >= token.expires_at {
        return Ok(None);
    }
    Ok(Some(Principal {
        actor: token.id.to_string(),
        organization: token.organization,
        role: token.role,
        owner_email: token.owner_email,
    }))
}

/// Hex of BLAKE3 of a secret: what the store keeps of it.
pub(crate) fn hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

fn split(text: &str) -> Option<(TokenId, &str)> {
    let (digits, secret) = text.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    let id = format!("{}{digits}", TokenId::PREFIX).parse().ok()?;
    (!secret.is_empty()).then_some((id, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_bearer_credential_is_taken() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(with(&["bearer  abc "]).as_deref(), Some("abc"));
        assert_eq!(with(&["Basic abc"]), None);
        assert_eq!(with(&["Bearer"]), None);
        assert_eq!(with(&["Bearer abc", "Bearer abc"]), None);
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn a_token_is_split_into_its_id_and_its_secret() {
        let (id, secret) = split("lfm_00000000000000000000000000000007_se_cret").unwrap();
        assert_eq!(id, TokenId::from_uuid(Uuid::from_u128(7)));
        assert_eq!(secret, "se_cret");
        for bad in ["", "lfm_", "lfm_7_x", "lfm_00000000000000000000000000000007_", "tok_0_x", "lfm_\u{e9}_x"]
        {
            assert!(split(bad).is_none(), "{bad}");
        }
    }
}
