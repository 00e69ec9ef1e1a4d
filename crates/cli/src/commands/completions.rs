//! `landfall completions`.

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::exit::Failure;

/// Prints the completions of a shell.
pub(super) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "landfall", &mut text);
    println!("{}", String::from_utf8_lossy(&text));
    Ok(())
}
