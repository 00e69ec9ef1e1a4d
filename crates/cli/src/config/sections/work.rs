//! `worker` and `scheduler`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use landfall_common::Phase;
use landfall_scheduler::Caps;
use landfall_worker::phases::import::ImportOptions;
use landfall_worker::phases::snapshot::SnapshotLimits;
use landfall_worker::source::SourceLimits;
use serde::Deserialize;

use crate::config::reader::Reader;

/// The worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerConfig {
    /// Where health and metrics answer.
    pub(crate) health_listen: Option<SocketAddr>,
    /// Slots of each phase; phases without are left out.
    pub(crate) slots: BTreeMap<Phase, usize>,
    /// How long a slice may run.
    pub(crate) slice_budget: Duration,
    /// How often a lease is renewed.
    pub(crate) heartbeat: Duration,
    /// Without a renewed lease for so long, I/O stops.
    pub(crate) give_up: Duration,
    /// What slices hold of sites at the same time, in bytes.
    pub(crate) memory_bytes: u64,
    /// Names that are found without DNS.
    pub(crate) resolve: Vec<ResolveRule>,
    /// Networks that a source may be in, beside the public ones.
    pub(crate) allow_networks: Vec<IpNet>,
    /// Whether this machine may be a source.
    pub(crate) allow_loopback: bool,
    /// Whether a source may be read in clear.
    pub(crate) plain_ok: bool,
    /// How a source is asked.
    pub(crate) source: SourceLimits,
    /// How large a site may be.
    pub(crate) snapshot: SnapshotLimits,
    /// How a site is brought in; the plugins are beside it.
    pub(crate) import: ImportOptions,
    /// Armed failpoints; empty: none.
    pub(crate) failpoints: String,
    /// Plugins that every migrated site gets.
    pub(crate) platform_plugins: Vec<PlatformPluginConfig>,
}

/// A plugin of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformPluginConfig {
    /// Its main file, `folder/file.php`: what WordPress activates.
    pub(crate) file: String,
    /// Its zip.
    pub(crate) zip: PathBuf,
    /// The SHA-256 of the zip, in hex: another zip is refused.
    pub(crate) sha256: String,
}

/// `host=address`, or `host:port=address:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolveRule {
    /// The host's name.
    pub(crate) host: String,
    /// Where it is found.
    pub(crate) address: IpAddr,
}

/// The scheduler.
#[derive(Debug, Clone)]
pub(crate) struct SchedulerConfig {
    /// Where health and metrics answer.
    pub(crate) health_listen: Option<SocketAddr>,
    /// How often the reconciler sweeps.
    pub(crate) sweep: Duration,
    /// How long the relay rests.
    pub(crate) rest: Duration,
    /// The most slots that the fleet may have.
    pub(crate) slots_max: BTreeMap<Phase, usize>,
    /// Caps.
    pub(crate) caps: Caps,
}

impl PlatformPluginConfig {
    /// Its folder's name.
    pub(crate) fn folder(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }
}

impl FromStr for ResolveRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "is neither host=address nor host:port=address:port";
        let (name, found) = text.split_once('=').ok_or(FORM)?;
        let (host, address) = match found.parse::<IpAddr>() {
            Ok(address) => (name, address),
            Err(_) => {
                let found: SocketAddr = found.parse().map_err(|_| FORM)?;
                let (host, port) = name.rsplit_once(':').ok_or(FORM)?;
                if port.parse::<u16>().map_err(|_| FORM)? != found.port() {
                    return Err("names two ports: a URL's port is kept as it is");
                }
                (host, found.ip())
            }
        };
        if host.is_empty() || host.contains(':') {
            Err(FORM)
        } else {
            Ok(Self { host: host.to_owned(), address })
        }
    }
}

