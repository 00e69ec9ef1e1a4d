//! `landfall`: the roles of an installation, and the commands of its clients, in one binary.
//!
//! This crate alone composes roles with backends. It holds no rules of its own: what a migration is, is in
//! `landfall-common`; what is done with it, in the crates of the roles.

mod args;
mod client;
mod commands;
mod config;
mod exit;
mod output;
mod plugin;
mod progress;
mod roles;

use std::process::ExitCode;

use clap::Parser as _;

/// Gives free memory back within moments, which the system's allocator does not (docs/adr/0005-memory.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    landfall_backends::install_tls_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("landfall: no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(commands::run(cli));
    // What still runs on threads of its own (a blocked look-up, say) holds nothing that has to be saved.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("landfall: {failure}");
            ExitCode::from(&failure)
        }
    }
}
