//! Without a terminal: a line for each event, and now and then one for the progress; or everything as JSON lines.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Display, line};
use crate::client::{Event, Migration, Progress};
use crate::output::{printable, say, to_the_second};

/// Progress is told at most so often.
const PAUSE: Duration = Duration::from_secs(5);

/// Plain lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    told: Option<Instant>,
    last: String,
}

impl Display for Lines {
    fn migration(&mut self, _migration: &Migration, _answer: &Value) {}

    fn event(&mut self, event: &Event, _answer: &Value) {
        say!("{}  {}", to_the_second(&event.at), printable(&event.message));
    }

    fn progress(&mut self, progress: &Progress, _answer: &Value) {
        let text = format!("  {}: {}", progress.phase, printable(&line(progress)));
        if self.told.is_some_and(|told| told.elapsed() < PAUSE) || text == self.last {
            return;
        }
        say!("{text}");
        (self.told, self.last) = (Some(Instant::now()), text);
    }

    fn end(&mut self, migration: &Migration) {
        say!("{}: {}", migration.id, migration.state_text());
    }
}

/// One JSON value a line: `{"event": …}`, `{"progress": …}`, `{"migration": …}`.
#[derive(Debug)]
pub(super) struct Json;

impl Display for Json {
    fn migration(&mut self, _migration: &Migration, answer: &Value) {
        say!("{}", json!({ "migration": answer }));
    }

    fn event(&mut self, _event: &Event, answer: &Value) {
        say!("{}", json!({ "event": answer }));
    }

    fn progress(&mut self, _progress: &Progress, answer: &Value) {
        say!("{}", json!({ "progress": answer }));
    }

    fn end(&mut self, _migration: &Migration) {}
}
