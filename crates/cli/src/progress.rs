//! The live display of a migration: bars on a terminal, plain lines elsewhere, JSON lines for programs.

mod bars;
mod lines;

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount, HumanDuration};
use serde_json::Value;

use crate::args::Output;
use crate::client::{Count, Event, Migration, Progress};

/// Shows how a migration goes.
pub(crate) trait Display: Send {
    /// The migration as it is now.
    fn migration(&mut self, migration: &Migration, answer: &Value);

    /// A line of its timeline.
    fn event(&mut self, event: &Event, answer: &Value);

    /// How far the running phase is.
    fn progress(&mut self, progress: &Progress, answer: &Value);

    /// It is over.
    fn end(&mut self, migration: &Migration);
}

/// The display that fits where standard output goes.
pub(crate) fn display(form: Output) -> Box<dyn Display> {
    match form {
        Output::Json => Box::new(lines::Json),
        Output::Text if std::io::stdout().is_terminal() => Box::new(bars::Bars::new()),
        Output::Text => Box::new(lines::Lines::default()),
    }
}

/// Step, files, bytes, rows, rate and ETA in one line.
pub(crate) fn line(progress: &Progress) -> String {
    let mut parts = vec![progress.step.clone()];
    parts.extend(counted(progress.files, "files", |n| HumanCount(n).to_string()));
    parts.extend(counted(progress.bytes, "", |n| BinaryBytes(n).to_string()));
    parts.extend(counted(progress.rows, "rows", |n| HumanCount(n).to_string()));
    if progress.bytes_per_second > 0 {
        parts.push(format!("{}/s", BinaryBytes(progress.bytes_per_second)));
    }
    if let Some(seconds) = progress.eta_s {
        parts.push(format!("ETA {}", HumanDuration(Duration::from_secs(seconds))));
    }
    parts.join(", ")
}

fn counted(count: Count, unit: &str, shown: impl Fn(u64) -> String) -> Option<String> {
    let of = count.total.filter(|total| *total > 0).map(|total| format!(" of {}", shown(total)));
    if count.done == 0 && of.is_none() {
        return None;
    }
    Some(format!("{}{} {unit}", shown(count.done), of.unwrap_or_default()).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_known_and_nothing_else() {
        let mut progress = Progress { step: "copy_files".into(), ..Progress::default() };
        assert_eq!(line(&progress), "copy_files");
        progress.files = Count { done: 1200, total: Some(5000) };
        progress.bytes = Count { done: 3 << 20, total: None };
        progress.bytes_per_second = 1 << 20;
        progress.eta_s = Some(90);
        assert_eq!(line(&progress), "copy_files, 1,200 of 5,000 files, 3.00 MiB, 1.00 MiB/s, ETA 2 minutes");
    }
}
