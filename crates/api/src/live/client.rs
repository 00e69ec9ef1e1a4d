//! One client of an event stream.

use axum::BoxError;
use axum::response::sse::Event;
use bytes::Bytes;
use landfall_common::MigrationId;
use landfall_common::ports::StoredLine;
use landfall_common::progress::Progress;
use landfall_common::records::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::{Signal, Subscription};
use crate::migrations::events::EventView;
use crate::migrations::view::progress_key;
use crate::state::ApiState;

/// Lines that one look into the store brings.
const LINES_MAX: usize = 200;
/// After how long a client that was cut off comes again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);

/// How long a client waits for a store that is away.
const STORE_REST: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a client could not be served.
#[derive(Debug)]
enum Stop {
    /// It left.
    Left,
    /// The store is away.
    Store,
}

struct Client {
    state: ApiState,
    id: MigrationId,
    /// The last event that it was sent.
    last: u64,
    events: Sender<Result<Event, BoxError>>,
}

/// Runs until the client leaves, its time is up, or the server stops.
pub(super) async fn run(
    state: ApiState,
    id: MigrationId,
    last: Option<u64>,
    subscription: Subscription,
    events: Sender<Result<Event, BoxError>>,
) {
    let until = Instant::now() + state.limits.live_time;
    let closing = state.closing.clone();
    let gone = events.clone();
    let client = Client { state, id, last: last.unwrap_or_default(), events };
    tokio::select! {
        _stop = client.follow(last.is_some(), subscription) => {}
        () = gone.closed() => {}
        () = closing.cancelled() => {}
        () = tokio::time::sleep_until(until) => {}
    }
}

impl Client {
    /// Runs until the client leaves. A store that is away is waited for: browsers do not come again after an error.
    async fn follow(mut self, is_resumed: bool, mut subscription: Subscription) -> Result<(), Stop> {
        self.send(Event::default().retry(RETRY).comment("landfall")).await?;
        let mut is_begun = false;
        loop {
            let served = self.serve(is_resumed, &mut is_begun, &mut subscription).await;
            match served {
                Err(Stop::Store) => tokio::time::sleep(STORE_REST).await,
                Ok(()) | Err(Stop::Left) => return served,
            }
        }
    }

    /// Brings the client up to date, then passes on what the reader tells.
    async fn serve(
        &mut self,
        is_resumed: bool,
        is_begun: &mut bool,
        subscription: &mut Subscription,
    ) -> Result<(), Stop> {
        if is_resumed && !*is_begun {
            self.check_last().await?;
        }
        self.catch_up(is_resumed || *is_begun).await?;
        if !*is_begun {
            self.first_progress().await?;
        }
        *is_begun = true;
        loop {
            match subscription.signals.recv().await {
                Ok(Signal::Line(line)) if line.id <= self.last => {}
                Ok(Signal::Line(line)) if line.id == self.last + 1 => self.line(&line).await?,
                Ok(Signal::Line(_) | Signal::CatchUp) | Err(RecvError::Lagged(_)) => {
                    self.catch_up(true).await?;
                }
                Ok(Signal::Progress(value)) => self.progress(&value).await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    /// The id that the client names has to be one that the stream gave: after the store went back in time it may
    /// not exist, and lines of that number will be others.
    async fn check_last(&mut self) -> Result<(), Stop> {
        if self.last == 0 {
            return Ok(());
        }
        let newest = self.lines(self.last - 1, 1).await?;
        if newest.is_empty() {
            self.last = 0;
            self.reset(1).await?;
        }
        Ok(())
    }

    /// Sends what the store has behind the last event. `is_told` says of a gap that older lines were trimmed.
    async fn catch_up(&mut self, is_told: bool) -> Result<(), Stop> {
        loop {
            let lines = self.lines(self.last, LINES_MAX).await?;
            let Some(first) = lines.first() else { return Ok(()) };
            if is_told && self.last > 0 && first.id > self.last + 1 {
                self.reset(first.id).await?;
            }
            let is_all = lines.len() < LINES_MAX;
            for line in &lines {
                self.line(line).await?;
            }
            if is_all {
                return Ok(());
            }
        }
    }

    async fn lines(&self, after: u64, limit: usize) -> Result<Vec<StoredLine>, Stop> {
        let stream = stream::migration(self.id);
        self.state.records.store().events(&stream, after, limit).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "an event stream waits for the store");
            Stop::Store
        })
    }

    async fn line(&mut self, line: &StoredLine) -> Result<(), Stop> {
        self.last = line.id;
        let view = serde_json::to_string(&EventView::new(line)).expect("views are plain data");
        self.send(Event::default().id(line.id.to_string()).data(view)).await
    }

    async fn reset(&self, first: u64) -> Result<(), Stop> {
        self.send(Event::default().event("reset").data(format!("{{\"first\":{first}}}"))).await
    }

    async fn first_progress(&self) -> Result<(), Stop> {
        let keys = [progress_key(self.id)];
        let mut values = self.state.records.store().ephemeral(&keys).await.map_err(|_| Stop::Store)?;
        match values.pop().flatten() {
            Some(value) => self.progress(&value).await,
            None => Ok(()),
        }
    }

    /// Progress has no id: a client that comes again needs none of the old ones.
    async fn progress(&self, value: &Bytes) -> Result<(), Stop> {
        // Read and written again, so that nothing but progress goes out, and no line break within.
        let Ok(progress) = serde_json::from_slice::<Progress>(value) else { return Ok(()) };
        let json = serde_json::to_string(&progress).expect("progress is plain data");
        self.send(Event::default().event("progress").data(json)).await
    }

    async fn send(&self, event: Event) -> Result<(), Stop> {
        self.events.send(Ok(event)).await.map_err(|_| Stop::Left)
    }
}
