//! Arguments of `landfall rewrite`.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct RewriteArgs {
    /// An address and what it becomes: `--map https://old.example https://new.example`. May be repeated; the other scheme
    /// and `www.` are pairs of their own.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub(crate) map: Vec<String>,
    /// A server path and what it becomes. May be repeated.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub(crate) path_map: Vec<String>,
    /// What comes in.
    #[arg(long, default_value = "sql")]
    pub(crate) format: Format,
    /// Columns that are left as they are: `column` or `table.column`, with commas between them.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) skip_columns: Vec<String>,
    /// Columns that are rewritten although they are identifiers: `guid`, `wp_posts.guid`.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) include_columns: Vec<String>,
    /// The column that the value is of, as `table.column`; with `--format value`.
    #[arg(long, value_name = "TABLE.COLUMN")]
    pub(crate) column: Option<String>,
    /// Rewrite binary columns and hex literals too; with `--format value`: the value is a binary one.
    #[arg(long)]
    pub(crate) binary: bool,
    /// Decode base64 that holds an address, rewrite it, and encode it again.
    #[arg(long)]
    pub(crate) base64: bool,
    /// Threads that rewrite rows of a dump side by side; the cores of this machine, four at most, unless said.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// How the report on standard error looks.
    #[arg(long, default_value = "text")]
    pub(crate) report: ReportForm,
    /// Only report; write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A dump of mysqldump, mariadb-dump or mydumper.
    Sql,
    /// The raw bytes of one value of a column.
    Value,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportForm {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}
