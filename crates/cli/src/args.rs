//! The command line. What a command does is in [`crate::commands`]; this is only its form.

mod migrate;
mod operation;
mod rewrite;
mod server;
mod site;
mod support;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::config::Role;
use crate::exit::CODES;

pub(crate) use migrate::MigrateArgs;
pub(crate) use operation::{HoldCommand, OrganizationCommand};
pub(crate) use rewrite::{Format, ReportForm, RewriteArgs};
pub(crate) use server::{DevArgs, WorkerArgs};
pub(crate) use site::{CreateSiteArgs, CredentialsArgs, SiteCommand};
pub(crate) use support::{FilterArgs, ReplayFrom, SupportCommand};

/// Moves WordPress sites onto a hosting platform.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, after_help = CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The configuration file [default: /etc/landfall/landfall.toml where it exists].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The API's URL; else `client.server` of the configuration.
    #[arg(long, global = true, env = "LANDFALL_SERVER", value_name = "URL")]
    pub(crate) server: Option<Url>,
    /// A file with the machine token to present; else the variable LANDFALL_TOKEN, else `client.token_file`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// What is printed.
    #[arg(short, long, global = true, default_value = "text", value_name = "FORM")]
    pub(crate) output: Output,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs: the API's JSON, one value; `watch` prints one value a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the HTTP API.
    Api,
    /// Run the scheduler: relay, reconciler, support desk, mail.
    Scheduler,
    /// Run a worker.
    Worker(WorkerArgs),
    /// Run everything in one process on embedded backends.
    Dev(DevArgs),
    /// Create a migration.
    Migrate(Box<MigrateArgs>),
    /// Show a migration, or list them.
    Status(StatusArgs),
    /// Follow a migration to its end, live.
    Watch(MigrationArg),
    /// Cancel a migration; what was begun at the destination is cleaned up.
    Cancel(MigrationArg),
    /// Pause a migration.
    Pause(MigrationArg),
    /// Let a paused migration go on.
    Resume(MigrationArg),
    /// Bring the old site back after a migration.
    Rollback(MigrationArg),
    /// Print the report of a finished migration.
    Report(ReportArgs),
    /// Work on support cases.
    #[command(subcommand)]
    Support(Box<SupportCommand>),
    /// Hold back what is due, and let it go again.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Show and set what organizations get.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Make, list and revoke machine tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Create and show sites, and give them credentials.
    #[command(subcommand)]
    Site(Box<SiteCommand>),
    /// Rewrite addresses and paths in a dump or in one value: standard input to standard output, without a server.
    Rewrite(RewriteArgs),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check configuration, store, queue, staging, keys, clocks and the API, one line each.
    Doctor(DoctorArgs),
    /// Write the WordPress plugin that the API hands out to a file.
    Plugin {
        /// Where to.
        #[arg(default_value = "landfall-migrate.zip")]
        file: PathBuf,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Names a migration.
#[derive(Debug, Args)]
pub(crate) struct MigrationArg {
    /// The migration: mig_….
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The migration; without it, all of them, newest first.
    pub(crate) id: Option<String>,
    /// Only those in this state: `running`, `needs_support`, ….
    #[arg(long, conflicts_with = "id")]
    pub(crate) state: Option<String>,
    /// Only those of this site, by id or name.
    #[arg(long, conflicts_with = "id")]
    pub(crate) site: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// How much of a list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this organization.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The migration.
    pub(crate) id: String,
    /// As JSON; the same as `-o json`.
    #[arg(long, conflicts_with = "text")]
    pub(crate) json: bool,
    /// As text, whatever `-o` says.
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token. Its text is shown this once.
    Create(CreateTokenArgs),
    /// List an organization's tokens.
    List(ListArgs),
    /// Revoke a token.
    Revoke {
        /// The token: tok_….
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateTokenArgs {
    /// What you call it.
    #[arg(long)]
    pub(crate) name: String,
    /// What it may do.
    #[arg(long, default_value = "owner")]
    pub(crate) role: TokenRole,
    /// Where mail about its migrations goes.
    #[arg(long)]
    pub(crate) owner_email: String,
    /// The organization that it acts for: org_…, or `new` to begin one. Operators have to say it for owners and submitters.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// How long it is good for.
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<u32>,
    /// Write the token's text to this new file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) to_file: Option<PathBuf>,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenRole {
    /// Everything of its organization.
    Owner,
    /// Submits migrations and reads them.
    Submitter,
    /// Works on support cases of every organization.
    Support,
    /// Everything.
    Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Name every fault of the configuration at once.
    Check {
        /// Check for these roles only [default: api, scheduler and worker].
        #[arg(long, value_delimiter = ',')]
        role: Vec<Role>,
        /// Print what holds, without secrets.
        #[arg(long)]
        show: bool,
    },
    /// Print the default file: every setting with its comment.
    Default,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Check for these roles only [default: api, scheduler and worker].
    #[arg(long, value_delimiter = ',')]
    pub(crate) role: Vec<Role>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
