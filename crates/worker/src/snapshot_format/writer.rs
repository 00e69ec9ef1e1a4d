//! Writing a snapshot: objects under keys of this attempt, records in the ledger, the manifest last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use landfall_common::ports::{Staging, StagingError};
use landfall_common::{AttemptId, MigrationId};

use super::{
    ContentHash, Ledger, LedgerHead, Manifest, ObjectRef, SnapshotError, compress, manifest_key,
    snapshot_prefix,
};

/// Writes objects of one snapshot as one attempt. Clones share the numbering.
#[derive(Debug, Clone)]
pub struct SnapshotWriter {
    staging: Arc<dyn Staging>,
    folder: String,
    next: Arc<AtomicU64>,
}

impl SnapshotWriter {
    /// For this attempt at this generation of a migration. Objects are numbered from `next` on: numbers only help
    /// people to see the order, the attempt keeps the keys of different workers apart.
    pub fn new(
        staging: Arc<dyn Staging>,
        migration: MigrationId,
        generation: u32,
        attempt: AttemptId,
        next: u64,
    ) -> Self {
        let folder = format!("{}/{attempt}", snapshot_prefix(migration, generation));
        Self { staging, folder, next: Arc::new(AtomicU64::new(next)) }
    }

    /// The number that the next object gets.
    pub fn next_number(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Stores an object, named `name` (such as `pack.tar.zst`) behind its number.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<ObjectRef, SnapshotError> {
        let key = self.key(name);
        let object = ObjectRef { key, bytes: bytes.len() as u64, blake3: ContentHash::of(&bytes) };
        self.staging.put(&object.key, bytes).await?;
        Ok(object)
    }

    /// Stores a JSON object, compressed.
    pub async fn put_json(
        &self,
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<ObjectRef, SnapshotError> {
        let plain = serde_json::to_vec(value).map_err(SnapshotError::encoder)?;
        self.put_text(name, plain).await
    }

    /// Stores a text, compressed.
    pub async fn put_text(&self, name: &str, plain: Vec<u8>) -> Result<ObjectRef, SnapshotError> {
        let bytes = compress(plain).await?;
        self.put(name, bytes).await
    }

    /// Writes the ledger's open segment and returns the head for the checkpoint.
    pub async fn flush(&self, ledger: &mut Ledger) -> Result<Option<LedgerHead>, SnapshotError> {
        ledger.flush(self.staging.as_ref(), || self.key("ledger.ndjson.zst")).await
    }

    /// Seals the snapshot: creates its manifest, or finds it there with the same words. Returns its key.
    pub async fn seal(&self, manifest: &Manifest) -> Result<String, SnapshotError> {
        let key = manifest_key(manifest.migration, manifest.generation);
        let bytes = Bytes::from(serde_json::to_vec_pretty(manifest).map_err(SnapshotError::encoder)?);
        match self.staging.create(&key, bytes.clone()).await {
            Ok(()) => Ok(key),
            Err(StagingError::Exists { .. }) => {
                if self.staging.get(&key).await? == bytes {
                    Ok(key)
                } else {
                    Err(SnapshotError::SealedDiffers { key })
                }
            }
            Err(
                error @ (StagingError::Missing { .. }
                | StagingError::Corrupt { .. }
                | StagingError::Unavailable(_)),
            ) => Err(error.into()),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{:06}-{name}", self.folder, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
