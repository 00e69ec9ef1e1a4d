//! Staging storage: snapshots as encrypted objects.

use async_trait::async_trait;
use bytes::Bytes;

/// The key of an object, `/`-separated, below the installation's prefix.
pub type ObjectKey = String;

/// What the staging storage answers instead of an object.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// No such object.
    #[error("object {key} is not in the staging storage")]
    Missing {
        /// Its key.
        key: ObjectKey,
    },
    /// A conditional create found the key taken.
    #[error("object {key} exists already")]
    Exists {
        /// Its key.
        key: ObjectKey,
    },
    /// It does not decrypt.
    #[error("object {key} is damaged or was encrypted for another key")]
    Corrupt {
        /// Its key.
        key: ObjectKey,
    },
    /// Try again later.
    #[error("the staging storage does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Stores objects, each encrypted to the operator's age key. Objects are small enough to hold in memory
/// (packs and chunks of some 32 MiB) and are never changed once written.
///
/// Contract: `put` of a key that exists replaces it; `create` of one fails with [`StagingError::Exists`] and
/// leaves it alone, and of two racing `create`s exactly one wins; after `put` or `create` returned, `get`
/// returns the same bytes from any process; keys list in byte order; deleting what is not there is no error.
#[async_trait]
pub trait Staging: Send + Sync + std::fmt::Debug {
    /// Writes an object.
    async fn put(&self, key: &str, plain: Bytes) -> Result<(), StagingError>;

    /// Writes an object if its key is free.
    async fn create(&self, key: &str, plain: Bytes) -> Result<(), StagingError>;

    /// Reads an object.
    async fn get(&self, key: &str) -> Result<Bytes, StagingError>;

    /// Keys that begin with `prefix`, in byte order, at most `limit`, after `after`.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StagingError>;

    /// Deletes an object.
    async fn delete(&self, key: &str) -> Result<(), StagingError>;
}
