//! Runs the independent checker, `tests/checker/check.php`: real PHP that shares no code with the product.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::mariadb::DatabaseAccess;
use super::wordpress::WordPressSite;
use super::{Lab, Tool, random_word, run, workspace};

/// What is compared, and which differences are expected. The checker's job file.
#[derive(Clone, Debug, Serialize)]
pub struct CheckJob {
    /// The source's database.
    pub source_database: DatabaseAccess,
    /// The destination's database.
    pub destination_database: DatabaseAccess,
    /// The source's document root.
    pub source_root: String,
    /// The destination's document root.
    pub destination_root: String,
    /// The source's tables' prefix.
    pub source_prefix: String,
    /// The destination's tables' prefix.
    pub destination_prefix: String,
    /// URLs that become others.
    pub urls: Vec<Pair>,
    /// Server paths that become others.
    pub paths: Vec<Pair>,
    /// Files and folders, relative to the root, that are not compared; `*` stands for anything but a slash.
    pub exclude_paths: Vec<String>,
    /// Tables, without prefix, that are not compared; `*` stands for anything. A name that starts with `=` is
    /// the whole name.
    pub exclude_tables: Vec<String>,
    /// Options that are not compared; `*` stands for anything.
    pub exclude_options: Vec<String>,
    /// Whether permission bits are compared.
    pub modes: bool,
    /// Whether the destination's tables of the same prefix must be the source's and no others.
    pub no_extra_tables: bool,
}

/// What becomes what.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// As it is in the source.
    pub from: String,
    /// As it is to be at the destination.
    pub to: String,
}

impl Pair {
    /// `from` becomes `to`.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into() }
    }
}

/// What the checker found.
#[derive(Clone, Debug, Deserialize)]
pub struct Check {
    /// Whether nothing but expected differences was found.
    pub equal: bool,
    /// How many differences were found.
    pub difference_count: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// Tables compared.
    pub tables: u64,
    /// Rows compared.
    pub rows: u64,
    /// Values that differ exactly as the mapping says.
    pub mapped_values: u64,
    /// Serialized values at the destination, each of which unserializes.
    pub serialized_values: u64,
    /// Files compared.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// What was not compared, by rule.
    pub left_out: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// One difference.
#[derive(Clone, Debug, Deserialize)]
pub struct Difference {
    /// `rows`, `value`, `file`, `schema`, …
    pub kind: String,
    /// The table and row, or the path.
    pub at: String,
    /// What was expected and what was found, cut to a readable length.
    pub what: String,
}

impl CheckJob {
    /// The job for a migration of `source` to where `destination` was, with what the design expects to differ.
    pub fn between(source: &WordPressSite, destination: &WordPressSite) -> Self {
        let strings = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
        Self {
            source_database: source.database.clone(),
            destination_database: destination.database.clone(),
            source_root: source.docroot.display().to_string(),
            destination_root: destination.docroot.display().to_string(),
            source_prefix: source.prefix.clone(),
            destination_prefix: destination.prefix.clone(),
            urls: vec![Pair::new(source.base_url(), destination.base_url())],
            paths: vec![Pair::new(
                source.docroot.display().to_string(),
                destination.docroot.display().to_string(),
            )],
            exclude_paths: strings(&[
                "wp-config.php",
                ".maintenance",
                ".lf-*",
                ".landfall*",
                "wp-content/cache",
                "wp-content/debug.log",
                "wp-content/upgrade",
                "wp-content/plugins/landfall-migrate",
            ]),
            exclude_tables: strings(&["=lf_*"]),
            exclude_options: strings(&[
                "active_plugins",
                "cron",
                "landfall_*",
                "recently_activated",
                "rewrite_rules",
                "_transient_*",
                "_site_transient_*",
            ]),
            modes: true,
            no_extra_tables: true,
        }
    }
}

/// Compares two sites. An unequal pair is an answer, not an error.
pub async fn check(lab: &Lab, job: &CheckJob) -> Result<Check> {
    let file = lab.folder().join(format!("check-{}.json", random_word(8)));
    fs::write(&file, serde_json::to_vec_pretty(job)?)?;
    let script = workspace().join("tests/checker/check.php");
    // The exit code says whether they are equal; here the JSON does.
    let mut php = Tool::new("php");
    php.args(["-d", "memory_limit=4G", "-d", "display_errors=stderr"])
        .arg(script)
        .arg(&file)
        .arg("--exit-zero");
    let output = run(&mut php).await?;
    serde_json::from_str(&output).with_context(|| format!("the checker printed {output:?}"))
}
