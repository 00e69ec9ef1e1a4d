//! `landfall support`.

use serde_json::{Value, json};

use super::{list, once, watch};
use crate::args::{Output, ReplayFrom, SupportCommand};
use crate::client::{Case, Client, Event, Page, path, typed};
use crate::exit::Failure;
use crate::output::{fields, printable, table, to_the_second};

/// Works on support cases.
pub(super) async fn run(client: &Client, form: Output, command: SupportCommand) -> Result<(), Failure> {
    match command {
        SupportCommand::List { state, list: args } => {
            let query = [("state", state.unwrap_or_default())];
            let answer = list(client, "v1/support/cases", &query, &args).await?;
            super::print(form, &answer, || {
                let page: Page<Case> = typed(answer.clone())?;
                let rows = page.items.into_iter().map(|case| {
                    vec![
                        case.id,
                        case.state,
                        case.code,
                        case.phase,
                        case.migration,
                        to_the_second(&case.opened_at),
                    ]
                });
                Ok(table(&["id", "state", "code", "phase", "migration", "opened"], rows))
            })
        }
        SupportCommand::Show { id } => {
            let answer = client.get(&case_path(&id, None), &[]).await?;
            super::print(form, &answer, || Ok(one(&typed(answer.clone())?, &answer)))
        }
        SupportCommand::Replay { id, from, reason, watch } => {
            let body = json!({ "from": place(from), "reason": reason });
            let answer = client.post(&case_path(&id, Some("replay")), &body, &once()).await?;
            if watch {
                let case: Case = typed(client.get(&case_path(&id, None), &[]).await?)?;
                return watch::run(client, form, &case.migration).await;
            }
            super::print(form, &answer, || Ok(format!("{id}: replayed from {}", place(from))))
        }
        SupportCommand::Resolve { id, resolution } => {
            let body = json!({ "resolution": resolution });
            let answer = client.post(&case_path(&id, Some("resolve")), &body, &once()).await?;
            super::print(form, &answer, || Ok(format!("{id}: resolved")))
        }
    }
}

fn case_path(id: &str, action: Option<&str>) -> String {
    let mut parts = vec!["v1", "support", "cases", id];
    parts.extend(action);
    path(&parts)
}

const fn place(from: ReplayFrom) -> &'static str {
    match from {
        ReplayFrom::Checkpoint => "checkpoint",
        ReplayFrom::Start => "start",
        ReplayFrom::Snapshot => "snapshot",
        ReplayFrom::Transfer => "transfer",
        ReplayFrom::Import => "import",
    }
}

fn one(case: &Case, answer: &Value) -> String {
    let mut text = fields(&[
        ("id", case.id.clone()),
        ("state", case.state.clone()),
        ("code", case.code.clone()),
        ("detail", case.detail.clone()),
        ("phase", case.phase.clone()),
        ("migration", case.migration.clone()),
        ("opened", to_the_second(&case.opened_at)),
        ("resolution", case.resolution.clone().unwrap_or_default()),
    ]);
    let events: Vec<Event> = typed(answer["timeline"].clone()).unwrap_or_default();
    if !events.is_empty() {
        text.push_str("\n\ntimeline:");
    }
    for event in events {
        text.push_str(&format!("\n  {}  {}", to_the_second(&event.at), printable(&event.message)));
    }
    text
}
