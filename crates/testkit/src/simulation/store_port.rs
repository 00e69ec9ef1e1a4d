//! The store's port over the network.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, Document, DocumentKey, DueQuery, Expect, FeedItem, IndexEntry,
    IndexQuery, OutboxEntry, OutboxWrite, Store, StoreError, StoredLine,
};

use super::invariants;
use super::trouble::Sabotage;
use super::world::{Inner, Lost, Network};

/// How often a reader of the feed looks again.
const FEED_LOOK: Duration = Duration::from_millis(20);

/// The world's store as one process reaches it.
#[derive(Debug, Clone)]
pub struct SimStore {
    network: Network,
}

impl From<Lost> for StoreError {
    fn from(lost: Lost) -> Self {
        StoreError::Unavailable(Box::new(lost))
    }
}

impl SimStore {
    /// The store at the other end of this network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Inner, StoreTime) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = self.network.call(move |world| {
            if world.now() < world.store_down_until {
                return Err(Lost);
            }
            let now = world.store_now();
            Ok(question(world, now))
        });
        Ok(answer.await?)
    }
}

fn commit(world: &mut Inner, commit: &Commit, now: StoreTime) -> Result<Committed, CommitError> {
    let sabotaged = world.sabotage.and_then(|sabotage| sabotaged(world, sabotage, commit));
    let commit = sabotaged.as_ref().unwrap_or(commit);
    let committed = world.store.commit(commit, now);
    match &committed {
        Ok(_) => invariants::after(world, commit),
        Err(error) => world.note("store", error),
    }
    committed
}

/// The commit as a store takes it that does not keep its contract.
fn sabotaged(world: &mut Inner, sabotage: Sabotage, commit: &Commit) -> Option<Commit> {
    let mut other = commit.clone();
    match sabotage {
        Sabotage::NoVersions => {
            let seen = other.documents.iter_mut().filter(|write| matches!(write.expect, Expect::Version(_)));
            seen.for_each(|write| write.expect = Expect::Any);
        }
        Sabotage::ForgetfulOutbox if world.happens(0.02) => {
            other.outbox.retain(|write| !matches!(write, OutboxWrite::Put { .. }));
        }
        Sabotage::ForgetfulOutbox | Sabotage::NoFence | Sabotage::PublishedOnce | Sabotage::StandingClock => {
            return None;
        }
    }
    Some(other)
}

#[async_trait]
impl Store for SimStore {
    async fn load(&self, keys: &[DocumentKey]) -> Result<(StoreTime, Vec<Option<Document>>), StoreError> {
        let keys = keys.to_vec();
        self.ask(move |world, now| {
            let is_standing = world.sabotage == Some(Sabotage::StandingClock);
            let told = if is_standing { StoreTime(1) } else { now };
            (told, keys.iter().map(|key| world.store.document(key, now)).collect())
        })
        .await
    }

    async fn commit(&self, asked: &Commit) -> Result<Committed, CommitError> {
        let asked = asked.clone();
        self.ask(move |world, now| commit(world, &asked, now)).await?
    }

    async fn events(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredLine>, StoreError> {
        let stream = stream.to_owned();
        self.ask(move |world, _| world.store.events(&stream, after, limit)).await
    }

    async fn index(&self, query: &IndexQuery) -> Result<(StoreTime, Vec<IndexEntry>), StoreError> {
        let query = query.clone();
        self.ask(move |world, now| (now, world.store.index(&query))).await
    }

    async fn count(&self, indexes: &[String]) -> Result<Vec<u64>, StoreError> {
        let indexes = indexes.to_vec();
        self.ask(move |world, _| world.store.count(&indexes)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError> {
        let query = query.clone();
        self.ask(move |world, now| {
            let mut due = world.store.due(&query, now);
            if world.sabotage == Some(Sabotage::PublishedOnce) {
                due.retain(|entry| entry.claims == 0);
            }
            (now, due)
        })
        .await
    }

    async fn next_due(&self, lane: &str) -> Result<Option<StoreTime>, StoreError> {
        let lane = lane.to_owned();
        self.ask(move |world, _| world.store.next_due(&lane)).await
    }

    async fn feed(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError> {
        let bad = |_| StoreError::Broken("the position is not of this feed".to_owned());
        let after = match after {
            Some(text) => text.parse::<u64>().map_err(bad)?,
            None => self.ask(|world, _| world.store.feed_position()).await?,
        };
        let until = tokio::time::Instant::now() + wait;
        loop {
            let lines = self.ask(move |world, _| world.store.feed(after, limit)).await?;
            if let Some(last) = lines.last() {
                return Ok((last.position.clone(), lines));
            }
            if tokio::time::Instant::now() >= until {
                return Ok((after.to_string(), Vec::new()));
            }
            tokio::time::sleep(FEED_LOOK).await;
        }
    }

    async fn put_ephemeral(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.ask(move |world, now| world.store.put_ephemeral(&key, value, now.plus(keep))).await
    }

    async fn ephemeral(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys = keys.to_vec();
        self.ask(move |world, now| keys.iter().map(|key| world.store.ephemeral(key, now)).collect()).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.ask(|_, _| ()).await
    }
}
