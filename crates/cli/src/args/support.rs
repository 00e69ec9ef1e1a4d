//! Arguments of `landfall support`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ListArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum SupportCommand {
    /// List cases, newest first.
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// List cases by what stopped them, the most frequent first.
    Groups {
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Show a case with its evidence.
    Show {
        /// The case: case_….
        id: String,
    },
    /// Write a case's evidence to a file, without mailboxes and secrets.
    Bundle {
        /// The case.
        id: String,
        /// Where to; `CASE.json` here unless said.
        file: Option<PathBuf>,
    },
    /// Take a case: others see who works on it.
    Claim {
        /// The case.
        id: String,
        /// Take it from whoever has it.
        #[arg(long)]
        take_over: bool,
    },
    /// Give a case back.
    Release {
        /// The case.
        id: String,
    },
    /// Add a note to a case.
    Note {
        /// The case.
        id: String,
        /// What you found.
        text: String,
    },
    /// Send the migration round again.
    Replay {
        /// The case.
        id: String,
        #[command(flatten)]
        round: RoundArgs,
        /// What takes the place of the submitter's options: a file of JSON, `-` for standard input.
        #[arg(long, value_name = "FILE")]
        options: Option<PathBuf>,
        /// Follow the migration afterwards.
        #[arg(long)]
        watch: bool,
    },
    /// Send the migrations of many cases round again: those named, or those of a filter.
    ReplayMany {
        /// The cases.
        ids: Vec<String>,
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        round: RoundArgs,
        /// Only count them.
        #[arg(long)]
        dry_run: bool,
        /// How many start in a minute.
        #[arg(long, default_value_t = 30)]
        per_minute: u32,
    },
    /// Close a case.
    Resolve {
        /// The case.
        id: String,
        /// What was found and done.
        #[arg(long)]
        resolution: String,
        /// Cancel the migration with it, while it is stopped by the case.
        #[arg(long)]
        cancel: bool,
    },
}

/// How migrations go round.
#[derive(Debug, Args)]
pub(crate) struct RoundArgs {
    /// From where: `checkpoint`, `start`, or a phase (`snapshot`, `transfer`, `import`).
    #[arg(long, default_value = "checkpoint")]
    pub(crate) from: ReplayFrom,
    /// Why; kept for the audit.
    #[arg(long)]
    pub(crate) reason: String,
}

/// Which cases.
#[derive(Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only those in this state: `open`, or `all` for the replayed and resolved too.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only those with this error code.
    #[arg(long)]
    pub(crate) code: Option<String>,
    /// Only those that stopped in this phase.
    #[arg(long)]
    pub(crate) phase: Option<String>,
    /// Only those whose source is at this host.
    #[arg(long)]
    pub(crate) source_host: Option<String>,
    /// Only those of this group.
    #[arg(long)]
    pub(crate) fingerprint: Option<String>,
    /// Only those that this token works on; `nobody` for those that nobody does.
    #[arg(long)]
    pub(crate) claimed_by: Option<String>,
    /// Only those opened before this moment: RFC 3339.
    #[arg(long)]
    pub(crate) opened_before: Option<String>,
    /// Only those opened at this moment or later.
    #[arg(long)]
    pub(crate) opened_after: Option<String>,
    /// Only those outside of their organization's allowance.
    #[arg(long)]
    pub(crate) outside_allowance: bool,
    /// Only those in whose ids, site, source, code or detail this text stands.
    #[arg(long, short = 'q')]
    pub(crate) search: Option<String>,
}

/// From where a replay goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayFrom {
    /// From where it stopped.
    Checkpoint,
    /// From the beginning.
    Start,
    /// From the beginning of the snapshot.
    Snapshot,
    /// From the beginning of the transfer.
    Transfer,
    /// From the beginning of the import.
    Import,
}
