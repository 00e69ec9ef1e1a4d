//! A world in one thread: a store, a queue, a staging storage, destinations and a network between them and the
//! processes under test, all of it driven by one seed.
//!
//! The servers are plain data ([`StoreModel`], …) behind the ports of `common`. A call travels as two events of the
//! [`World`]'s calendar, the request and the answer, so that either can be late or lost, and so that a request which
//! left before its sender died still arrives. Each process has an async runtime of its own with a clock that stands
//! still until the world moves it: a crash drops the runtime with everything in it, between any two polls, and a stop
//! leaves it unpolled and then moves its clock at once, as SIGSTOP and SIGCONT do.
//!
//! The roles that run in the processes are the real ones; `testkit/tests/simulation` composes them, injects the faults
//! and holds the invariants of the design against what is in the store after every commit.

mod destination;
mod invariants;
mod queue;
mod staging;
mod store;
mod store_port;
mod trouble;
mod world;

pub use destination::{Destination, DestinationError, Kind, SimDestinations, Writer};
pub use invariants::History;
pub use queue::{QueueModel, SimQueue};
pub use staging::SimStaging;
pub use store::StoreModel;
pub use store_port::SimStore;
pub use trouble::{Sabotage, Trouble};
pub use world::{Inner, Lost, Network, ProcessId, World, draw_id};
