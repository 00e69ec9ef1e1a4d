//! The staging storage. It is reached over the same network, and its objects do not roll back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::ports::{ObjectKey, Staging, StagingError};

use super::world::{Inner, Lost, Network};

/// Objects by key.
#[derive(Debug, Default)]
pub(super) struct StagingModel {
    objects: BTreeMap<ObjectKey, Bytes>,
}

/// The world's staging storage as one process reaches it.
#[derive(Debug, Clone)]
pub struct SimStaging {
    network: Network,
}

impl SimStaging {
    /// The storage at the other end of this network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut BTreeMap<ObjectKey, Bytes>) -> T + Send + 'static,
    ) -> Result<T, StagingError> {
        let answer = self.network.call(move |world: &mut Inner| Ok(question(&mut world.staging.objects)));
        answer.await.map_err(|lost: Lost| StagingError::Unavailable(Box::new(lost)))
    }
}

#[async_trait]
impl Staging for SimStaging {
    async fn put(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        let key = key.to_owned();
        self.ask(move |objects| {
            objects.insert(key, plain);
        })
        .await
    }

    async fn create(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        let key = key.to_owned();
        self.ask(move |objects| {
            if objects.contains_key(&key) {
                return Err(StagingError::Exists { key });
            }
            objects.insert(key, plain);
            Ok(())
        })
        .await?
    }

    async fn get(&self, key: &str) -> Result<Bytes, StagingError> {
        let key = key.to_owned();
        self.ask(move |objects| objects.get(&key).cloned().ok_or(StagingError::Missing { key })).await?
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StagingError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.ask(move |objects| {
            let keys = objects.keys().filter(|key| key.starts_with(&prefix));
            let behind = keys.filter(|key| after.as_ref().is_none_or(|after| *key > after));
            behind.take(limit).cloned().collect()
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), StagingError> {
        let key = key.to_owned();
        self.ask(move |objects| {
            objects.remove(&key);
        })
        .await
    }
}
