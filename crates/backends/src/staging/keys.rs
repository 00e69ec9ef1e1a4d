//! The operator's age keys.

use std::fmt;
use std::str::FromStr;

use age::x25519::{Identity, Recipient};
use secrecy::{ExposeSecret, SecretString};

/// Why staging has no keys.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StagingKeyError {
    /// Not an age identity (`AGE-SECRET-KEY-1…`), nor a file of such.
    #[error("not an age identity: it should read AGE-SECRET-KEY-1…")]
    BadIdentity,
    /// Not an age recipient (`age1…`).
    #[error("{recipient:?} is not an age recipient: it should read age1…")]
    BadRecipient {
        /// What was given.
        recipient: String,
    },
    /// Nothing to encrypt to.
    #[error("staging needs an age identity or a recipient")]
    Empty,
}

/// Whom objects are encrypted to, and what opens them.
pub struct StagingKeys {
    pub(super) recipients: Vec<Recipient>,
    pub(super) identities: Vec<Identity>,
}

impl fmt::Debug for StagingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recipients: Vec<String> = self.recipients.iter().map(ToString::to_string).collect();
        f.debug_struct("StagingKeys").field("recipients", &recipients).finish_non_exhaustive()
    }
}

impl StagingKeys {
    /// Objects are encrypted to the recipients, or to the first identity where none is named; every identity opens. An
    /// identity may be the content of a file as `age-keygen` writes it.
    pub fn new(identities: &[SecretString], recipients: &[String]) -> Result<Self, StagingKeyError> {
        let mut opening = Vec::new();
        for text in identities {
            opening.extend(parse_identities(text)?);
        }
        let mut sealing =
            recipients.iter().map(|text| parse_recipient(text)).collect::<Result<Vec<_>, _>>()?;
        if sealing.is_empty() {
            sealing.push(opening.first().ok_or(StagingKeyError::Empty)?.to_public());
        }
        Ok(Self { recipients: sealing, identities: opening })
    }
}

/// A new identity, `AGE-SECRET-KEY-1…`.
pub fn generate_identity() -> SecretString {
    Identity::generate().to_string()
}

/// The recipient that belongs to an identity.
pub fn recipient_of(identity: &SecretString) -> Result<String, StagingKeyError> {
    let identities = parse_identities(identity)?;
    Ok(identities.first().ok_or(StagingKeyError::BadIdentity)?.to_public().to_string())
}

fn parse_identities(text: &SecretString) -> Result<Vec<Identity>, StagingKeyError> {
    let identities = text
        .expose_secret()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Identity::from_str(line).map_err(|_| StagingKeyError::BadIdentity))
        .collect::<Result<Vec<_>, _>>()?;
    if identities.is_empty() { Err(StagingKeyError::BadIdentity) } else { Ok(identities) }
}

fn parse_recipient(text: &str) -> Result<Recipient, StagingKeyError> {
    Recipient::from_str(text.trim()).map_err(|_| StagingKeyError::BadRecipient { recipient: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_alone_and_from_a_file_with_comments() {
        let identity = generate_identity();
        let recipient = recipient_of(&identity).unwrap();
        let file = format!("# created: today\n# public key: {recipient}\n{}\n", identity.expose_secret());
        assert_eq!(recipient_of(&file.into()).unwrap(), recipient);
        let keys = StagingKeys::new(std::slice::from_ref(&identity), &[]).unwrap();
        assert!(format!("{keys:?}").contains(&recipient));
        assert!(!format!("{keys:?}").contains(identity.expose_secret()));
    }

    #[test]
    fn bad_keys_are_refused_without_being_repeated() {
        for bad in ["", "# only a comment", "hunter2", "age1qqqq"] {
            let refused = StagingKeys::new(&[bad.to_owned().into()], &[]).unwrap_err();
            assert_eq!(refused, StagingKeyError::BadIdentity);
        }
        assert_eq!(StagingKeys::new(&[], &[]).unwrap_err(), StagingKeyError::Empty);
        let refused = StagingKeys::new(&[], &["age1nonsense".to_owned()]).unwrap_err();
        assert!(matches!(refused, StagingKeyError::BadRecipient { .. }));
    }
}
