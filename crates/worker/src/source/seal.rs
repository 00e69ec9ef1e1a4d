//! Encryption of frames and parameters for sources on plain http. The other half is
//! `class-landfall-migrate-sealer.php`. Every key serves one stream, so its nonces are counters.

use bytes::{Bytes, BytesMut};
use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The ciphers that this client opens, by the plugin's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes,
    ChaCha,
}

impl Cipher {
    /// Those that this client knows.
    pub(crate) const KNOWN: [Cipher; 2] = [Cipher::Aes, Cipher::ChaCha];

    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes => "aes-256-gcm",
            Self::ChaCha => "chacha20-poly1305",
        }
    }

    /// The cipher of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|cipher| cipher.name() == name)
    }
}

/// One key under one cipher.
pub(crate) struct Sealer {
    key: LessSafeKey,
}

/// A message that was not made with this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an encrypted frame does not open")]
pub(crate) struct DoesNotOpen;

impl Sealer {
    pub(crate) fn new(cipher: Cipher, key: &[u8; 32]) -> Self {
        let algorithm = match cipher {
            Cipher::Aes => &AES_256_GCM,
            Cipher::ChaCha => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, key).expect("both ciphers take keys of 32 bytes");
        Self { key: LessSafeKey::new(key) }
    }

    /// Opens message number `counter`.
    pub(crate) fn open(&self, sealed: Bytes, bound: &[u8], counter: u32) -> Result<Bytes, DoesNotOpen> {
        let mut buffer = BytesMut::from(sealed);
        let length = self
            .key
            .open_in_place(nonce(counter), Aad::from(bound), &mut buffer)
            .map_err(|_| DoesNotOpen)?
            .len();
        buffer.truncate(length);
        Ok(buffer.freeze())
    }

    /// Seals message number `counter`.
    pub(crate) fn seal(&self, plain: &[u8], bound: &[u8], counter: u32) -> Vec<u8> {
        let mut buffer = plain.to_vec();
        self.key
            .seal_in_place_append_tag(nonce(counter), Aad::from(bound), &mut buffer)
            .expect("a request is far below the ciphers' limit of 64 GiB");
        buffer
    }
}

fn nonce(counter: u32) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[8..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_as_the_same_message() {
        for cipher in Cipher::KNOWN {
            let sealer = Sealer::new(cipher, &[3; 32]);
            let sealed = Bytes::from(sealer.seal(b"secret", b"params", 4));
            assert_eq!(sealer.open(sealed.clone(), b"params", 4).unwrap(), &b"secret"[..]);
            assert_eq!(sealer.open(sealed.clone(), b"params", 5), Err(DoesNotOpen));
            assert_eq!(sealer.open(sealed.clone(), b"frames", 4), Err(DoesNotOpen));
            assert_eq!(sealer.open(sealed.slice(1..), b"params", 4), Err(DoesNotOpen));
            assert_eq!(Cipher::of(cipher.name()), Some(cipher));
        }
    }
}
