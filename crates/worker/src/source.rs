//! Reading a source: the client of the WordPress plugin. It pulls; the plugin only answers.
//!
//! Every answer is a stream of frames that is keyed to its request. Readers hand out what arrived frame by frame, with
//! the cursor behind it, and go on by themselves from the last whole frame when a stream breaks off. Nothing is read
//! ahead: a reader that is not asked holds back the source. What this client does not do: write to the source, follow
//! a redirect to another site, or keep more than a few frames in memory.
//!
//! The protocol is described in `docs/source-protocol.md`.

mod answer;
mod client;
mod connection;
mod diagnosis;
mod endpoint;
mod error;
mod exchanges;
mod exclusions;
mod files;
mod frame;
mod greeting;
mod keys;
mod listing;
mod pace;
mod preflight;
mod rows;
mod schema;
mod seal;

pub use client::SourceClient;
pub use endpoint::{BasicAuth, SourceEndpoint, SourceLimits};
pub use error::SourceError;
pub use exchanges::Exchange;
pub use exclusions::{Exclusion, ExclusionMatch, default_exclusions};
pub use files::{FileEvent, FileProblem, FileReader, FileRequest};
pub use listing::{LeftOut, ListCursor, ListPage, ListProblem, Lister};
pub use preflight::{
    DatabaseFacts, ExtensionFacts, FileFacts, HealthFacts, HostFacts, MountFacts, PathFacts, PhpFacts,
    PluginFacts, Preflight, RootFacts, TableFacts, WordPressFacts,
};
pub use rows::{RowCursor, RowPage, RowReader, RowsEnd};
pub use schema::{LeftOutObject, SourceSchema, TableMark};
