//! `landfall config`.

use crate::args::ConfigCommand;
use crate::config::{Config, DEFAULTS, Role, Sources};
use crate::exit::Failure;
use crate::output::say;

/// Looks at the configuration.
pub(super) fn run(sources: &Sources, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Default => say!("{}", DEFAULTS.trim_end()),
        ConfigCommand::Check { role, show } => {
            if *show {
                say!("{}", Config::effective(sources).trim_end());
            }
            let roles = if role.is_empty() { &Role::SERVERS } else { role.as_slice() };
            Config::load(sources, roles)?;
            if !show {
                say!("ok");
            }
        }
    }
    Ok(())
}