pub(super) fn worker(reader: &mut Reader) -> WorkerConfig {
    let slots =
        by_phase(reader, "worker.slots", 0..=256).into_iter().filter(|(_, slots)| *slots > 0).collect();
    let heartbeat = reader.seconds("worker.heartbeat_s", 1..=15);
    let give_up = reader.seconds("worker.give_up_s", 2..=29);
    if heartbeat >= give_up {
        reader.fault("worker.heartbeat_s", "is not below worker.give_up_s");
    }
    let failpoints: String = reader.get("worker.failpoints");
    if let Err(error) = landfall_worker::failpoint::Failpoints::parse(&failpoints) {
        reader.fault("worker.failpoints", error.to_string());
    }
    WorkerConfig {
        health_listen: reader.parsed("worker.health_listen"),
        slots,
        slice_budget: reader.seconds("worker.slice_budget_s", 1..=1200),
        heartbeat,
        give_up,
        memory_bytes: reader.number("worker.memory_mib", 8..=65_536) << 20,
        resolve: reader.list("worker.resolve"),
        allow_networks: reader.list("worker.source.allow_networks"),
        allow_loopback: reader.get("worker.source.allow_loopback"),
        plain_ok: reader.get("worker.source.plain_ok"),
        source: SourceLimits {
            stall: reader.seconds("worker.source.stall_s", 5..=600),
            parallel_max: reader.count("worker.source.parallel_max", 1..=16),
            row_bytes_max: reader.number("worker.source.row_mib_max", 1..=1024) << 20,
            ..SourceLimits::default()
        },
        snapshot: SnapshotLimits {
            entries_max: reader.number("worker.snapshot.entries_max", 1..=1_000_000_000),
            file_bytes_max: reader.number("worker.snapshot.files_gib_max", 1..=1_000_000) << 30,
            tables_max: reader.count("worker.snapshot.tables_max", 1..=1_000_000),
        },
        import: ImportOptions {
            connections: reader.bounded("worker.import.connections", 1..=8),
            closed_for: reader.millis("worker.import.closed_for_ms", 500..=60_000),
            closed_limit: reader.seconds("worker.import.closed_limit_s", 5..=600),
            alive_limit: reader.seconds("worker.import.alive_limit_s", 5..=600),
            platform_plugins: Vec::new(),
        },
        failpoints,
        platform_plugins: platform_plugins(reader),
    }
}

fn platform_plugins(reader: &mut Reader) -> Vec<PlatformPluginConfig> {
    const KEY: &str = "worker.platform_plugins";
    let plugins: Vec<PlatformPluginConfig> = reader.get(KEY);
    for plugin in &plugins {
        let name = &plugin.file;
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_plain(part)) || !name.ends_with(".php") {
            reader.fault(KEY, format!("the file {name:?} is not folder/file.php"));
        }
        if plugin.sha256.len() != 64 || !plugin.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            reader.fault(KEY, format!("the sha256 of {name:?} is not 64 hex digits"));
        }
        if !plugin.zip.is_file() {
            reader.fault(KEY, format!("the zip of {name:?}, {}, is not there", plugin.zip.display()));
        }
    }
    plugins
}

pub(super) fn scheduler(reader: &mut Reader) -> SchedulerConfig {
    SchedulerConfig {
        health_listen: reader.parsed("scheduler.health_listen"),
        sweep: reader.millis("scheduler.sweep_ms", 50..=60_000),
        rest: reader.millis("scheduler.rest_ms", 1..=5_000),
        slots_max: by_phase(reader, "scheduler.slots_max", 0..=10_000),
        caps: Caps {
            organization: reader.number("scheduler.caps.organization", 1..=100_000),
            source_host: reader.number("scheduler.caps.source_host", 1..=100_000),
            destination_host: reader.number("scheduler.caps.destination_host", 1..=100_000),
        },
    }
}

fn by_phase(
    reader: &mut Reader,
    section: &str,
    bounds: std::ops::RangeInclusive<u64>,
) -> BTreeMap<Phase, usize> {
    Phase::ALL
        .into_iter()
        .map(|phase| (phase, reader.count(&format!("{section}.{phase}"), bounds.clone())))
        .collect()
}
