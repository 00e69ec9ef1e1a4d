//! The worker: phases, their steps, and the clients of sources and destinations.

pub mod destination;
pub mod failpoint;
mod hex;
pub mod memory;
pub mod model;
pub mod net;
pub mod phases;
pub mod report;
pub mod slice;
pub mod snapshot_format;
pub mod source;
pub mod worker;
