//! `landfall completions`.

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::exit::Failure;
use crate::output::say;

/// Prints the completions of a shell.
pub(super) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "landfall", &mut text);
    say!("{}", String::from_utf8_lossy(&text));
    Ok(())
}
