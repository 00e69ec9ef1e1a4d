//! The report of a migration: the proof that its owner can read, as JSON for programs and as text for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfall_common::MigrationId;
use serde::{Deserialize, Serialize};

use crate::destination::database::facts::ServerFacts;
use crate::destination::database::rows::RewriteCounts;
use crate::destination::probe::PageProbe;
use crate::phases::import::PhpFacts;
use crate::snapshot_format::RowsHash;

/// What came of a migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Document schema.
    pub schema: u16,
    /// The migration.
    pub migration: MigrationId,
    /// The generation that finished.
    pub generation: u32,
    /// The site's title.
    pub title: String,
    /// Where it came from.
    pub source: Source,
    /// Where it is now.
    pub destination: Destination,
    /// What became what.
    pub rewriting: Rewriting,
    /// Each table.
    pub tables: Vec<TableReport>,
    /// The files, summed up.
    pub files: FileTotals,
    /// What the transfer counted.
    pub staged: serde_json::Value,
    /// What did not come along, and why.
    pub left_out: Vec<Omission>,
    /// Foreign keys with rows whose parent is missing, as at the source.
    pub orphans: Vec<(String, u64)>,
    /// What WordPress said of each plugin that the platform installs.
    pub plugins: BTreeMap<String, String>,
    /// The destination before.
    pub before: Vec<PageProbe>,
    /// The destination after.
    pub after: Vec<PageProbe>,
    /// Milliseconds of each step of the import.
    pub step_ms: BTreeMap<String, u64>,
    /// For how long visitors saw 503, in milliseconds.
    pub closed_ms: u64,
}

/// Where a site came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its front page.
    pub url: String,
    /// Its table prefix.
    pub prefix: String,
    /// Versions of WordPress, PHP and so on.
    pub versions: BTreeMap<String, String>,
    /// Which consistency the copy has.
    pub consistency: String,
    /// Tables that were written to during the copy.
    pub moved_tables: Vec<String>,
}

/// Where a site is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The URL that it goes by.
    pub url: String,
    /// The URL at which it answers already.
    pub answers_at: String,
    /// Its table prefix.
    pub prefix: String,
    /// The database's server.
    pub database: ServerFacts,
    /// PHP, where it answered before the site moved.
    pub php: Option<PhpFacts>,
}

/// What became what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewriting {
    /// Addresses.
    pub urls: Vec<(String, String)>,
    /// Server paths.
    pub paths: Vec<(String, String)>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its name at the source.
    pub source: String,
    /// Rows that are there, counted and hashed after the load.
    pub rows: u64,
    /// Rows of the source that were left out.
    pub rows_left_out: u64,
    /// The hash of the rows that are there.
    pub hash: RowsHash,
    /// The hash of the rows as the source had them.
    pub source_hash: RowsHash,
    /// What was rewritten in it.
    pub rewrite: RewriteCounts,
    /// What is not as it was at the source.
    pub notes: Vec<String>,
}

/// Sums over the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTotals {
    /// Files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Links.
    pub links: u64,
    /// Bytes.
    pub bytes: u64,
    /// Files that could not be read at the source.
    pub unread: u64,
}

