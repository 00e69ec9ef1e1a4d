//! What the composing binary hands to the API.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_common::migration::Waits;
use landfall_common::ports::{Queue, Sealer};
use landfall_common::records::Records;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use url::Url;

/// Everything that the API is built from.
#[derive(Debug)]
pub struct ApiOptions {
    /// The system of record.
    pub records: Records,
    /// The queue, looked at by `/readyz` alone.
    pub queue: Option<Arc<dyn Queue>>,
    /// Seals what the API takes in.
    pub sealer: Arc<dyn Sealer>,
    /// A token that is an operator's from the start, so that the first machine tokens can be made.
    pub bootstrap_token: Option<SecretString>,
    /// Where clients reach this API: the base of the URLs in its answers.
    pub public_url: Url,
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
    /// The WordPress plugin, served at `/v1/plugin.zip`.
    pub plugin_zip: Option<Bytes>,
    /// Limits on everything.
    pub limits: Limits,
}

/// Limits on every size, count and duration.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// All header names and values together, in bytes.
    pub header_bytes_max: usize,
    /// How long a client may take to send its headers.
    pub header_time: Duration,
    /// How long a request may take until its answer begins.
    pub request_time: Duration,
    /// Connections open at once; further ones wait.
    pub connections_max: usize,
    /// How long open connections are given at shutdown.
    pub drain_time: Duration,
    /// Requests from one address.
    pub per_address: Rate,
    /// Requests with one token.
    pub per_token: Rate,
    /// Enrolments, by address and by token.
    pub enrolments: Rate,
    /// Proxies in front whose `X-Forwarded-For` is trusted; 0: the peer's address counts.
    pub trusted_proxies: usize,
    /// How long the result of a request with an idempotency key is kept.
    pub idempotency_keep: Duration,
    /// Event streams open at once.
    pub live_clients_max: usize,
    /// A comment is sent on a silent event stream after this long.
    pub live_keepalive: Duration,
    /// An event stream ends after this long; its client comes again, and its token is checked again.
    pub live_time: Duration,
    /// How often live progress is read for all event streams together.
    pub live_progress_every: Duration,
    /// How long a source may use what its enrolment gave it.
    pub enrolment_keep: Duration,
    /// How long migrations wait for people.
    pub waits: Waits,
    /// Whether owners, not operators alone, may create sites whose files lie in a folder of the worker's machine.
    pub owners_name_local_roots: bool,
}

/// One request every so often, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time between two requests in the long run; not zero.
    pub every: Duration,
    /// How many may come at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// One request `every` so often, `burst` at once. A burst of 0 counts as 1.
    pub const fn new(every: Duration, burst: u32) -> Self {
        let burst = match NonZeroU32::new(burst) {
            Some(burst) => burst,
            None => NonZeroU32::MIN,
        };
        Self { every, burst }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            header_bytes_max: 16 * 1024,
            header_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
            connections_max: 4096,
            drain_time: Duration::from_secs(10),
            per_address: Rate::new(Duration::from_millis(5), 1000),
            per_token: Rate::new(Duration::from_millis(10), 500),
            enrolments: Rate::new(Duration::from_secs(6), 20),
            trusted_proxies: 0,
            idempotency_keep: Duration::from_secs(48 * 3600),
            live_clients_max: 1000,
            live_keepalive: Duration::from_secs(15),
            live_time: Duration::from_secs(30 * 60),
            live_progress_every: Duration::from_secs(1),
            enrolment_keep: Duration::from_secs(30 * 24 * 3600),
            waits: Waits::default(),
            owners_name_local_roots: false,
        }
    }
}
