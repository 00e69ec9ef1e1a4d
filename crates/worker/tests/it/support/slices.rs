//! Slices that no worker runs: checkpoints and events stay in memory, and a run can be dropped at any await, as a
//! killed worker's is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::event::Event;
use landfall_common::migration::{Goal, Lease, Migration, Options, Phase, Position, State};
use landfall_common::ports::{ObjectKey, Staging, StagingError};
use landfall_common::progress::Progress;
use landfall_common::site::{DestinationSpec, SiteCredentials, SourceSpec};
use landfall_common::{AttemptId, MigrationId, OrganizationId, SiteId, StoreTime, WorkerId};
use landfall_worker::memory::MemoryBudget;
use landfall_worker::slice::{Fence, LeaseKeeper, Slice, SliceError};

/// A staging storage in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStaging {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// Bytes that were ever put.
    pub(crate) bytes_put: AtomicU64,
}

impl MemoryStaging {
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.objects.lock().unwrap().clone()
    }
}

#[async_trait]
impl Staging for MemoryStaging {
    async fn put(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        tokio::task::yield_now().await;
        self.bytes_put.fetch_add(plain.len() as u64, Ordering::Relaxed);
        self.objects.lock().unwrap().insert(key.to_owned(), plain);
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn create(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        tokio::task::yield_now().await;
        let mut objects = self.objects.lock().unwrap();
        if objects.contains_key(key) {
            return Err(StagingError::Exists { key: key.to_owned() });
        }
        objects.insert(key.to_owned(), plain);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Bytes, StagingError> {
        tokio::task::yield_now().await;
        let found = self.objects.lock().unwrap().get(key).cloned();
        found.ok_or_else(|| StagingError::Missing { key: key.to_owned() })
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StagingError> {
        let objects = self.objects.lock().unwrap();
        let keys =
            objects.keys().filter(|key| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a));
        Ok(keys.take(limit).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<(), StagingError> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }
}

/// The lease of slices that nobody else wants.
#[derive(Debug, Default)]
pub(crate) struct FreeSlice {
    checkpoint: Mutex<Option<Bytes>>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) saves: AtomicU64,
    /// The slice ends after so many checkpoints; 0: never.
    pub(crate) saves_max: AtomicU64,
    since: AtomicU64,
}

impl FreeSlice {
    pub(crate) fn checkpoint(&self) -> Option<Bytes> {
        self.checkpoint.lock().unwrap().clone()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.events.lock().unwrap().iter().map(|event| event.message.clone()).collect()
    }

    /// A slice under this lease, of the next claim: a higher token, another attempt.
    pub(crate) fn claim(
        self: &Arc<Self>,
        migration: &Migration,
        staging: &Arc<MemoryStaging>,
        credentials: SiteCredentials,
        token: u64,
    ) -> Slice {
        self.since.store(0, Ordering::Relaxed);
        Slice {
            migration: Arc::new(migration.clone()),
            fence: Fence { token, attempt: AttemptId::from_uuid(uuid::Uuid::new_v4()) },
            staging: Arc::clone(staging) as Arc<dyn Staging>,
            credentials: Arc::new(credentials),
            source_secret: Some(Arc::new(vec![7; 32])),
            lease: Arc::clone(self) as Arc<dyn LeaseKeeper>,
            memory: MemoryBudget::default(),
        }
    }
}

#[async_trait]
impl LeaseKeeper for FreeSlice {
    async fn save(&self, checkpoint: Bytes) -> Result<(), SliceError> {
        assert!(
            checkpoint.len() <= landfall_common::migration::CHECKPOINT_MAX,
            "a checkpoint of 64 KiB at most"
        );
        tokio::task::yield_now().await;
        *self.checkpoint.lock().unwrap() = Some(checkpoint);
        self.saves.fetch_add(1, Ordering::Relaxed);
        self.since.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn tell(&self, events: Vec<Event>) -> Result<(), SliceError> {
        self.events.lock().unwrap().extend(events);
        Ok(())
    }

    fn progress(&self, progress: Progress) {
        let counts = [progress.files, progress.bytes, progress.rows];
        assert!(
            counts.iter().all(|count| count.total.is_none_or(|total| count.done <= total)),
            "{progress:?}"
        );
    }

    fn should_end(&self) -> bool {
        let max = self.saves_max.load(Ordering::Relaxed);
        max > 0 && self.since.load(Ordering::Relaxed) >= max
    }

    fn long_unit(&self, _limit: Duration) {}
}

/// A migration from a made-up source to that destination.
pub(crate) fn migration(destination: DestinationSpec) -> Migration {
    let position = Position::first(Phase::Snapshot);
    let lease = Lease {
        worker: WorkerId::from_uuid(uuid::Uuid::from_u128(4)),
        attempt: AttemptId::from_uuid(uuid::Uuid::from_u128(5)),
        token: 1,
    };
    Migration {
        schema: 1,
        id: MigrationId::from_uuid(uuid::Uuid::new_v4()),
        organization: OrganizationId::from_uuid(uuid::Uuid::from_u128(2)),
        site: SiteId::from_uuid(uuid::Uuid::from_u128(3)),
        site_name: "made-up".to_owned(),
        source: SourceSpec::Wordpress { url: "http://source.localhost/".parse().unwrap() },
        destination,
        options: Options::default(),
        owner_email: String::new(),
        created_by: "test".to_owned(),
        generation: 1,
        state: State::Running { at: position, lease },
        goal: Goal::Deliver,
        request: None,
        token: 1,
        lost_claims: 0,
        failures: 0,
        last_failure: None,
        case: None,
        outputs: BTreeMap::new(),
        waits: landfall_common::migration::Waits::default(),
        created_at: StoreTime(1),
        changed_at: StoreTime(1),
        started_at: None,
        ended_at: None,
    }
}

/// Runs a future for so many polls and then drops it where it stands; none: it was dropped.
pub(crate) async fn kill_after<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
