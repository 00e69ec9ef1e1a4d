//! The phases.

pub mod import;
pub mod noop;
pub mod snapshot;
pub mod transfer;
