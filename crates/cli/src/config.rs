//! The configuration: three layers into typed sections, every fault of them at once.
//!
//! Only this module reads the environment and the configuration file. Sections hold valid values: what the rest of the
//! binary takes from them needs no second look.

mod fault;
mod reader;
mod sections;
mod show;
mod sources;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, Faults};
pub(crate) use sections::{
    ClientConfig, Config, LogFormat, MailConfig, MailKind, OPERATOR_TOKEN_FILE, QueueKind, SealingKeyConfig,
    StagingConfig, StagingPlace, StoreKind, TelemetryConfig, local_url,
};
pub(crate) use sources::Sources;

/// What the process is to do: decides which settings have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// The HTTP API.
    Api,
    /// Relay, reconciler, desk, mail.
    Scheduler,
    /// Runs slices.
    Worker,
    /// All of them in one process on embedded backends.
    Dev,
}

impl Role {
    /// The roles that run as processes of their own.
    pub(crate) const SERVERS: [Role; 3] = [Role::Api, Role::Scheduler, Role::Worker];
}

/// The default layer, as it is compiled in and printed by `landfall config default`.
pub(crate) const DEFAULTS: &str = include_str!("../config.default.toml");

impl Config {
    /// Reads all layers for a process with these roles. Every fault is in the error, none is left for later.
    pub(crate) fn load(sources: &Sources, roles: &[Role]) -> Result<Config, Faults> {
        let mut reader = reader::Reader::open(sources);
        let config = sections::read(&mut reader, roles);
        reader.finish(config)
    }

    /// Reads the section `client` alone: a client command does not need the rest to be in order.
    pub(crate) fn load_client(sources: &Sources) -> Result<ClientConfig, Faults> {
        let mut reader = reader::Reader::open(sources);
        let client = sections::read_client(&mut reader);
        reader.finish_section("client", client)
    }

    /// What holds, as TOML, with every secret taken out.
    pub(crate) fn effective(sources: &Sources) -> String {
        let mut reader = reader::Reader::open(sources);
        let _ = sections::read(&mut reader, &[]);
        show::toml(&reader)
    }
}

/// The text of the sections' readers: a test looks for every key of the default file in it.
#[cfg(test)]
fn sections_source() -> String {
    [
        include_str!("config/sections.rs"),
        include_str!("config/sections/client.rs"),
        include_str!("config/sections/edge.rs"),
        include_str!("config/sections/mail.rs"),
        include_str!("config/sections/places.rs"),
        include_str!("config/sections/work.rs"),
    ]
    .concat()
}
