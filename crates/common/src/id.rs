//! Prefixed identifiers: the prefix says what a thing is wherever its id turns up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not an id of the form {prefix}<32 hex digits>")]
pub struct BadId {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// The prefix that ids of this kind carry.
    pub prefix: &'static str,
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of this kind of id.
            pub const PREFIX: &'static str = $prefix;

            /// Makes the id of a UUID that the caller drew (version 7 keeps ids in the order of time).
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID behind the prefix.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix)
                    .filter(|digits| digits.len() == 32 && digits.bytes().all(is_lower_hex))
                    .and_then(|digits| Uuid::try_parse(digits).ok())
                    .map(Self)
                    .ok_or_else(|| BadId { text: text.chars().take(80).collect(), prefix: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

prefixed_id!(/// One migration.
    MigrationId, "mig_");
prefixed_id!(/// A tenant.
    OrganizationId, "org_");
prefixed_id!(/// A site on the platform.
    SiteId, "site_");
prefixed_id!(/// A machine token (its public half).
    TokenId, "tok_");
prefixed_id!(/// A support case.
    CaseId, "case_");
prefixed_id!(/// One attempt of one worker at one slice; drawn at random for each claim.
    AttemptId, "att_");
prefixed_id!(/// One worker process.
    WorkerId, "wkr_");
prefixed_id!(/// One request to the store: the same id again returns the first result.
    RequestId, "req_");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = MigrationId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<MigrationId>().unwrap(), id);
    }

    #[test]
    fn an_id_of_another_kind_or_case_is_refused() {
        for bad in [
            "",
            "mig_",
            "site_00000000000000000000000000000007",
            "mig_0000000000000000000000000000000G",
            "mig_0000000000000000000000000000000A",
            "mig_00000000-0000-0000-0000-000000000007",
        ] {
            assert!(bad.parse::<MigrationId>().is_err(), "{bad}");
        }
    }
}