/// Something that did not come along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omission {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Report {
    /// The report for people: plain text, at most some lines for each table.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let title = if self.title.is_empty() { "The site" } else { &self.title };
        writeln!(out, "{title} has moved: {} -> {}", self.source.url, self.destination.url)?;
        writeln!(out, "Migration {}, generation {}", self.migration, self.generation)?;
        if !self.source.consistency.is_empty() {
            writeln!(out, "\n{}", self.source.consistency)?;
        }
        if !self.source.moved_tables.is_empty() {
            writeln!(out, "Written to during the copy: {}", self.source.moved_tables.join(", "))?;
        }
        let database = &self.destination.database;
        writeln!(
            out,
            "\nDatabase: {} ({})",
            database.version,
            if database.is_mariadb { "MariaDB" } else { "MySQL" }
        )?;
        if let Some(php) = &self.destination.php {
            writeln!(out, "PHP: {}, memory limit {}", php.version, php.memory_limit)?;
        }
        self.write_tables(out)?;
        self.write_files(out)?;
        self.write_rewriting(out)?;
        if !self.left_out.is_empty() {
            writeln!(out, "\nLeft out")?;
            for omission in &self.left_out {
                writeln!(out, "  {}\n    {}", omission.what, omission.why)?;
            }
        }
        for (plugin, word) in &self.plugins {
            writeln!(out, "\nInstalled by the platform: {plugin} ({word})")?;
        }
        self.write_probes(out, "Before", &self.before)?;
        self.write_probes(out, "After", &self.after)?;
        writeln!(out, "\nTime")?;
        for (step, ms) in &self.step_ms {
            writeln!(out, "  {step:<16} {:>9.1} s", *ms as f64 / 1000.0)?;
        }
        writeln!(out, "  visitors saw 503 {:>9.1} s", self.closed_ms as f64 / 1000.0)
    }

    fn write_tables(&self, out: &mut String) -> std::fmt::Result {
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        writeln!(
            out,
            "\n{} tables, {rows} rows, each counted and hashed at the destination",
            self.tables.len()
        )?;
        let width = self.tables.iter().map(|table| table.name.chars().count()).max().unwrap_or(0);
        for table in &self.tables {
            writeln!(
                out,
                "  {:<width$} {:>10} rows  {}  {:>8} values rewritten",
                table.name, table.rows, table.hash, table.rewrite.values_changed
            )?;
            if table.rows_left_out > 0 {
                writeln!(out, "    {} rows of Landfall's own are left out", table.rows_left_out)?;
            }
            for note in &table.notes {
                writeln!(out, "    {note}")?;
            }
        }
        for (key, rows) in &self.orphans {
            writeln!(out, "  foreign key {key}: {rows} rows without a parent, as at the source")?;
        }
        Ok(())
    }

    fn write_files(&self, out: &mut String) -> std::fmt::Result {
        let files = &self.files;
        writeln!(
            out,
            "\n{} files, {} bytes, {} folders, {} links, each file's hash checked",
            files.files, files.bytes, files.folders, files.links
        )?;
        if files.unread > 0 {
            writeln!(out, "{} entries could not be read at the source", files.unread)?;
        }
        Ok(())
    }

    fn write_rewriting(&self, out: &mut String) -> std::fmt::Result {
        let mut sum = RewriteCounts::default();
        self.tables.iter().for_each(|table| sum.add(&table.rewrite));
        writeln!(
            out,
            "\nRewritten: {} values, {} addresses and paths in them",
            sum.values_changed, sum.replacements
        )?;
        for (from, to) in self.rewriting.urls.iter().chain(&self.rewriting.paths) {
            writeln!(out, "  {from} -> {to}")?;
        }
        if self.rewriting.paths.is_empty() {
            writeln!(out, "  no server path: where PHP sees the destination's document root is not known")?;
        }
        if sum.damaged_left > 0 {
            writeln!(
                out,
                "  {} damaged pieces hold an old address and were left as they are",
                sum.damaged_left
            )?;
        }
        if sum.base64_left > 0 {
            writeln!(
                out,
                "  {} pieces of base64 hold an old address and were left as they are",
                sum.base64_left
            )?;
        }
        Ok(())
    }

    fn write_probes(&self, out: &mut String, when: &str, probes: &[PageProbe]) -> std::fmt::Result {
        if probes.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{when}")?;
        for probe in probes {
            let status = probe.status.map_or("no answer".to_owned(), |status| status.to_string());
            let rest = probe.fault.as_deref().or(probe.title.as_deref()).unwrap_or_default();
            writeln!(out, "  {status} {} ({} ms) {rest}", probe.url, probe.ms)?;
        }
        Ok(())
    }
}
