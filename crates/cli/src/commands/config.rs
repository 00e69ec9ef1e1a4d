//! `landfall config`.

use crate::args::ConfigCommand;
use crate::config::{Config, DEFAULTS, Role, Sources};
use crate::exit::Failure;

/// Looks at the configuration.
pub(super) fn run(sources: &Sources, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Default => println!("{}", DEFAULTS.trim_end()),
        ConfigCommand::Check { role, show } => {
            if *show {
                println!("{}", Config::effective(sources).trim_end());
            }
            let roles = if role.is_empty() { &Role::SERVERS } else { role.as_slice() };
            Config::load(sources, roles)?;
            if !show {
                println!("ok");
            }
        }
    }
    Ok(())
}
