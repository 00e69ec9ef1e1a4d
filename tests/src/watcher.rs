//! A visitor who reloads the destination's home page all the time: it must be the old site, 503, or the new one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use landfall_testkit::lab::http_client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(40);

/// What visitors saw.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// Answers that were the old site.
    pub old: u64,
    /// Answers that were 503.
    pub closed: u64,
    /// Answers that were the new site.
    pub new: u64,
    /// Answers that were anything else, described; at most 20 are kept.
    pub mixtures: Vec<String>,
    /// From the first 503 to the first answer after the last.
    pub window: Duration,
}

/// A watcher at work.
#[derive(Debug)]
pub struct Watcher {
    stop: CancellationToken,
    task: JoinHandle<Sightings>,
}

impl Watcher {
    /// Watches `url`'s home page. A page is the old site where it holds `old`, the new one where it holds `new`.
    pub fn start(url: &Url, old: String, new: String) -> Result<Self> {
        let client = http_client(&[url])?;
        let stop = CancellationToken::new();
        let (url, stopped) = (url.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut seen = Sightings::default();
            let (mut closed_at, mut reopened_at) = (None, None);
            while !stopped.is_cancelled() {
                let answer = look(&client, &url).await;
                if !matches!(answer, Ok((503, _))) && closed_at.is_some() {
                    reopened_at.get_or_insert_with(Instant::now);
                }
                match answer {
                    Ok((503, _)) => {
                        seen.closed += 1;
                        closed_at.get_or_insert_with(Instant::now);
                        reopened_at = None;
                    }
                    Ok((200, body)) if body.contains(&new) && !body.contains(&old) => seen.new += 1,
                    Ok((200, body)) if body.contains(&old) && !body.contains(&new) => seen.old += 1,
                    Ok((status, body)) => note(&mut seen, status, &body),
                    Err(error) => note(&mut seen, 0, &format!("{error:#}")),
                }
                tokio::time::sleep(PAUSE).await;
            }
            if let (Some(closed), Some(reopened)) = (closed_at, reopened_at) {
                seen.window = reopened.duration_since(closed);
            }
            seen
        });
        Ok(Self { stop, task })
    }

    /// Stops, and says what was seen.
    pub async fn finish(self) -> Result<Sightings> {
        self.stop.cancel();
        self.task.await.context("the watcher ran to its end")
    }
}

async fn look(client: &reqwest::Client, url: &Url) -> Result<(u16, String)> {
    let answer = client.get(url.clone()).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

fn note(seen: &mut Sightings, status: u16, body: &str) {
    if seen.mixtures.len() < 20 {
        let start: String = body.chars().take(300).collect();
        seen.mixtures.push(format!("{status}: {start}"));
    }
}
