//! End-to-end tests: real servers, real processes. One binary.

mod dumps;
mod edges;
mod faults;
mod journey;
mod spine;
