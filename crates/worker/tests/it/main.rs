//! The worker against real servers.

mod import;
mod snapshot;
mod source;
mod support;
mod swap;
mod transfer;
