//! Landfall's vocabulary: the migration and its state machine, the ports, the wire messages and the error
//! codes. Nothing here does I/O, reads a clock or draws a random number; the edges do, and hand values in.

pub mod case;
pub mod codes;
pub mod event;
pub mod hold;
pub mod id;
pub mod migration;
pub mod organization;
pub mod ports;
pub mod progress;
pub mod records;
pub mod site;
pub mod time;
pub mod token;
pub mod wire;

pub use codes::{Class, ErrorCode, Failure};
pub use id::{AttemptId, CaseId, MigrationId, OrganizationId, RequestId, SiteId, TokenId, WorkerId};
pub use migration::{Migration, Phase, Position, State};
pub use time::StoreTime;
