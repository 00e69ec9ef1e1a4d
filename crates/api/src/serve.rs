//! The server: connections with limits, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::ip::Peer;
use crate::options::Limits;
use crate::router::router;
use crate::state::ApiState;

/// How long accepting rests after it failed: mostly the process is out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;

/// Serves the API on `listener` until `shutdown`, then lets open requests end, for a limited time.
///
/// # Errors
/// None at present; the signature leaves room for listeners that can fail for good.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: CancellationToken) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(state.limits.connections_max));
    let graceful = GracefulShutdown::new();
    let app = router(state.clone());
    let builder = Arc::new(builder(&state.limits));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let (app, builder, watcher) = (app.clone(), builder.clone(), graceful.watcher());
        tokio::spawn(async move {
            run_connection(stream, peer, app, &builder, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    state.closing.cancel();
    if tokio::time::timeout(state.limits.drain_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // The permit comes first: what is over the limit waits in the kernel's backlog.
    let permit =
        Arc::clone(connections).acquire_owned().await.expect("the semaphore of connections is never closed");
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let header_bytes = limits.header_bytes_max;
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        // Room for the request line and for headers that are refused with a problem, not with a bare 431.
        .max_buf_size(header_bytes.saturating_mul(4).max(64 * 1024));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(limits.header_time)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(header_bytes.saturating_mul(4)).unwrap_or(u32::MAX));
    builder
}

async fn run_connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        app.clone().oneshot(request.map(Body::new))
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    // Errors here are a client that hung up or spoke no HTTP: its own affair.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = &*error, "a connection ended early");
    }
}
