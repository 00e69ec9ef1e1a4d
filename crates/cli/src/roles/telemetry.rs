//! Logs, traces and metrics of a server process.

use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use url::Url;

use crate::config::{LogFormat, TelemetryConfig};
use crate::exit::Failure;

/// Upper bounds of durations, in seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];
/// How often the recorder tidies up what was recorded.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a process has running for its telemetry.
pub(crate) struct Telemetry {
    /// Renders the metrics.
    pub(crate) metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

/// Starts logs to standard error, traces where they are wanted, and metrics. Once in a process.
pub(super) async fn start(config: &TelemetryConfig, role: &'static str) -> Result<Telemetry, Failure> {
    let traces = match &config.otlp_endpoint {
        Some(endpoint) => Some(exporter(endpoint.clone(), role).await?),
        None => None,
    };
    let filter: EnvFilter = config.level.parse().context("the filter was checked with the configuration")?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.with_target(false).with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let spans = traces
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("landfall")));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .try_init()
        .context("logs cannot be started")?;
    if traces.is_some() {
        let propagator = opentelemetry_sdk::propagation::TraceContextPropagator::new();
        opentelemetry::global::set_text_map_propagator(propagator);
    }
    Ok(Telemetry { metrics: recorder()?, traces })
}

impl Telemetry {
    /// Sends what is left. The exporter blocks, hence a thread of its own.
    pub(super) async fn end(self) {
        let Some(traces) = self.traces else { return };
        let ended = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn recorder() -> Result<PrometheusHandle, Failure> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be started")?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// The blocking client of the exporter must not be made within the runtime.
async fn exporter(endpoint: Url, role: &'static str) -> Result<SdkTracerProvider, Failure> {
    let made = tokio::task::spawn_blocking(move || {
        let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(url).build()?;
        let resource = Resource::builder().with_service_name(format!("landfall-{role}")).build();
        anyhow::Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
    });
    Ok(made.await.context("the exporter's thread ended")?.context("the exporter of traces cannot be made")?)
}
