//! Event streams: one reader of the store's feed per process fans out to all clients.
//!
//! A client first catches up from the store, then lives on what the reader sends. The reader tells each client of a
//! migration about each new line once; a client that finds a gap (it was slow, the reader reconnected) catches up from
//! the store again. So the reader needs no memory of what whom was sent, and nothing is lost if it misses something.

mod client;
mod reader;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderName, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use landfall_common::MigrationId;
use landfall_common::ports::StoredLine;
use landfall_common::records::Records;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::options::Limits;
use crate::problem::Problem;
use crate::state::ApiState;

/// Signals that a slow client may lag behind before it has to catch up from the store.
const SIGNALS_KEPT: usize = 256;
/// Events written ahead of a client that reads slowly.
const CLIENT_AHEAD: usize = 64;

/// What the reader tells the clients of one migration.
#[derive(Debug, Clone)]
enum Signal {
    /// A line of the timeline.
    Line(Arc<StoredLine>),
    /// Live progress, as JSON.
    Progress(Bytes),
    /// Something may have been missed: look into the store.
    CatchUp,
}

/// The fan-out.
#[derive(Debug)]
pub(crate) struct Live {
    records: Records,
    topics: Mutex<HashMap<MigrationId, broadcast::Sender<Signal>>>,
    /// Set once a client has come: the reader runs from then on.
    started: std::sync::Once,
    /// Wakes the reader from having no clients.
    arrived: Notify,
    clients: Arc<Semaphore>,
    progress_every: Duration,
    closing: CancellationToken,
}

/// A client's place in the fan-out.
struct Subscription {
    signals: broadcast::Receiver<Signal>,
    /// Counts the client for as long as it is there.
    _place: OwnedSemaphorePermit,
}

impl Live {
    pub(crate) fn new(records: Records, limits: &Limits, closing: CancellationToken) -> Self {
        Self {
            records,
            topics: Mutex::default(),
            started: std::sync::Once::new(),
            arrived: Notify::new(),
            clients: Arc::new(Semaphore::new(limits.live_clients_max)),
            progress_every: limits.live_progress_every,
            closing,
        }
    }

    /// Takes a place; none where too many clients are connected.
    fn subscribe(self: &Arc<Self>, migration: MigrationId) -> Option<Subscription> {
        let place = Arc::clone(&self.clients).try_acquire_owned().ok()?;
        let signals = {
            let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.entry(migration).or_insert_with(|| broadcast::channel(SIGNALS_KEPT).0).subscribe()
        };
        self.started.call_once(|| reader::start(self));
        self.arrived.notify_waiters();
        Some(Subscription { signals, _place: place })
    }

    /// Migrations that somebody watches. Forgets those that nobody watches any more.
    fn watched(&self) -> Vec<MigrationId> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|_, topic| topic.receiver_count() > 0);
        topics.keys().copied().collect()
    }

    /// Tells the clients of a migration; nobody listening is no error.
    fn tell(&self, migration: MigrationId, signal: Signal) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(&migration) {
            // An error says that the last client has just left.
            let _ = topic.send(signal);
        }
    }
}

/// Answers with the timeline of a migration as it goes on, behind the event `last` where the client has seen some.
pub(crate) fn follow(state: &ApiState, id: MigrationId, last: Option<u64>) -> Result<Response, Problem> {
    let subscription = state.live.subscribe(id).ok_or_else(|| {
        let detail = "too many event streams are open";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "api.unavailable", detail)
            .retry_after(Duration::from_secs(10))
    })?;
    let (events, receiver) = mpsc::channel(CLIENT_AHEAD);
    tokio::spawn(client::run(state.clone(), id, last, subscription, events));
    let keep_alive = KeepAlive::new().interval(state.limits.live_keepalive).text("keepalive");
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive)).into_response())
}
