//! What the end-to-end tests, the demo and the benchmark share: an installation of Landfall made of real
//! processes, the API as its users call it, and the owner's way through it.

pub mod api;
pub mod bench;
pub mod display;
pub mod faults;
pub mod installation;
pub mod journey;
pub mod stage;
pub mod watcher;
