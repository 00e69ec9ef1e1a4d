//! The store in one SQLite file, for one machine: one process at a time, one transaction per commit, every commit on
//! the disk before it is acknowledged.

mod clock;
mod commit;
mod ephemeral;
mod read;
mod thread;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, Document, DocumentKey, DueQuery, FeedItem, IndexEntry, IndexQuery,
    OutboxEntry, Store, StoreError, StoredLine,
};
use tokio::sync::watch;
use tokio::time::Instant;

use self::ephemeral::Ephemeral;
use self::thread::Database;

/// Where the store lies.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database's file; its folder exists.
    pub path: PathBuf,
    /// How long a call may take.
    pub call_limit: Duration,
}

impl SqliteOptions {
    /// That file with the port's limit of 5 s.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), call_limit: Duration::from_secs(5) }
    }
}

/// The store in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    database: Database,
    ephemeral: Ephemeral,
    wakes: watch::Sender<()>,
}

impl SqliteStore {
    /// Opens the file, making it where it is missing. Fails where another process has it open. Blocks for moments.
    pub fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(options)?,
            ephemeral: Ephemeral::default(),
            wakes: watch::Sender::new(()),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, keys: &[DocumentKey]) -> Result<(StoreTime, Vec<Option<Document>>), StoreError> {
        let keys = keys.to_vec();
        self.database.run(move |session| read::load(session, &keys)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let commit = commit.clone();
        let has_events = !commit.events.is_empty();
        let committed = self.database.run(move |session| commit::commit(session, &commit)).await??;
        if has_events {
            self.wakes.send_replace(());
        }
        Ok(committed)
    }

    async fn events(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredLine>, StoreError> {
        let stream = stream.to_owned();
        self.database.run(move |session| read::events(session, &stream, after, limit)).await
    }

    async fn index(&self, query: &IndexQuery) -> Result<(StoreTime, Vec<IndexEntry>), StoreError> {
        let query = query.clone();
        self.database.run(move |session| read::index(session, &query)).await
    }

    async fn count(&self, indexes: &[String]) -> Result<Vec<u64>, StoreError> {
        let indexes = indexes.to_vec();
        self.database.run(move |session| read::count(session, &indexes)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError> {
        let query = query.clone();
        self.database.run(move |session| read::due(session, &query)).await
    }

    async fn next_due(&self, lane: &str) -> Result<Option<StoreTime>, StoreError> {
        let lane = lane.to_owned();
        self.database.run(move |session| read::next_due(session, &lane)).await
    }

    async fn feed(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError> {
        let deadline = Instant::now() + wait;
        // Subscribed before the first look, so that no line falls between look and wait.
        let mut wakes = self.wakes.subscribe();
        let position = match after {
            Some(text) => text
                .parse()
                .map_err(|_| StoreError::Broken(format!("{text:?} is no position in the feed")))?,
            None => self.database.run(read::feed_position).await?,
        };
        loop {
            wakes.mark_unchanged();
            let items = self.database.run(move |session| read::feed(session, position, limit)).await?;
            if let Some(last) = items.last() {
                return Ok((last.position.clone(), items));
            }
            if tokio::time::timeout_at(deadline, wakes.changed()).await.is_err() {
                return Ok((position.to_string(), items));
            }
        }
    }

    async fn put_ephemeral(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        self.ephemeral.put(key, value, keep);
        Ok(())
    }

    async fn ephemeral(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        Ok(keys.iter().map(|key| self.ephemeral.get(key)).collect())
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.database.run(read::check).await
    }
}
