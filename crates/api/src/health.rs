//! For the platform that runs the process: is it alive, should it get traffic, how does it do.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use landfall_common::wire::QueueName;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// How long a check may take.
const CHECK_TIME: Duration = Duration::from_secs(2);
/// How long its result is good for: probes of many must not become load on the store.
const CHECK_KEEP: Duration = Duration::from_secs(1);

/// Whether the process should get traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Ready {
    /// Whether it should.
    ready: bool,
    /// The store: without it nothing can be answered.
    store: Health,
    /// The queue: without it submissions are still accepted, and wait in the outbox.
    queue: Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Health {
    Ok,
    Down,
    /// This process has none.
    Unused,
}

/// The last result.
#[derive(Debug, Default)]
pub(crate) struct ReadyCache(Mutex<Option<(Instant, Ready)>>);

/// Whether the process lives. Looks at nothing else: a restart cures no broker.
#[utoipa::path(
    get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It lives", content_type = "text/plain", body = String)),
)]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether the process should get traffic. A broker that is down does not take it away: submissions do not need it.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "It should not", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<Json<Ready>, Problem> {
    let ready = look(&state).await;
    if ready.ready { Ok(Json(ready)) } else { Err(Problem::unavailable().with("checks", ready)) }
}

async fn look(state: &ApiState) -> Ready {
    let mut cache = state.ready.0.lock().await;
    if let Some((at, ready)) = *cache
        && at.elapsed() < CHECK_KEEP
    {
        return ready;
    }
    let (store, queue) = tokio::join!(check_store(state), check_queue(state));
    let ready = Ready { ready: store == Health::Ok, store, queue };
    *cache = Some((Instant::now(), ready));
    ready
}

async fn check_store(state: &ApiState) -> Health {
    match tokio::time::timeout(CHECK_TIME, state.records.store().check()).await {
        Ok(Ok(())) => Health::Ok,
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store is not fit");
            Health::Down
        }
        Err(_elapsed) => Health::Down,
    }
}

async fn check_queue(state: &ApiState) -> Health {
    let Some(queue) = &state.queue else { return Health::Unused };
    match tokio::time::timeout(CHECK_TIME, queue.depth(QueueName::Support)).await {
        Ok(Ok(_depth)) => Health::Ok,
        Ok(Err(_)) | Err(_) => Health::Down,
    }
}

/// Metrics of the process.
#[utoipa::path(
    get, path = "/metrics", tag = "health", security(()),
    responses(
        (status = 200, description = "Metrics", content_type = "text/plain", body = String),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn metrics_page(State(state): State<ApiState>) -> Result<Response, Problem> {
    let handle = state.metrics.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "api.not_found", "this process keeps no metrics")
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response())
}
