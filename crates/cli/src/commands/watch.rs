//! `landfall watch`: follows a migration until it is over.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::args::Output;
use crate::client::{Client, Event, Follow, Message, Migration, Progress, typed};
use crate::exit::Failure;
use crate::progress::{Display, display};

/// After an event the migration is read again, with the events that follow at once.
const SETTLE: Duration = Duration::from_millis(100);
/// Without any event, it is read again so often.
const REFRESH: Duration = Duration::from_secs(15);
/// When it is over, lines of the timeline that are still under way are waited for so long.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Follows a migration; fails where it does not succeed.
pub(super) async fn run(client: &Client, form: Output, id: &str) -> Result<(), Failure> {
    let (answer, migration) = client.migration(id).await?;
    let mut display = display(form);
    display.migration(&migration, &answer);
    let mut follow = client.follow(id);
    let (answer, migration) =
        follow_to_end(client, &mut follow, display.as_mut(), (answer, migration)).await?;
    last_lines(&mut follow, display.as_mut()).await;
    display.migration(&migration, &answer);
    display.end(&migration);
    verdict(&migration)
}

async fn follow_to_end(
    client: &Client,
    follow: &mut Follow,
    display: &mut dyn Display,
    mut last: (Value, Migration),
) -> Result<(Value, Migration), Failure> {
    let mut read_at = Instant::now();
    loop {
        if last.1.is_over() {
            return Ok(last);
        }
        match timeout_at(read_at, follow.next()).await {
            Ok(message) => {
                if show(display, message?)? {
                    read_at = read_at.min(Instant::now() + SETTLE);
                }
            }
            Err(_) => {
                last = refresh(client, last).await?;
                display.migration(&last.1, &last.0);
                read_at = Instant::now() + REFRESH;
            }
        }
    }
}

/// Shows a message; whether the migration may have changed with it.
fn show(display: &mut dyn Display, message: Message) -> Result<bool, Failure> {
    match message {
        Message::Opened | Message::Reset => Ok(true),
        Message::Event(answer) => {
            let event: Event = typed(answer.clone())?;
            display.event(&event, &answer);
            Ok(true)
        }
        Message::Progress(answer) => {
            let progress: Progress = typed(answer.clone())?;
            display.progress(&progress, &answer);
            Ok(false)
        }
    }
}

/// The migration as it is now; as it was, where the server is away: the stream tells when it is back, or gives up.
async fn refresh(client: &Client, last: (Value, Migration)) -> Result<(Value, Migration), Failure> {
    match client.migration(&last.1.id).await {
        Ok(fresh) => Ok(fresh),
        Err(failure) if failure.code() == 5 => Ok(last),
        Err(failure) => Err(failure),
    }
}

async fn last_lines(follow: &mut Follow, display: &mut dyn Display) {
    let until = Instant::now() + LAST_LINES;
    while let Ok(Ok(message)) = timeout_at(until, follow.next()).await {
        if show(display, message).is_err() {
            return;
        }
    }
}

fn verdict(migration: &Migration) -> Result<(), Failure> {
    if migration.state == "succeeded" {
        return Ok(());
    }
    let mut text = format!("the migration did not succeed: it is {}", migration.state_text());
    if let Some(failure) = &migration.last_failure {
        text.push_str(&format!("\n  {}: {}", failure.code, failure.detail));
    }
    if let Some(case) = migration.case.as_ref().filter(|_| migration.state == "needs_support") {
        text.push_str(&format!("\n  support takes it from here, as case {case}"));
    }
    Err(Failure::EndedOtherwise(text))
}
