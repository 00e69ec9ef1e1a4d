//! `api` and `telemetry`.

use std::net::SocketAddr;
use std::time::Duration;

use landfall_api::{Limits, Rate};
use landfall_common::migration::Waits;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::config::reader::Reader;

/// Shortest operator token that is taken, in characters.
const TOKEN_MIN: usize = 24;

/// The HTTP API.
#[derive(Debug, Clone)]
pub(crate) struct ApiConfig {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Where clients reach it; none: at `listen`.
    pub(crate) public_url: Option<Url>,
    /// The operator's token from the start.
    pub(crate) operator_token: Option<SecretString>,
    /// Limits.
    pub(crate) limits: Limits,
}

/// Logs and traces.
#[derive(Debug, Clone)]
pub(crate) struct TelemetryConfig {
    /// How lines look.
    pub(crate) format: LogFormat,
    /// A level or filter, for `EnvFilter`.
    pub(crate) level: String,
    /// Where traces go.
    pub(crate) otlp_endpoint: Option<Url>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

pub(super) fn api(reader: &mut Reader) -> ApiConfig {
    let listen = reader.parsed("api.listen").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let public_url: Option<Url> = reader.parsed("api.public_url");
    if public_url
        .as_ref()
        .is_some_and(|url| !matches!(url.scheme(), "http" | "https") || url.host().is_none())
    {
        reader.fault("api.public_url", "is not an http or https URL");
    }
    let operator_token = reader.secret("api.operator_token");
    if operator_token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < TOKEN_MIN) {
        reader.fault("api.operator_token", format!("is shorter than {TOKEN_MIN} characters"));
    }
    ApiConfig { listen, public_url, operator_token, limits: limits(reader) }
}

fn limits(reader: &mut Reader) -> Limits {
    let rate = |reader: &mut Reader, name: &str| {
        let every = reader.millis(&format!("api.limits.{name}_every_ms"), 1..=3_600_000);
        let burst = reader.number(&format!("api.limits.{name}_burst"), 1..=1_000_000);
        Rate::new(every, u32::try_from(burst).unwrap_or(u32::MAX))
    };
    Limits {
        body_bytes_max: reader.count("api.limits.body_bytes_max", 1024..=16 << 20),
        header_bytes_max: reader.count("api.limits.header_bytes_max", 1024..=1 << 20),
        header_time: reader.seconds("api.limits.header_time_s", 1..=300),
        request_time: reader.seconds("api.limits.request_time_s", 1..=600),
        connections_max: reader.count("api.limits.connections_max", 1..=1_000_000),
        drain_time: reader.seconds("api.limits.drain_time_s", 0..=600),
        per_address: rate(reader, "per_address"),
        per_token: rate(reader, "per_token"),
        enrolments: rate(reader, "enrolments"),
        trusted_proxies: reader.count("api.trusted_proxies", 0..=16),
        idempotency_keep: hours(reader.number("api.limits.idempotency_keep_h", 24..=24 * 365)),
        live_clients_max: reader.count("api.limits.live_clients_max", 1..=1_000_000),
        live_keepalive: reader.seconds("api.limits.live_keepalive_s", 1..=300),
        live_time: reader.seconds("api.limits.live_time_s", 10..=86_400),
        live_progress_every: reader.millis("api.limits.live_progress_every_ms", 100..=60_000),
        enrolment_keep: hours(reader.number("api.limits.enrolment_keep_d", 1..=365) * 24),
        waits: Waits { cure: reader.seconds("api.pause_wait_s", 1..=30 * 24 * 3600) },
        owners_name_local_roots: reader.get("api.owners_name_local_roots"),
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

pub(super) fn telemetry(reader: &mut Reader) -> TelemetryConfig {
    let format =
        reader.one_of("telemetry.log_format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    let level: String = reader.get("telemetry.log_level");
    if let Err(error) = level.parse::<tracing_subscriber::EnvFilter>() {
        reader.fault("telemetry.log_level", format!("{level:?} is neither a level nor a filter: {error}"));
    }
    TelemetryConfig { format, level, otlp_endpoint: reader.parsed("telemetry.otlp_endpoint") }
}
