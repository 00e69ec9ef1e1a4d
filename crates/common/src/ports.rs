//! The ports: what the core asks of the world, in the core's words. The contract of each is its doc here and
//! its conformance suite in `testkit`, which every implementation passes.

mod mail;
mod queue;
mod seal;
mod staging;
mod store;

pub use mail::{Mail, MailError, Mailer};
pub use queue::{Consumer, Delivery, Queue, QueueError};
pub use seal::{SealError, Sealed, Sealer};
pub use staging::{ObjectKey, Staging, StagingError};
pub use store::{
    Commit, CommitError, Committed, Document, DocumentKey, DocumentKind, DocumentWrite, DueQuery, EventWrite,
    Expect, FeedItem, IndexEntry, IndexQuery, IndexWrite, Order, OutboxEntry, OutboxWrite, Score, Store,
    StoreError, StoredLine, Write,
};
