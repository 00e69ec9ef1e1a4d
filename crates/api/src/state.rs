//! What every handler can reach.

use std::sync::Arc;

use bytes::Bytes;
use landfall_common::ports::{Queue, Sealer};
use landfall_common::records::Records;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::health::ReadyCache;
use crate::idempotency::InFlight;
use crate::live::Live;
use crate::options::{ApiOptions, Limits};
use crate::rate::RateLimits;

/// The API's state. Clones share everything.
#[derive(Debug, Clone)]
pub struct ApiState {
    pub(crate) records: Records,
    pub(crate) queue: Option<Arc<dyn Queue>>,
    pub(crate) sealer: Arc<dyn Sealer>,
    /// BLAKE3 of the bootstrap token's text: the text itself is not kept.
    pub(crate) bootstrap_hash: Option<blake3::Hash>,
    /// Without a slash at its end.
    public_url: Arc<str>,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) plugin_zip: Option<Bytes>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) rates: Arc<RateLimits>,
    pub(crate) in_flight: InFlight,
    pub(crate) live: Arc<Live>,
    pub(crate) ready: Arc<ReadyCache>,
    /// Cancelled when the server stops: ends the event streams, which would never end by themselves.
    pub(crate) closing: CancellationToken,
}

impl ApiState {
    /// Builds the state. Nothing runs yet: the reader of the event feed starts with the first event stream.
    pub fn new(options: ApiOptions) -> Self {
        let closing = CancellationToken::new();
        let live = Live::new(options.records.clone(), &options.limits, closing.clone());
        let bootstrap = options.bootstrap_token;
        Self {
            bootstrap_hash: bootstrap.map(|token| blake3::hash(token.expose_secret().as_bytes())),
            public_url: options.public_url.as_str().trim_end_matches('/').into(),
            rates: Arc::new(RateLimits::new(&options.limits)),
            in_flight: InFlight::default(),
            live: Arc::new(live),
            ready: Arc::default(),
            closing,
            records: options.records,
            queue: options.queue,
            sealer: options.sealer,
            metrics: options.metrics,
            plugin_zip: options.plugin_zip,
            limits: Arc::new(options.limits),
        }
    }

    /// An absolute URL of this API or its dashboard. `path` begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}
