//! What every request passes on its way in and out: its id, its span, its limits, and the one place where errors
//! get their body.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use crate::ip::{self, Peer};
use crate::measures;
use crate::problem::{MEDIA_TYPE, Problem};
use crate::state::ApiState;

/// The header with the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a caller's that is kept.
const REQUEST_ID_MAX: usize = 64;

/// The request's client, for limits of their own in handlers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) std::net::IpAddr);

/// The outermost layer.
pub(crate) async fn edge(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&state, &request);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    // The path of the route, not of the request, and no query: neither ids nor what clients put there by mistake.
    let span = tracing::info_span!(
        "request",
        request.id = %id, http.method = %method, http.route = %route,
        actor = tracing::field::Empty, http.status = tracing::field::Empty,
    );
    let response = guarded(&state, request, next).instrument(span.clone()).await;
    let _entered = span.enter();
    let response = finish(response, &id);
    span.record("http.status", response.status().as_u16());
    measure(&method, &route, response.status(), began);
    tracing::debug!(duration_ms = began.elapsed().as_millis(), "request answered");
    response
}

/// The caller's id where it is harmless, else a new one.
fn request_id(state: &ApiState, request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| {
        (1..=REQUEST_ID_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    given.map_or_else(|| state.records.request().to_string(), str::to_owned)
}

/// Limits, and a net under panics.
async fn guarded(state: &ApiState, mut request: Request, next: Next) -> Response {
    let header_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > state.limits.header_bytes_max {
        return Problem::of_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response();
    }
    let peer = request.extensions().get::<Peer>().copied();
    let address = ip::client_address(peer, request.headers(), state.limits.trusted_proxies);
    // Probes come often, from few addresses, and must not be refused.
    let is_probe = matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics");
    if !is_probe && let Err(problem) = state.rates.address(address) {
        return problem.into_response();
    }
    request.extensions_mut().insert(ClientAddress(address));
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(state.limits.request_time, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            tracing::error!("a handler panicked");
            Problem::internal().into_response()
        }
        Err(_elapsed) => {
            let detail = "the answer was not ready in time";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "api.timeout", detail).into_response()
        }
    }
}

/// Gives errors their body, whoever made them, and every answer its id.
fn finish(mut response: Response, id: &str) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let is_written = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == MEDIA_TYPE.as_bytes());
    let is_error = status.is_client_error() || status.is_server_error();
    let problem = problem.or_else(|| (is_error && !is_written).then(|| Problem::of_status(status)));
    if let Some(problem) = problem {
        metrics::counter!(measures::PROBLEMS, "code" => problem.code()).increment(1);
        tracing::info!(code = problem.code(), status = problem.status().as_u16(), "request refused");
        let headers = std::mem::take(response.headers_mut());
        response = problem.render(id, headers);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers are somebody's, and change: no cache between keeps them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn measure(method: &Method, route: &str, status: StatusCode, began: Instant) {
    // Clients may invent methods; labels have to stay few.
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let route = route.to_owned();
    metrics::counter!(
        measures::REQUESTS,
        "method" => method, "route" => route.clone(), "status" => status.as_u16().to_string()
    )
    .increment(1);
    metrics::histogram!(measures::REQUEST_SECONDS, "method" => method, "route" => route)
        .record(began.elapsed().as_secs_f64());
}
