//! How the vocabulary lies in the store: the names of documents, indexes, lanes and streams, and the one way
//! from a [`crate::migration::Transition`] to a [`crate::ports::Commit`]. Nothing else knows these names.

mod commit;
mod names;
mod reader;

pub use commit::{CaseDue, MailDue, NewMigration, SliceDue, append_event, create, transition};
pub use names::{index, lane, outbox_id, stream};
pub use reader::{Applied, ApplyError, RecordError, Records, Versioned};
