//! Arguments of the roles.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use landfall_common::Phase;

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Only these phases.
    #[arg(long, value_delimiter = ',', value_name = "PHASES")]
    pub(crate) phases: Vec<PhaseArg>,
    /// Slots of each phase; else `worker.slots` of the configuration.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) slots: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where everything lies; else `dev.data` of the configuration.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

/// A phase on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PhaseArg {
    /// Reads the source.
    Snapshot,
    /// Puts the files at the destination.
    Transfer,
    /// Loads the database and cuts over.
    Import,
}

impl From<PhaseArg> for Phase {
    fn from(phase: PhaseArg) -> Self {
        match phase {
            PhaseArg::Snapshot => Phase::Snapshot,
            PhaseArg::Transfer => Phase::Transfer,
            PhaseArg::Import => Phase::Import,
        }
    }
}
