//! The worker against real servers.

mod source;
