//! The store: the system of record.
//!
//! It knows documents with versions, event streams, indexes, an outbox, and one atomic [`Commit`] over all of
//! them. It does not know what a migration is: that keeps its adapters small and the rules testable.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{RequestId, StoreTime};

/// The kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// A migration.
    Migration,
    /// The checkpoint of a migration's present phase.
    Checkpoint,
    /// A site.
    Site,
    /// The id of the site that has a name.
    SiteName,
    /// The migration that a site is busy with.
    SiteBusy,
    /// A machine token.
    Token,
    /// A support case.
    Case,
    /// The result of a request with an idempotency key.
    Idempotency,
    /// A sealed secret of a site or a migration.
    Secret,
    /// The report of a migration.
    Report,
    /// An organization's settings.
    Organization,
    /// A hold on what is started.
    Hold,
}

impl DocumentKind {
    /// Its name in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Migration => "migration",
            DocumentKind::Checkpoint => "checkpoint",
            DocumentKind::Site => "site",
            DocumentKind::SiteName => "site_name",
            DocumentKind::SiteBusy => "site_busy",
            DocumentKind::Token => "token",
            DocumentKind::Case => "case",
            DocumentKind::Idempotency => "idempotency",
            DocumentKind::Secret => "secret",
            DocumentKind::Report => "report",
            DocumentKind::Organization => "organization",
            DocumentKind::Hold => "hold",
        }
    }
}

/// Names a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentKey {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its id within the kind.
    pub id: String,
}

impl DocumentKey {
    /// The document of that kind and id.
    pub fn new(kind: DocumentKind, id: impl std::fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// A document as loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its version, from 1, one more with each commit that wrote it. A document deleted and made again does
    /// not reuse versions of its former life within ten minutes.
    pub version: u64,
    /// Its bytes.
    pub body: Bytes,
}

/// What a commit expects a document to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Not there.
    Absent,
    /// There, at this version.
    Version(u64),
    /// Anything.
    Any,
}

/// What a commit does to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Nothing: it is only expected to be as it is.
    Keep,
    /// Writes it.
    Put(Bytes),
    /// Deletes it.
    Delete,
}

/// One document's part in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// Which.
    pub key: DocumentKey,
    /// What it must be.
    pub expect: Expect,
    /// What becomes of it.
    pub write: Write,
    /// With `Put`: how long it is kept; for ever where absent.
    pub expires_in: Option<Duration>,
}

/// Appends one event to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventWrite {
    /// The stream: a migration's id, or `audit`.
    pub stream: String,
    /// The event's JSON, an object.
    pub body: Bytes,
    /// The stream keeps at least this many of the newest events; none: it is never trimmed.
    pub keep: Option<u32>,
}

/// A change to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxWrite {
    /// Writes an entry, in place of one of the same id. Resets its `claims`.
    Put {
        /// Its id.
        id: String,
        /// Its lane: entries of a lane are asked for together.
        lane: String,
        /// Whose it is, for fairness.
        tenant: String,
        /// When it is due, from now by the store's clock.
        due_in: Duration,
        /// What it carries.
        body: Bytes,
    },
    /// Takes a due entry for publication by moving its due time. The commit conflicts where the entry is gone or is
    /// due at another time than `due` (somebody else was first).
    Claim {
        /// Its id.
        id: String,
        /// The due time that the caller saw.
        due: StoreTime,
        /// When it is due again if no consumer removes it before.
        hide: Duration,
        /// The queue's epoch, kept with the entry.
        epoch: u64,
    },
    /// Removes an entry; one that is not there is no error.
    Remove {
        /// Its id.
        id: String,
    },
}

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its id.
    pub id: String,
    /// Its lane.
    pub lane: String,
    /// Whose it is.
    pub tenant: String,
    /// When it is (was) due.
    pub due: StoreTime,
    /// How often it was claimed since it was put.
    pub claims: u32,
    /// The queue's epoch at the last claim; 0 before the first.
    pub epoch: u64,
    /// What it carries.
    pub body: Bytes,
}

/// The score of an index entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// This number (up to 2^53).
    Value(u64),
    /// The store's present time in microseconds, and this much more.
    InFromNow(Duration),
}

/// A change to an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexWrite {
    /// Puts a member, or moves it.
    Set {
        /// The index.
        index: String,
        /// The member.
        member: String,
        /// Its score.
        score: Score,
    },
    /// Removes a member; one that is not there is no error.
    Remove {
        /// The index.
        index: String,
        /// The member.
        member: String,
    },
}

