//! Every implementation through its port's conformance suite, against the real servers, and what each does beyond it.

mod memory;
mod redis;
mod servers;
mod sqlite;
