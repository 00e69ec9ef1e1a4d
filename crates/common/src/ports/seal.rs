//! Secrets at rest.

use serde::{Deserialize, Serialize};

/// A sealed secret: ciphertext, nonce and the id of the key, all in base64, safe to store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key sealed it.
    pub key_id: String,
    /// Nonce and ciphertext, base64.
    pub sealed: String,
}

/// Why a secret cannot be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The key that sealed it is not configured here.
    #[error("the secret was sealed with key {key_id:?}, which this process does not have")]
    UnknownKey {
        /// The key's id.
        key_id: String,
    },
    /// It was altered, or it belongs to something else.
    #[error("the sealed secret does not open: altered, or of another context")]
    Broken,
}

/// Seals and opens secrets with the operator's key (AEAD).
pub trait Sealer: Send + Sync + std::fmt::Debug {
    /// Seals `plain` for the given context (the id of what it belongs to), which is needed again to open it.
    fn seal(&self, context: &str, plain: &[u8]) -> Sealed;

    /// Opens what was sealed for the same context.
    fn open(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, SealError>;
}
