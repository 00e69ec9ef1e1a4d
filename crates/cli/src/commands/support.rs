//! `landfall support`.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{list, once, watch};
use crate::args::{FilterArgs, ListArgs, Output, ReplayFrom, SupportCommand};
use crate::client::{Case, Client, Event, Page, path, typed};
use crate::exit::Failure;
use crate::output::{fields, printable, table, to_the_second};

/// Works on support cases.
pub(super) async fn run(client: &Client, form: Output, command: SupportCommand) -> Result<(), Failure> {
    match command {
        SupportCommand::List { filter, list: args } => cases(client, form, &filter, &args).await,
        SupportCommand::Groups { filter } => {
            let answer = client.get("v1/support/groups", &query(&filter)).await?;
            super::print(form, &answer, || Ok(groups(&answer)))
        }
        SupportCommand::Show { id } => {
            let answer = client.get(&case_path(&id, None), &[]).await?;
            super::print(form, &answer, || Ok(one(&typed(answer.clone())?, &answer)))
        }
        SupportCommand::Bundle { id, file } => bundle(client, form, &id, file).await,
        SupportCommand::Claim { id, take_over } => {
            let body = json!({ "take_over": take_over });
            let answer = client.post(&case_path(&id, Some("claim")), &body, &once()).await?;
            super::print(form, &answer, || Ok(format!("{id}: yours")))
        }
        SupportCommand::Release { id } => {
            let answer = client.post(&case_path(&id, Some("release")), &json!({}), &once()).await?;
            super::print(form, &answer, || Ok(format!("{id}: given back")))
        }
        SupportCommand::Note { id, text } => {
            let body = json!({ "text": text });
            let answer = client.post(&case_path(&id, Some("notes")), &body, &once()).await?;
            super::print(form, &answer, || Ok(format!("{id}: noted")))
        }
        SupportCommand::Replay { id, round, options, watch } => {
            let mut body = json!({ "from": place(round.from), "reason": round.reason });
            if let Some(file) = options {
                body["options"] = super::json_file(&file)?;
            }
            let answer = client.post(&case_path(&id, Some("replay")), &body, &once()).await?;
            if watch {
                let case: Case = typed(client.get(&case_path(&id, None), &[]).await?)?;
                return watch::run(client, form, &case.migration).await;
            }
            super::print(form, &answer, || Ok(format!("{id}: replayed from {}", place(round.from))))
        }
        SupportCommand::ReplayMany { ids, filter, round, dry_run, per_minute } => {
            let mut body = json!({
                "from": place(round.from), "reason": round.reason, "dry_run": dry_run, "per_minute": per_minute,
            });
            if ids.is_empty() {
                let filter = query(&filter).into_iter().map(|(name, value)| match name {
                    "outside_allowance" => (name.to_owned(), true.into()),
                    _ => (name.to_owned(), value.into()),
                });
                body["filter"] = Value::Object(filter.collect());
            } else {
                body["ids"] = json!(ids);
            }
            let answer = client.post("v1/support/replays", &body, &once()).await?;
            super::print(form, &answer, || Ok(many(&answer)))
        }
        SupportCommand::Resolve { id, resolution, cancel } => {
            let body = json!({ "resolution": resolution, "cancel": cancel });
            let answer = client.post(&case_path(&id, Some("resolve")), &body, &once()).await?;
            super::print(form, &answer, || Ok(format!("{id}: resolved")))
        }
    }
}

async fn cases(client: &Client, form: Output, filter: &FilterArgs, args: &ListArgs) -> Result<(), Failure> {
    let answer = list(client, "v1/support/cases", &query(filter), args).await?;
    super::print(form, &answer, || {
        let page: Page<Case> = typed(answer.clone())?;
        let rows = page.items.into_iter().map(|case| {
            let by = case.claimed_by.unwrap_or_default();
            let opened = to_the_second(&case.opened_at);
            vec![case.id, case.state, case.code, case.phase, case.site_name, opened, by]
        });
        Ok(table(&["id", "state", "code", "phase", "site", "opened", "claimed by"], rows))
    })
}

/// What is asked for, as the API names it.
fn query(filter: &FilterArgs) -> Vec<(&'static str, String)> {
    let outside = filter.outside_allowance.then(|| "true".to_owned());
    [
        ("state", filter.state.clone()),
        ("code", filter.code.clone()),
        ("phase", filter.phase.clone()),
        ("source_host", filter.source_host.clone()),
        ("fingerprint", filter.fingerprint.clone()),
        ("claimed_by", filter.claimed_by.clone()),
        ("opened_before", filter.opened_before.clone()),
        ("opened_after", filter.opened_after.clone()),
        ("outside_allowance", outside),
        ("q", filter.search.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

async fn bundle(client: &Client, form: Output, id: &str, file: Option<PathBuf>) -> Result<(), Failure> {
    let bytes = client.bytes(&case_path(id, Some("bundle"))).await?;
    let file = file.unwrap_or_else(|| PathBuf::from(format!("{id}.json")));
    std::fs::write(&file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
    let written = json!({ "file": file, "bytes": bytes.len() });
    super::print(form, &written, || Ok(format!("{}: {} bytes", file.display(), bytes.len())))
}

fn groups(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let rows = items.iter().map(|group| {
        let names = ["cases", "organizations", "code", "phase", "fingerprint", "example"];
        names.iter().map(|name| printable(&text(&group[*name]))).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    table(&["cases", "organizations", "code", "phase", "fingerprint", "newest says"], rows)
}

fn many(answer: &Value) -> String {
    let count = |name: &str| answer[name].as_array().map_or(0, Vec::len);
    if answer["dry_run"] == true {
        return format!("{} cases would be replayed", answer["matched"]);
    }
    let mut said = format!(
        "{} of {} cases replayed; the last one starts in {} s",
        count("replayed"),
        answer["matched"],
        answer["last_starts_in_s"]
    );
    for refused in answer["refused"].as_array().into_iter().flatten() {
        let detail = refused["detail"].as_str().unwrap_or_default();
        said.push_str(&format!(
            "\n  {}: {}",
            refused["case"].as_str().unwrap_or_default(),
            printable(detail)
        ));
    }
    said
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
        ("site", case.site_name.clone()),
        ("claimed by", case.claimed_by.clone().unwrap_or_default()),
        ("outside allowance", if case.outside_allowance { "yes".to_owned() } else { "no".to_owned() }),
        ("dashboard", answer["site_dashboard_url"].as_str().unwrap_or_default().to_owned()),
        ("resolution", case.resolution.clone().unwrap_or_default()),
    ]);
    for note in answer["notes"].as_array().into_iter().flatten() {
        let [at, words] = ["at", "text"].map(|name| note[name].as_str().unwrap_or_default());
        text.push_str(&format!("\nnote  {}  {}", to_the_second(at), printable(words)));
    }
    let events: Vec<Event> = typed(answer["timeline"].clone()).unwrap_or_default();
    if !events.is_empty() {
        text.push_str("\n\ntimeline:");
    }
    for event in events {
        text.push_str(&format!("\n  {}  {}", to_the_second(&event.at), printable(&event.message)));
    }
    text
}
