//! The worker against real servers.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod import;
mod snapshot;
mod source;
mod support;
mod swap;
mod transfer;
