//! What stands behind the ports, as the configuration says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use landfall_backends::memory::MemoryQueue;
use landfall_backends::rabbitmq::{RabbitOptions, RabbitQueue};
use landfall_backends::redis::{RedisOptions, RedisStore};
use landfall_backends::seal::{KeyringSealer, SealingKey};
use landfall_backends::sqlite::{SqliteOptions, SqliteStore};
use landfall_backends::staging::{ObjectStaging, StagingKeys};
use landfall_common::ports::{Queue, Sealer, Staging, Store};
use landfall_common::records::Records;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::config::{Config, QueueKind, SealingKeyConfig, StagingConfig, StagingPlace, StoreKind};
use crate::exit::Failure;

/// How long connections may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The backends of a process. Nothing is connected yet when they are made: servers may be away at the start.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The store.
    pub(crate) records: Records,
    /// The queue.
    pub(crate) queue: Arc<dyn Queue>,
    broker: Option<Arc<RabbitQueue>>,
    sealing: Arc<[SealingKeyConfig]>,
    staging: StagingConfig,
}

impl Parts {
    /// The backends that the sections `store`, `queue`, `staging` and `sealing` name. `process` is what the broker's tools
    /// show beside the connections.
    pub(crate) fn open(config: &Config, process: &str) -> Result<Self, Failure> {
        let (queue, broker) = queue(config, process)?;
        Ok(Self {
            records: Records::new(store(config)?, Uuid::now_v7),
            queue,
            broker,
            sealing: config.sealing.clone().into(),
            staging: config.staging.clone(),
        })
    }

    /// Ends connections in an orderly way, so that the last acks arrive. What is lost here is only found stale later.
    pub(crate) async fn end(self) {
        if let Some(broker) = self.broker {
            let _ = tokio::time::timeout(END_LIMIT, broker.close()).await;
        }
    }

    /// The keyring.
    pub(crate) fn sealer(&self) -> Result<Arc<dyn Sealer>, Failure> {
        let keys: Vec<SealingKey> = self
            .sealing
            .iter()
            .map(|key| SealingKey { key_id: key.id.clone(), key: key.key.clone() })
            .collect();
        Ok(Arc::new(KeyringSealer::new(&keys).context("the sealing keys")?))
    }

    /// The staging storage.
    pub(crate) fn staging(&self) -> Result<Arc<dyn Staging>, Failure> {
        let identities: Vec<_> = self.staging.age_identity.iter().cloned().collect();
        let keys =
            StagingKeys::new(&identities, &self.staging.age_recipients).context("the staging's keys")?;
        let place = self.staging.place.as_ref().context("staging.path is not set")?;
        let staging = match place {
            StagingPlace::Folder(folder) => ObjectStaging::folder(folder, keys),
            StagingPlace::Url(url) => ObjectStaging::url(url, &self.staging.settings, keys),
        };
        Ok(Arc::new(staging.context("the staging storage")?))
    }
}

fn store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let call_limit = config.store.call_limit;
    Ok(match &config.store.kind {
        StoreKind::Redis { url, prefix } => {
            let options = RedisOptions { url: url.clone(), prefix: prefix.clone(), call_limit };
            Arc::new(RedisStore::open(&options).context("the store")?)
        }
        StoreKind::Sqlite { path } => {
            let options = SqliteOptions { path: path.clone(), call_limit };
            Arc::new(SqliteStore::open(&options).with_context(|| format!("the store {}", path.display()))?)
        }
    })
}

/// The queue as a port, and as the broker's client that has to be closed.
type OpenQueue = (Arc<dyn Queue>, Option<Arc<RabbitQueue>>);

fn queue(config: &Config, process: &str) -> Result<OpenQueue, Failure> {
    Ok(match &config.queue.kind {
        QueueKind::Rabbitmq { url, prefix } => {
            let options = RabbitOptions {
                prefix: prefix.clone(),
                connection_name: format!("landfall {process}"),
                ..RabbitOptions::new(url.expose_secret())
            };
            let broker = Arc::new(RabbitQueue::open(&options).context("the queue")?);
            (broker.clone(), Some(broker))
        }
        QueueKind::Memory => (Arc::new(MemoryQueue::new()), None),
    })
}
