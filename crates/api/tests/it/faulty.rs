//! A store that fails on command, around one that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_backends::sqlite::SqliteStore;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, Document, DocumentKey, DueQuery, FeedItem, IndexEntry, IndexQuery,
    OutboxEntry, Store, StoreError, StoredLine,
};

/// What the store does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// It answers.
    None,
    /// It is not there.
    Unavailable,
    /// It answers nonsense.
    Broken,
    /// It never answers.
    Hangs,
    /// Its adapter has a fault of its own.
    Panics,
}

/// The wrapper.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<SqliteStore>,
    fault: AtomicU8,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<SqliteStore>) -> Self {
        Self { inner, fault: AtomicU8::new(Fault::None as u8) }
    }

    /// From now on it does this.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let fault = self.fault.load(Ordering::SeqCst);
        if fault == Fault::Hangs as u8 {
            std::future::pending::<()>().await;
        }
        assert!(fault != Fault::Panics as u8, "this panic is part of a test");
        if fault == Fault::Unavailable as u8 {
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        if fault == Fault::Broken as u8 {
            return Err(StoreError::Broken("secret-looking nonsense".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Faulty {
    async fn load(&self, keys: &[DocumentKey]) -> Result<(StoreTime, Vec<Option<Document>>), StoreError> {
        self.pass().await?;
        self.inner.load(keys).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.pass().await?;
        self.inner.commit(commit).await
    }

    async fn events(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredLine>, StoreError> {
        self.pass().await?;
        self.inner.events(stream, after, limit).await
    }

    async fn index(&self, query: &IndexQuery) -> Result<(StoreTime, Vec<IndexEntry>), StoreError> {
        self.pass().await?;
        self.inner.index(query).await
    }

    async fn count(&self, indexes: &[String]) -> Result<Vec<u64>, StoreError> {
        self.pass().await?;
        self.inner.count(indexes).await
    }

    async fn due(&self, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError> {
        self.pass().await?;
        self.inner.due(query).await
    }

    async fn next_due(&self, lane: &str) -> Result<Option<StoreTime>, StoreError> {
        self.pass().await?;
        self.inner.next_due(lane).await
    }

    async fn feed(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError> {
        self.pass().await?;
        self.inner.feed(after, limit, wait).await
    }

    async fn put_ephemeral(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.put_ephemeral(key, value, keep).await
    }

    async fn ephemeral(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.pass().await?;
        self.inner.ephemeral(keys).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.check().await
    }
}
