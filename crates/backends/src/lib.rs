//! The ports' implementations: Redis and SQLite for the store, RabbitMQ and the process itself for the queue, any
//! object store for staging, SMTP and a folder for mail, a keyring for secrets at rest.
//!
//! Every implementation of a port passes the port's conformance suite in `landfall-testkit`.

mod due;
mod limits;
pub mod mail;
pub mod memory;
pub mod rabbitmq;
pub mod redis;
pub mod seal;
pub mod sqlite;
pub mod staging;

/// Names the TLS implementation for this process. Libraries that find none panic, so whatever opens connections calls
/// this first; where another was installed before, that one stays.
pub fn install_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
