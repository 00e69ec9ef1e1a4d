//! The import against real servers: MariaDB, and for whole imports PHP and nginx as well.

#![expect(clippy::unwrap_used, reason = "what a test's own fixtures cannot do fails the test")]

mod copies;
mod fence;
mod hard_types;
mod hosts;
mod kills;
mod refusals;
pub(crate) mod site;
