//! The sections, typed. Each has its reading beside it, in the order of the default file.

mod client;
mod edge;
mod mail;
mod places;
mod work;

use std::path::PathBuf;

use super::Role;
use super::reader::Reader;

pub(crate) use client::{ClientConfig, OPERATOR_TOKEN_FILE, local_url};
use edge::ApiConfig;
pub(crate) use edge::{LogFormat, TelemetryConfig};
pub(crate) use mail::{MailConfig, MailKind};
use places::{QueueConfig, StoreConfig};
pub(crate) use places::{QueueKind, SealingKeyConfig, StagingConfig, StagingPlace, StoreKind};
use work::{SchedulerConfig, WorkerConfig};

/// The whole configuration of a server process.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The system of record.
    pub(crate) store: StoreConfig,
    /// The queue.
    pub(crate) queue: QueueConfig,
    /// Where snapshots lie.
    pub(crate) staging: StagingConfig,
    /// The keys that seal, the sealing one first.
    pub(crate) sealing: Vec<SealingKeyConfig>,
    /// The HTTP API.
    pub(crate) api: ApiConfig,
    /// The worker.
    pub(crate) worker: WorkerConfig,
    /// The scheduler.
    pub(crate) scheduler: SchedulerConfig,
    /// Mail.
    pub(crate) mail: MailConfig,
    /// The platform's name.
    pub(crate) brand: String,
    /// Logs and traces.
    pub(crate) telemetry: TelemetryConfig,
    /// The folder of `landfall dev`.
    pub(crate) dev_data: PathBuf,
}

/// Reads every section; what the roles need has to be there.
pub(super) fn read(reader: &mut Reader, roles: &[Role]) -> Config {
    let is_any = |of: &[Role]| roles.iter().any(|role| of.contains(role));
    let is_server = is_any(&Role::SERVERS);
    let config = Config {
        store: places::store(reader, is_server),
        queue: places::queue(reader, is_server),
        staging: places::staging(reader, is_any(&[Role::Worker])),
        sealing: places::sealing(reader, is_any(&[Role::Api, Role::Worker])),
        api: edge::api(reader),
        worker: work::worker(reader),
        scheduler: work::scheduler(reader),
        mail: mail::mail(reader, is_any(&[Role::Scheduler, Role::Dev])),
        brand: reader.get("brand.name"),
        telemetry: edge::telemetry(reader),
        dev_data: reader.path("dev.data").unwrap_or_else(|| PathBuf::from("landfall-data")),
    };
    let _ = client::client(reader);
    config
}

/// Reads the section of the client commands.
pub(super) fn read_client(reader: &mut Reader) -> ClientConfig {
    client::client(reader)
}
