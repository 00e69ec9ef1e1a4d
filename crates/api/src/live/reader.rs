//! The one reader of the feed, and the one reader of live progress.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_common::MigrationId;
use landfall_common::ports::{FeedItem, StoreError};

use super::{Live, Signal};
use crate::measures;
use crate::migrations::view::progress_key;

/// Feed lines read at once.
const FEED_LIMIT: usize = 500;
/// How long one call waits for a line.
const FEED_WAIT: Duration = Duration::from_secs(2);
/// Rest after the store failed.
const FAILURE_REST: Duration = Duration::from_secs(1);

/// Starts the readers; they end with the process's token.
pub(super) fn start(live: &Arc<Live>) {
    tokio::spawn(until_closing(Arc::clone(live), |live| async move { read_feed(&live).await }));
    tokio::spawn(until_closing(Arc::clone(live), |live| async move { read_progress(&live).await }));
}

async fn until_closing<F: Future<Output = ()>>(live: Arc<Live>, run: impl FnOnce(Arc<Live>) -> F) {
    let closing = live.closing.clone();
    tokio::select! {
        () = closing.cancelled() => {}
        () = run(live) => {}
    }
}

async fn read_feed(live: &Live) {
    let mut position: Option<String> = None;
    loop {
        // Asked for before looking, so that a client that comes in between is not overlooked.
        let arrived = live.arrived.notified();
        if live.watched().is_empty() {
            position = None;
            arrived.await;
            continue;
        }
        match step(live, position.take()).await {
            Ok(next) => position = Some(next),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the event feed cannot be read");
                tokio::time::sleep(FAILURE_REST).await;
            }
        }
    }
}

/// Reads on from a position. Without one, lines may have been missed: every client looks for itself.
async fn step(live: &Live, position: Option<String>) -> Result<String, StoreError> {
    let store = live.records.store();
    let Some(position) = position else {
        let (position, _) = store.feed(None, 1, Duration::ZERO).await?;
        for migration in live.watched() {
            live.tell(migration, Signal::CatchUp);
        }
        return Ok(position);
    };
    let (next, items) = store.feed(Some(&position), FEED_LIMIT, FEED_WAIT).await?;
    for (migration, first, last) in news(&live.watched(), &items) {
        let count = usize::try_from(last.saturating_sub(first)).unwrap_or(FEED_LIMIT) + 1;
        let lines =
            store.events(&migration.to_string(), first.saturating_sub(1), count.min(FEED_LIMIT)).await?;
        for line in lines {
            live.tell(migration, Signal::Line(Arc::new(line)));
        }
    }
    Ok(next)
}

/// For each watched migration in the feed: its first and last new event.
fn news(watched: &[MigrationId], items: &[FeedItem]) -> Vec<(MigrationId, u64, u64)> {
    let mut spans: BTreeMap<MigrationId, (u64, u64)> = BTreeMap::new();
    for item in items {
        let Ok(migration) = item.stream.parse::<MigrationId>() else { continue };
        if !watched.contains(&migration) {
            continue;
        }
        let span = spans.entry(migration).or_insert((item.event, item.event));
        *span = (span.0.min(item.event), span.1.max(item.event));
    }
    spans.into_iter().map(|(migration, (first, last))| (migration, first, last)).collect()
}

async fn read_progress(live: &Live) {
    let mut told: HashMap<MigrationId, Bytes> = HashMap::new();
    loop {
        let arrived = live.arrived.notified();
        let watched = live.watched();
        metrics::gauge!(measures::LIVE_CLIENTS).set(clients(live));
        told.retain(|migration, _| watched.contains(migration));
        if watched.is_empty() {
            arrived.await;
            continue;
        }
        let keys: Vec<String> = watched.iter().map(|migration| progress_key(*migration)).collect();
        match live.records.store().ephemeral(&keys).await {
            Ok(values) => {
                for (migration, value) in watched.into_iter().zip(values) {
                    let Some(value) = value else { continue };
                    if told.get(&migration) != Some(&value) {
                        live.tell(migration, Signal::Progress(value.clone()));
                        told.insert(migration, value);
                    }
                }
            }
            // The feed's reader says that the store is away.
            Err(_) => tokio::time::sleep(FAILURE_REST).await,
        }
        tokio::time::sleep(live.progress_every).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of some thousands")]
fn clients(live: &Live) -> f64 {
    let topics = live.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    topics.values().map(tokio::sync::broadcast::Sender::receiver_count).sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use landfall_common::MigrationId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_span_is_read_for_each_watched_migration() {
        let id = |n: u128| MigrationId::from_uuid(Uuid::from_u128(n));
        let item = |stream: String, event: u64| FeedItem { position: event.to_string(), stream, event };
        let items = [
            item(id(1).to_string(), 4),
            item("audit".to_owned(), 9),
            item(id(2).to_string(), 1),
            item(id(1).to_string(), 5),
            item(id(3).to_string(), 7),
        ];
        assert_eq!(news(&[id(1), id(2)], &items), [(id(1), 4, 5), (id(2), 1, 1)]);
    }
}
