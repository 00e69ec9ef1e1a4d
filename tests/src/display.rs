//! The live progress of a migration, on a terminal or as plain lines.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::api::{Api, state_of};

const POLL: Duration = Duration::from_millis(250);

/// How long each phase took, as its watcher saw it.
pub type Timings = Vec<(String, Duration)>;

/// Follows a migration to its end, showing phase, step, files, bytes, rows, rate and ETA. Fails where it ends otherwise than
/// `succeeded`, or not within `limit`.
pub async fn follow(api: &Api, id: &str, limit: Duration) -> Result<(Value, Timings)> {
    let began = Instant::now();
    let bar = bar();
    let mut timings: Timings = Vec::new();
    let mut phase_began = Instant::now();
    let mut phase = String::new();
    loop {
        let migration = api.migration(id).await?;
        let state = state_of(&migration)?;
        if state == "succeeded" {
            timings.push((phase, phase_began.elapsed()));
            bar.finish_and_clear();
            return Ok((migration, timings));
        }
        let (now_in, line, percent) = describe(&state, &migration);
        if now_in != phase {
            if !phase.is_empty() {
                timings.push((phase.clone(), phase_began.elapsed()));
            }
            (phase, phase_began) = (now_in, Instant::now());
        }
        show(&bar, &line, percent);
        let goes_on = ["awaiting_source", "queued", "running", "paused"].contains(&state.as_str());
        ensure!(goes_on, "the migration is {state}: {migration}");
        ensure!(began.elapsed() < limit, "the migration is still {state} after {limit:?}: {migration}");
        tokio::time::sleep(POLL).await;
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {spinner} {bar:28.cyan/dim} {pos:>3} %  {msg}")
        .expect("the template is well-formed");
    ProgressBar::new(100).with_style(style)
}

fn show(bar: &ProgressBar, line: &str, percent: Option<u64>) {
    if bar.is_hidden() {
        if line != bar.message() {
            eprintln!("  {line}");
        }
    } else {
        bar.tick();
    }
    bar.set_message(line.to_owned());
    bar.set_position(percent.unwrap_or(0));
}

/// The phase, a line for people, and the percentage of the phase.
fn describe(state: &str, migration: &Value) -> (String, String, Option<u64>) {
    let phase = [&migration["phase"], &migration["state"]["phase"], &migration["progress"]["phase"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or(state)
        .to_owned();
    let progress = &migration["progress"];
    // Right after a phase begins, the progress is still the phase's before.
    let is_present = state == "running" && progress["phase"] == phase.as_str();
    let Some(step) = progress["step"].as_str().filter(|_| is_present) else {
        return (phase.clone(), format!("{phase}: {state}"), None);
    };
    let mut parts = vec![format!("{phase}/{step}")];
    for (name, unit) in [("files", "files"), ("rows", "rows")] {
        if let Some(done) = progress[name]["done"].as_u64().filter(|done| *done > 0) {
            let of = progress[name]["total"].as_u64().map_or(String::new(), |total| format!("/{total}"));
            parts.push(format!("{done}{of} {unit}"));
        }
    }
    if let Some(done) = progress["bytes"]["done"].as_u64().filter(|done| *done > 0) {
        let of = progress["bytes"]["total"]
            .as_u64()
            .map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        parts.push(format!("{}{of}", HumanBytes(done)));
    }
    if let Some(rate) = progress["bytes_per_second"].as_u64().filter(|rate| *rate > 0) {
        parts.push(format!("{}/s", HumanBytes(rate)));
    }
    if let Some(eta) = progress["eta_s"].as_u64() {
        parts.push(format!("ETA {}", HumanDuration(Duration::from_secs(eta))));
    }
    let percent = ["bytes", "files", "rows"].into_iter().find_map(|name| {
        let total = progress[name]["total"].as_u64().filter(|total| *total > 0)?;
        Some((progress[name]["done"].as_u64()?.min(total) * 100) / total)
    });
    (phase, parts.join("  "), percent)
}
