//! The store on Redis 7 or newer (or Valkey 8): one script for a commit, small scripts for reads.
//!
//! All keys share the hash tag `{landfall}`, hence one slot of a cluster, so that a script may touch whatever a commit
//! touches. The scripts make key names themselves; on a cluster that is sound within one slot.
//!
//! | key behind `<prefix>{landfall}` | holds |
//! |---|---|
//! | `:document:<kind>/<id>` | hash `version`, `body`, `expires`; without `body` it is a tombstone that keeps the version |
//! | `:events:<stream>`, `:count:<stream>` | stream with ids `<n>-0` and fields `at`, `body`; the last `n` |
//! | `:feed` | stream of `stream`, `event`: the last 10,000 events of all streams |
//! | `:entry:<id>` | an outbox entry: hash `lane`, `tenant`, `due`, `claims`, `epoch`, `body` |
//! | `:due:<length of lane>:<lane>:<tenant>` | sorted set of entries by due time |
//! | `:lane:<lane>` | sorted set of tenants by their earliest entry |
//! | `:epochs:<lane>`, `:claimed:<epoch>:<lane>` | the epochs with claimed entries, and these by due time |
//! | `:index:<index>` | sorted set |
//! | `:request:<id>` | the time of a commit, for ten minutes |
//! | `:ephemeral:<key>` | an ephemeral value |

mod check;
mod commit;
mod feed;
mod link;
mod read;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, Document, DocumentKey, DueQuery, FeedItem, IndexEntry, IndexQuery,
    OutboxEntry, Store, StoreError, StoredLine,
};
use secrecy::SecretString;

use self::feed::Feed;
use self::link::Link;

/// How the store is reached.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://` or `rediss://`, with the password where there is one.
    pub url: SecretString,
    /// Stands before the name of every key, so that several installations can share a server.
    pub prefix: String,
    /// How long a call may take, reconnecting included.
    pub call_limit: Duration,
}

impl RedisOptions {
    /// That server with an empty prefix and the port's limit of 5 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            prefix: String::new(),
            call_limit: Duration::from_secs(5),
        }
    }
}

/// The store on a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    link: Arc<Link>,
    feed: Feed,
}

impl RedisStore {
    /// Prepares the store. No connection is made yet: whoever needs to know asks [`Store::check`]. Only a malformed
    /// URL fails. To be called within a tokio runtime.
    pub fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        crate::install_tls_provider();
        let link = Arc::new(Link::open(options)?);
        Ok(Self { feed: Feed::new(Arc::clone(&link)), link })
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load(&self, keys: &[DocumentKey]) -> Result<(StoreTime, Vec<Option<Document>>), StoreError> {
        read::load(&self.link, keys).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        commit::commit(&self.link, commit).await
    }

    async fn events(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredLine>, StoreError> {
        read::events(&self.link, stream, after, limit).await
    }

    async fn index(&self, query: &IndexQuery) -> Result<(StoreTime, Vec<IndexEntry>), StoreError> {
        read::index(&self.link, query).await
    }

    async fn count(&self, indexes: &[String]) -> Result<Vec<u64>, StoreError> {
        read::count(&self.link, indexes).await
    }

    async fn due(&self, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError> {
        read::due(&self.link, query).await
    }

    async fn next_due(&self, lane: &str) -> Result<Option<StoreTime>, StoreError> {
        read::next_due(&self.link, lane).await
    }

    async fn feed(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError> {
        self.feed.read(after, limit, wait).await
    }

    async fn put_ephemeral(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        read::put_ephemeral(&self.link, key, &value, keep).await
    }

    async fn ephemeral(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        read::ephemeral(&self.link, keys).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        check::check(&self.link).await
    }
}
