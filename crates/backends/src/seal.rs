//! Secrets at rest: XChaCha20-Poly1305 under the operator's keys.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use landfall_common::ports::{SealError, Sealed, Sealer};
use secrecy::{ExposeSecret, SecretString};

const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// Why a keyring cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyringError {
    /// A keyring needs a key to seal with.
    #[error("no sealing key is configured")]
    Empty,
    /// A key is not 32 bytes in base64.
    #[error("sealing key {key_id:?} is not 32 bytes in base64")]
    BadKey {
        /// The key's id.
        key_id: String,
    },
    /// Two keys have one id.
    #[error("sealing key {key_id:?} is named twice")]
    Twice {
        /// The id.
        key_id: String,
    },
}

/// One key of the operator's.
#[derive(Debug, Clone)]
pub struct SealingKey {
    /// Its name, which is stored with what it seals.
    pub key_id: String,
    /// 32 random bytes in base64 (`openssl rand -base64 32`).
    pub key: SecretString,
}

/// Seals with the first key and opens with any: a new key is put in front, and the former stay until nothing is sealed
/// with them any more.
pub struct KeyringSealer {
    first: NamedKey,
    others: Vec<NamedKey>,
}

struct NamedKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for KeyringSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().map(|key| &key.id)).finish()
    }
}

impl KeyringSealer {
    /// The keyring of these keys.
    pub fn new(keys: &[SealingKey]) -> Result<Self, KeyringError> {
        let mut named: Vec<NamedKey> = Vec::with_capacity(keys.len());
        for key in keys {
            if named.iter().any(|other| other.id == key.key_id) {
                return Err(KeyringError::Twice { key_id: key.key_id.clone() });
            }
            let cipher =
                cipher(&key.key).ok_or_else(|| KeyringError::BadKey { key_id: key.key_id.clone() })?;
            named.push(NamedKey { id: key.key_id.clone(), cipher });
        }
        let mut named = named.into_iter();
        let first = named.next().ok_or(KeyringError::Empty)?;
        Ok(Self { first, others: named.collect() })
    }

    fn keys(&self) -> impl Iterator<Item = &NamedKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// A new random key in base64.
pub fn generate_sealing_key() -> SecretString {
    STANDARD.encode(rand::random::<[u8; KEY_BYTES]>()).into()
}

fn cipher(key: &SecretString) -> Option<XChaCha20Poly1305> {
    let bytes = secrecy::zeroize::Zeroizing::new(STANDARD.decode(key.expose_secret().trim()).ok()?);
    let key = Key::try_from(bytes.as_slice()).ok()?;
    Some(XChaCha20Poly1305::new(&key))
}

impl Sealer for KeyringSealer {
    fn seal(&self, context: &str, plain: &[u8]) -> Sealed {
        let nonce_bytes = rand::random::<[u8; NONCE_BYTES]>();
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let ciphertext = self
            .first
            .cipher
            .encrypt(&XNonce::from(nonce_bytes), payload)
            .expect("sealing fails only above 256 GiB");
        let sealed = STANDARD.encode([nonce_bytes.as_slice(), &ciphertext].concat());
        Sealed { key_id: self.first.id.clone(), sealed }
    }

    fn open(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let key = self
            .keys()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| SealError::UnknownKey { key_id: sealed.key_id.clone() })?;
        let bytes = STANDARD.decode(&sealed.sealed).map_err(|_| SealError::Broken)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Broken)?;
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        key.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_id: &str, byte: u8) -> SealingKey {
        SealingKey { key_id: key_id.to_owned(), key: STANDARD.encode([byte; 32]).into() }
    }

    #[test]
    fn a_secret_opens_for_its_context_only() {
        let sealer = KeyringSealer::new(&[key("2026", 1)]).unwrap();
        for plain in [b"".as_slice(), b"hunter2", &[0; 5000]] {
            let sealed = sealer.seal("site_1", plain);
            assert_eq!(sealer.open("site_1", &sealed).unwrap(), plain);
            assert_eq!(sealer.open("site_2", &sealed), Err(SealError::Broken));
        }
        assert_ne!(sealer.seal("a", b"x"), sealer.seal("a", b"x"), "each has a nonce of its own");
    }

    #[test]
    fn any_change_breaks_the_seal() {
        let sealer = KeyringSealer::new(&[key("2026", 1)]).unwrap();
        let sealed = sealer.seal("c", b"secret");
        let bytes = STANDARD.decode(&sealed.sealed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Sealed { sealed: STANDARD.encode(&changed), ..sealed.clone() };
            assert_eq!(sealer.open("c", &changed), Err(SealError::Broken));
        }
        for garbage in ["", "????", "AAAA", &sealed.sealed[..40]] {
            let changed = Sealed { sealed: garbage.to_owned(), ..sealed.clone() };
            assert_eq!(sealer.open("c", &changed), Err(SealError::Broken), "{garbage:?}");
        }
    }

    #[test]
    fn keys_rotate() {
        let old = KeyringSealer::new(&[key("old", 1)]).unwrap();
        let rotated = KeyringSealer::new(&[key("new", 2), key("old", 1)]).unwrap();
        let sealed = old.seal("c", b"secret");
        assert_eq!(rotated.open("c", &sealed).unwrap(), b"secret");
        let again = rotated.seal("c", b"secret");
        assert_eq!(again.key_id, "new");
        assert_eq!(old.open("c", &again), Err(SealError::UnknownKey { key_id: "new".to_owned() }));
    }

    #[test]
    fn a_bad_keyring_is_refused_and_shows_no_key() {
        assert_eq!(KeyringSealer::new(&[]).unwrap_err(), KeyringError::Empty);
        let short = SealingKey { key_id: "k".to_owned(), key: "c2hvcnQ=".into() };
        assert_eq!(
            KeyringSealer::new(&[short]).unwrap_err(),
            KeyringError::BadKey { key_id: "k".to_owned() }
        );
        let twice = KeyringSealer::new(&[key("k", 1), key("k", 2)]).unwrap_err();
        assert_eq!(twice, KeyringError::Twice { key_id: "k".to_owned() });
        let generated = SealingKey { key_id: "k".to_owned(), key: generate_sealing_key() };
        let debug =
            format!("{generated:?} {:?}", KeyringSealer::new(std::slice::from_ref(&generated)).unwrap());
        assert!(!debug.contains(generated.key.expose_secret()), "{debug}");
    }
}
