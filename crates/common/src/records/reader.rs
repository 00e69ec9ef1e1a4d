//! Typed reading, and the loop of load, apply, commit.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::commit;
use crate::event::Event;
use crate::migration::{Command, Migration, Refusal, Transition};
use crate::ports::{Commit, CommitError, Committed, DocumentKey, DocumentKind, Store, StoreError};
use crate::{MigrationId, RequestId, StoreTime};

/// How often a lost reply is asked for again before the caller hears of it.
const LOST_REPLIES_MAX: usize = 3;
/// How often a command starts again on conflicts. Each conflict means that another commit came through.
const CONFLICTS_MAX: usize = 50;

/// A typed document with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// Its version.
    pub version: u64,
    /// The document.
    pub value: T,
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document cannot be read by this version.
    #[error("document {kind}/{id} cannot be read")]
    Unreadable {
        /// Its kind.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Why a command did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There is no such migration.
    #[error("there is no migration {0}")]
    Missing(MigrationId),
    /// The state machine refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The migration changed while the command was being applied; try again.
    #[error("{what} changed at the same time")]
    Overtaken {
        /// What: `kind/id`.
        what: String,
    },
    /// Something that the commit depends on was in the way: the site is busy with another migration.
    #[error("{what} is in the way")]
    Conflict {
        /// What: `kind/id`.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        ApplyError::Record(RecordError::Store(error))
    }
}

/// A command that took effect.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The migration as it is now, with the version of the document that was loaded.
    pub before: Versioned<Migration>,
    /// What came out.
    pub transition: Transition,
    /// When.
    pub at: StoreTime,
}

/// The store, read and written in the vocabulary.
#[derive(Debug, Clone)]
pub struct Records {
    store: Arc<dyn Store>,
    draw: fn() -> Uuid,
}

impl Records {
    /// Records in `store`. `draw` draws random, time-ordered UUIDs (version 7): this crate draws none itself.
    pub fn new(store: Arc<dyn Store>, draw: fn() -> Uuid) -> Self {
        Self { store, draw }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A fresh UUID for an id.
    pub fn draw(&self) -> Uuid {
        (self.draw)()
    }

    /// A fresh request id.
    pub fn request(&self) -> RequestId {
        RequestId::from_uuid(self.draw())
    }

    /// A typed document, with the store's time.
    pub async fn read<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        id: impl std::fmt::Display,
    ) -> Result<(StoreTime, Option<Versioned<T>>), RecordError> {
        let (now, mut all) = self.read_all(kind, &[id.to_string()]).await?;
        Ok((now, all.pop().flatten()))
    }

    /// Typed documents of one kind, in the order asked for, with the store's time.
    pub async fn read_all<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        ids: &[String],
    ) -> Result<(StoreTime, Vec<Option<Versioned<T>>>), RecordError> {
        let keys: Vec<_> = ids.iter().map(|id| DocumentKey::new(kind, id)).collect();
        let (now, documents) = self.store.load(&keys).await?;
        let typed =
            documents.into_iter().zip(ids).map(|(document, id)| {
                let Some(document) = document else { return Ok(None) };
                let value = serde_json::from_slice(&document.body).map_err(|source| {
                    RecordError::Unreadable { kind: kind.as_str(), id: id.clone(), source }
                })?;
                Ok(Some(Versioned { version: document.version, value }))
            });
        Ok((now, typed.collect::<Result<_, RecordError>>()?))
    }

    /// A migration, with the store's time.
    pub async fn migration(
        &self,
        id: MigrationId,
    ) -> Result<(StoreTime, Option<Versioned<Migration>>), RecordError> {
        self.read(DocumentKind::Migration, id).await
    }

    /// Commits, and asks again with the same request id where the reply was lost.
    pub async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let mut lost = 0;
        loop {
            match self.store.commit(commit).await {
                Err(CommitError::Store(StoreError::Unavailable(_))) if lost + 1 < LOST_REPLIES_MAX => {
                    lost += 1
                }
                other => return other,
            }
        }
    }

    /// Appends one line to a migration's timeline, whatever its state.
    pub async fn tell(&self, id: MigrationId, event: &Event) -> Result<(), CommitError> {
        let mut commit = Commit::new(self.request());
        commit::append_event(&mut commit, id, event);
        self.commit(&commit).await.map(|_| ())
    }

    /// Loads, applies, commits; on a conflict from the start. `amend` may add to the commit (an audit line, a
    /// document that belongs to it); it is called once for each try.
    pub async fn apply(
        &self,
        id: MigrationId,
        command: Command,
        traceparent: &str,
        amend: impl Fn(&Transition, &mut Commit) + Send + Sync,
    ) -> Result<Applied, ApplyError> {
        let mut conflict = String::new();
        for _ in 0..CONFLICTS_MAX {
            let (now, found) = self.migration(id).await?;
            let before = found.ok_or(ApplyError::Missing(id))?;
            match self.apply_once(before, now, command.clone(), traceparent, &amend).await {
                Err(ApplyError::Overtaken { what }) => conflict = what,
                other => return other,
            }
        }
        Err(ApplyError::Overtaken { what: conflict })
    }

    /// Applies a command to the migration as it was loaded, once: [`ApplyError::Overtaken`] where it has changed since.
    pub async fn apply_once(
        &self,
        before: Versioned<Migration>,
        now: StoreTime,
        command: Command,
        traceparent: &str,
        amend: impl Fn(&Transition, &mut Commit) + Send + Sync,
    ) -> Result<Applied, ApplyError> {
        let transition = before.value.apply(now, command)?;
        let mut commit = commit::transition(self.request(), &before, &transition, traceparent);
        amend(&transition, &mut commit);
        let own = format!("{}/{}", DocumentKind::Migration.as_str(), before.value.id);
        match self.commit(&commit).await {
            Ok(committed) => Ok(Applied { before, transition, at: committed.at }),
            Err(CommitError::Conflict { what }) if what == own => Err(ApplyError::Overtaken { what }),
            Err(CommitError::Conflict { what }) => Err(ApplyError::Conflict { what }),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}
