//! Server-sent events, with reconnection: a stream that ends or breaks is opened again behind the last event seen.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::Value;
use tokio::time::Instant;

use super::Client;
use crate::exit::Failure;

/// First and longest wait before a stream is opened again.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Without any answer for so long, the server counts as gone.
const OUTAGE_LIMIT: Duration = Duration::from_secs(120);
/// The server sends a comment every 15 s; after so much silence the connection is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Longest event that is read. Bytes.
const EVENT_MAX: usize = 1 << 20;

/// What the stream brought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// The stream was opened: the state may have changed without a line.
    Opened,
    /// A line of the timeline.
    Event(Value),
    /// Live progress.
    Progress(Value),
    /// Older lines were trimmed.
    Reset,
}

/// A timeline that is followed.
pub(crate) struct Follow {
    client: Client,
    path: String,
    last: Option<String>,
    stream: Option<BoxStream<'static, reqwest::Result<Vec<u8>>>>,
    parser: Parser,
    ready: VecDeque<Message>,
    wait: Duration,
    alive: Instant,
}

impl Follow {
    pub(super) fn new(client: Client, path: String) -> Self {
        Self {
            client,
            path,
            last: None,
            stream: None,
            parser: Parser::default(),
            ready: VecDeque::new(),
            wait: WAITS.0,
            alive: Instant::now(),
        }
    }

    /// The next message. Fails where the server refuses, or stays away for two minutes. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            let Some(stream) = &mut self.stream else {
                self.open().await?;
                continue;
            };
            match tokio::time::timeout(SILENCE_LIMIT, stream.next()).await {
                Ok(Some(Ok(bytes))) => {
                    (self.alive, self.wait) = (Instant::now(), WAITS.0);
                    if self.parser.feed(&bytes, &mut self.ready, &mut self.last).is_err() {
                        self.stream = None;
                    }
                }
                Ok(Some(Err(_)) | None) | Err(_) => self.stream = None,
            }
        }
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let mut request = self
            .client
            .request(Method::GET, &self.path)?
            .header(ACCEPT, "text/event-stream")
            .timeout(Duration::from_secs(7200));
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        match self.client.send(request).await {
            Ok(answer) => {
                self.parser = Parser::default();
                self.stream =
                    Some(answer.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed());
                self.alive = Instant::now();
                self.ready.push_back(Message::Opened);
                Ok(())
            }
            Err(failure) if failure.code() == 5 && self.alive.elapsed() < OUTAGE_LIMIT => {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).min(WAITS.1);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}

/// An event is longer than any of Landfall's.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// Cuts the bytes of a stream into events (WHATWG HTML, "server-sent events").
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    id: Option<String>,
}

impl Parser {
    fn feed(
        &mut self,
        bytes: &[u8],
        ready: &mut VecDeque<Message>,
        last: &mut Option<String>,
    ) -> Result<(), TooLong> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() + self.data.len() > EVENT_MAX {
                    return Err(TooLong);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                self.dispatch(ready, last);
            } else {
                self.field(line);
            }
        }
        Ok(())
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.name = value.to_owned(),
            "id" => self.id = Some(value.to_owned()),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, ready: &mut VecDeque<Message>, last: &mut Option<String>) {
        if let Some(id) = self.id.take() {
            *last = Some(id);
        }
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return;
        }
        let Ok(value) = serde_json::from_str(&data) else { return };
        match name.as_str() {
            "" | "message" => ready.push_back(Message::Event(value)),
            "progress" => ready.push_back(Message::Progress(value)),
            "reset" => ready.push_back(Message::Reset),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_however_the_stream_is_cut() {
        let text = ": landfall\nretry: 2000\n\nid: 7\ndata: {\"id\":7}\n\nevent: progress\r\ndata: {\"step\":\r\ndata: \"x\"}\r\n\r\nevent: reset\ndata: {\"first\":3}\n\n";
        for size in [1, 3, 1000] {
            let (mut parser, mut ready, mut last) = (Parser::default(), VecDeque::new(), None);
            for chunk in text.as_bytes().chunks(size) {
                parser.feed(chunk, &mut ready, &mut last).unwrap();
            }
            let expected = [
                Message::Event(json!({ "id": 7 })),
                Message::Progress(json!({ "step": "x" })),
                Message::Reset,
            ];
            assert_eq!(ready, expected);
            assert_eq!(last.as_deref(), Some("7"));
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let (mut parser, mut ready, mut last) = (Parser::default(), VecDeque::new(), None);
        let endless = vec![b'x'; EVENT_MAX + 1];
        assert_eq!(parser.feed(&endless, &mut ready, &mut last), Err(TooLong));
    }
}
