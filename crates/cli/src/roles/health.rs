//! `/livez`, `/readyz` and `/metrics` of roles that answer nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use landfall_common::wire::QueueName;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::telemetry::Telemetry;
use crate::exit::Failure;

/// How long a check may take.
const CHECK_TIME: Duration = Duration::from_secs(2);

/// A listener that may be there.
pub(super) struct Health(Option<JoinHandle<()>>);

#[derive(Clone)]
struct Checked {
    parts: Parts,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
}

/// Listens until `shutdown`, where an address is configured.
pub(super) async fn start(
    listen: Option<SocketAddr>,
    parts: &Parts,
    telemetry: &Telemetry,
    shutdown: &CancellationToken,
) -> Result<Health, Failure> {
    let Some(listen) = listen else { return Ok(Health(None)) };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
    tracing::info!(address = %listener.local_addr()?, "health and metrics answer");
    let state =
        Checked { parts: parts.clone(), metrics: telemetry.metrics.clone(), shutdown: shutdown.clone() };
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state);
    let shutdown = shutdown.clone();
    Ok(Health(Some(tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::warn!(%error, "health and metrics answer no more");
        }
    }))))
}

impl Health {
    /// Waits until open requests are answered.
    pub(super) async fn end(self) {
        if let Some(task) = self.0 {
            let _ = tokio::time::timeout(CHECK_TIME * 2, task).await;
        }
    }
}

/// Ready is who can do its work now: it does not drain, the store and the queue answer, and messages would be received.
async fn readyz(State(state): State<Checked>) -> Response {
    let store = state.parts.records.store().clone();
    let queue = state.parts.queue.clone();
    let (store, queue) = tokio::join!(
        tokio::time::timeout(CHECK_TIME, async move { store.check().await.is_ok() }),
        tokio::time::timeout(CHECK_TIME, async move {
            queue.depth(QueueName::Support).await.is_ok() && queue.is_serving()
        }),
    );
    let (store, queue, draining) =
        (store.unwrap_or(false), queue.unwrap_or(false), state.shutdown.is_cancelled());
    let is_ready = store && queue && !draining;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": is_ready, "store": store, "queue": queue, "draining": draining });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn metrics(State(state): State<Checked>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.render()).into_response()
}
