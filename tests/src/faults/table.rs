//! What the suite prints.

use std::time::{Duration, Instant};

use super::meter::Bytes;

/// The rows so far; each is printed at once, and all of them again at the end.
pub(super) struct Table {
    began: Instant,
    lines: Vec<String>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), lines: Vec::new() }
    }

    /// A line about what happens now; not part of the table.
    pub(super) fn say(&self, text: &str) {
        println!("[{:>6.1} s] {text}", self.began.elapsed().as_secs_f64());
    }

    /// The name of a case.
    pub(super) fn heading(&mut self, case: &str) {
        self.add(case.to_owned());
    }

    /// A fault and what came of it.
    pub(super) fn row(&mut self, fault: &str, outcome: &str, took: Duration) {
        self.add(format!("  {fault:<44} {:>6.1} s  {outcome}", took.as_secs_f64()));
    }

    /// As [`Table::row`], with bytes; `lost` are those that the checkpoint does not stand behind.
    pub(super) fn bytes(&mut self, fault: &str, bytes: Bytes, lost: Option<i64>, took: Duration) {
        let lost = lost.map_or(String::new(), |lost| format!("  {:>5.1} lost", mib(lost)));
        self.add(format!(
            "  {fault:<44} {:>6.1} s  {:>8.1} {:>8.1} {:>8.1} MiB{lost}",
            took.as_secs_f64(),
            mib(bytes.source),
            mib(bytes.files),
            mib(bytes.rows)
        ));
    }

    /// A line of its own.
    pub(super) fn note(&mut self, text: &str) {
        self.add(format!("  {text}"));
    }

    /// All of it.
    pub(super) fn print(&self) {
        println!("\nfaults, outcomes, seconds");
        for line in &self.lines {
            println!("{line}");
        }
        println!("in all {:.0} s", self.began.elapsed().as_secs_f64());
    }

    fn add(&mut self, line: String) {
        self.say(&line);
        self.lines.push(line);
    }
}

/// For people.
pub(super) fn mib(bytes: i64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
