//! The worker against real servers.

mod snapshot;
mod source;
mod support;
mod swap;
mod transfer;
