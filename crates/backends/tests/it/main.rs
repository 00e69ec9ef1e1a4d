//! Every implementation through its port's conformance suite, against the real servers, and what each does beyond it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mail;
mod memory;
mod rabbitmq;
mod rabbitmq_outages;
mod rabbitmq_wrecks;
mod redis;
mod redis_outages;
mod servers;
mod sqlite;
mod staging;