/// Everything that becomes true at once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The same id again within ten minutes changes nothing and returns the first result, so that a lost reply
    /// is harmless.
    pub request: RequestId,
    /// Documents: every `expect` is checked before anything is written. A key occurs once.
    pub documents: Vec<DocumentWrite>,
    /// Events.
    pub events: Vec<EventWrite>,
    /// Outbox.
    pub outbox: Vec<OutboxWrite>,
    /// Indexes.
    pub index: Vec<IndexWrite>,
}

impl Commit {
    /// A commit of nothing yet.
    pub fn new(request: RequestId) -> Self {
        Self { request, documents: Vec::new(), events: Vec::new(), outbox: Vec::new(), index: Vec::new() }
    }
}

/// What a commit returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The store's time of the commit.
    pub at: StoreTime,
}

/// The store does not answer, or not in time.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later. A commit may or may not have happened: repeat it with the same request id.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered something that it never should: a damaged record, a wrong server.
    #[error("the store answers nonsense: {0}")]
    Broken(String),
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A document or an outbox entry was not as expected: load again, decide again.
    #[error("{what} changed since it was read")]
    Conflict {
        /// What was not as expected: `kind/id`, or `outbox/id`.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The order of an index page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Lowest score first.
    Ascending,
    /// Highest score first.
    Descending,
}

/// Asks for a page of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexQuery {
    /// The index.
    pub index: String,
    /// The order; members of one score follow in byte order (reversed when descending).
    pub order: Order,
    /// Only scores up to this one (ascending) or from this one (descending); none: all.
    pub until: Option<u64>,
    /// Go on behind this entry of the page before.
    pub after: Option<IndexEntry>,
    /// At most so many.
    pub limit: usize,
}

/// A member of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The member.
    pub member: String,
    /// Its score.
    pub score: u64,
}

/// Asks for due entries of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueQuery {
    /// The lane.
    pub lane: String,
    /// At most so many tenants: those whose earliest entry is due longest.
    pub tenants: usize,
    /// At most so many entries of each, the longest due first.
    pub per_tenant: usize,
    /// So many tenants are passed over first: for looking at all of them page by page.
    pub skip_tenants: usize,
    /// So many entries of each tenant are passed over first.
    pub skip_entries: usize,
    /// With nothing passed over: entries last claimed under another epoch than this one count as due; 0: by time alone.
    pub epoch: u64,
}

/// A line of the feed: an event was appended to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedItem {
    /// Its position in the feed; opaque, grows.
    pub position: String,
    /// The stream.
    pub stream: String,
    /// The event's number in its stream.
    pub event: u64,
}

/// An event as stored: its number, time and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// Its number in its stream, from 1, without gaps.
    pub id: u64,
    /// When it was committed.
    pub at: StoreTime,
    /// The JSON that was appended.
    pub body: Bytes,
}

/// The system of record. Every call has a limit of time within (5 s, or `wait` and 5 s).
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Loads documents, all at one moment, in the order asked for, with the store's time of that moment.
    async fn load(&self, keys: &[DocumentKey]) -> Result<(StoreTime, Vec<Option<Document>>), StoreError>;

    /// Makes everything in the commit true at once, or nothing.
    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError>;

    /// Events of a stream with numbers above `after`, oldest first, at most `limit`. Where older ones were trimmed,
    /// the first has a number above `after + 1`.
    async fn events(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredLine>, StoreError>;

    /// A page of an index, with the store's time.
    async fn index(&self, query: &IndexQuery) -> Result<(StoreTime, Vec<IndexEntry>), StoreError>;

    /// How many members an index has; one number for each index asked for.
    async fn count(&self, indexes: &[String]) -> Result<Vec<u64>, StoreError>;

    /// Due entries of a lane, tenant by tenant, with the store's time.
    async fn due(&self, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError>;

    /// When the earliest entry of the lane is due.
    async fn next_due(&self, lane: &str) -> Result<Option<StoreTime>, StoreError>;

    /// Feed lines behind a position (`None`: only what comes from now on), waiting up to `wait` for the first.
    /// With no line, the position to go on from is returned alone. The feed keeps at least the newest 10,000 lines.
    async fn feed(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError>;

    /// Sets an ephemeral value. It may be lost at any time.
    async fn put_ephemeral(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError>;

    /// Reads ephemeral values.
    async fn ephemeral(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Whether the store answers and may be trusted with data; the error says what is wrong.
    async fn check(&self) -> Result<(), StoreError>;
}
