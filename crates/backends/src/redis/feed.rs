//! The feed: one blocking reader for the process wakes whoever waits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use landfall_common::ports::{FeedItem, StoreError};
use redis::aio::ConnectionManager;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{Cmd, RedisResult};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::link::Link;
use crate::limits::lines;

/// How long the reader blocks at a time.
const BLOCK: Duration = Duration::from_secs(2);
/// How much longer than [`BLOCK`] an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Whoever waits looks again so often even unwoken: the reader may be cut off while the other connection is not.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the feed.
#[derive(Debug)]
pub(super) struct Feed {
    link: Arc<Link>,
    wakes: watch::Sender<()>,
    reader: OnceLock<AbortHandle>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.get() {
            reader.abort();
        }
    }
}

impl Feed {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, wakes: watch::Sender::new(()), reader: OnceLock::new() }
    }

    pub(super) async fn read(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<(String, Vec<FeedItem>), StoreError> {
        self.start_reader()?;
        let deadline = Instant::now() + wait;
        // Subscribed before the first look, so that no line falls between look and wait.
        let mut wakes = self.wakes.subscribe();
        let position = match after {
            Some(position) if is_position(position) => position.to_owned(),
            Some(position) => {
                return Err(StoreError::Broken(format!("{position:?} is no position in the feed")));
            }
            None => self.last_position().await?,
        };
        loop {
            wakes.mark_unchanged();
            let items = self.items(&position, limit).await?;
            if let Some(last) = items.last() {
                return Ok((last.position.clone(), items));
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok((position, items));
            }
            // Woken or not, the next turn looks.
            let _ = tokio::time::timeout_at(deadline.min(now + LOOK_INTERVAL), wakes.changed()).await;
        }
    }

    async fn last_position(&self) -> Result<String, StoreError> {
        Ok(position_behind(&self.link.command(&newest_line(&self.key())).await?))
    }

    async fn items(&self, after: &str, limit: usize) -> Result<Vec<FeedItem>, StoreError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.key()).arg(format!("({after}")).arg("+").arg("COUNT").arg(lines(limit));
        let reply: StreamRangeReply = self.link.command(&command).await?;
        reply.ids.iter().map(feed_item).collect()
    }

    fn key(&self) -> String {
        format!("{}:feed", self.link.root())
    }

    fn start_reader(&self) -> Result<(), StoreError> {
        if self.reader.get().is_some() {
            return Ok(());
        }
        let manager = self.link.separate(BLOCK + ANSWER_LIMIT)?;
        let task = tokio::spawn(wake_on_lines(manager, self.key(), self.wakes.clone())).abort_handle();
        if let Err(second) = self.reader.set(task) {
            second.abort(); // Another call was faster.
        }
        Ok(())
    }
}

fn newest_line(key: &str) -> Cmd {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(key).arg("+").arg("-").arg("COUNT").arg(1);
    command
}

fn position_behind(newest: &StreamRangeReply) -> String {
    newest.ids.first().map_or_else(|| "0-0".to_owned(), |line| line.id.clone())
}

async fn wake_on_lines(mut connection: ConnectionManager, key: String, wakes: watch::Sender<()>) {
    let mut position = None;
    loop {
        match next_lines(&mut connection, &key, &mut position).await {
            Ok(true) => {
                wakes.send_replace(());
            }
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "the feed's connection failed, trying again");
                // Lines may have come meanwhile.
                wakes.send_replace(());
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Blocks until there are lines behind the position, or for a while; whether there were.
async fn next_lines(
    connection: &mut ConnectionManager,
    key: &str,
    position: &mut Option<String>,
) -> RedisResult<bool> {
    let after = match position.take() {
        Some(after) => after,
        None => position_behind(&newest_line(key).query_async(connection).await?),
    };
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(1_000).arg("BLOCK").arg(BLOCK.as_millis().to_string());
    command.arg("STREAMS").arg(key).arg(&after);
    let reply: Option<StreamReadReply> = command.query_async(connection).await?;
    let last = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|stream| stream.ids).last();
    let is_news = last.is_some();
    *position = Some(last.map_or(after, |line| line.id));
    Ok(is_news)
}

fn is_position(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(time, count)| time.parse::<u64>().is_ok() && count.parse::<u64>().is_ok())
}

fn feed_item(line: &StreamId) -> Result<FeedItem, StoreError> {
    let damaged = || StoreError::Broken(format!("line {} of the feed is damaged", line.id));
    let stream = line.get("stream").ok_or_else(damaged)?;
    let event = line.get("event").ok_or_else(damaged)?;
    Ok(FeedItem { position: line.id.clone(), stream, event })
}
