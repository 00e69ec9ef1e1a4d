//! The worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use landfall_common::{Phase, WorkerId};
use landfall_worker::failpoint;
use landfall_worker::memory::MemoryBudget;
use landfall_worker::net::AddressPolicy;
use landfall_worker::phases::import::{ImportOptions, ImportPhase, PlatformPlugin};
use landfall_worker::phases::noop::NoopPhase;
use landfall_worker::phases::snapshot::SnapshotPhase;
use landfall_worker::phases::transfer::TransferPhase;
use landfall_worker::slice::PhaseRunner;
use landfall_worker::worker::{WorkerOptions, WorkerParts};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Parts, rest};
use crate::args::WorkerArgs;
use crate::config::Config;
use crate::exit::Failure;

/// The slots of the configuration, as the command line narrows them.
pub(super) fn slots(config: &Config, args: &WorkerArgs) -> Result<BTreeMap<Phase, usize>, Failure> {
    let named: Vec<Phase> = args.phases.iter().copied().map(Phase::from).collect();
    let phases = Phase::ALL.into_iter().filter(|phase| named.is_empty() || named.contains(phase));
    let slots: BTreeMap<Phase, usize> = phases
        .filter_map(|phase| {
            let configured = config.worker.slots.get(&phase).copied();
            // A phase that is named on the command line is worked on, whatever the configuration leaves to others.
            let slots = args.slots.map(usize::from).or(configured).or(named.contains(&phase).then_some(1))?;
            Some((phase, slots))
        })
        .collect();
    if slots.is_empty() {
        return Err(Failure::Usage("the worker has no slots: see worker.slots".to_owned()));
    }
    Ok(slots)
}

/// Runs until `shutdown`, and drains. Waits for a broker that is away at the start.
pub(super) async fn run(
    config: &Config,
    parts: &Parts,
    slots: BTreeMap<Phase, usize>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    failpoint::configure(&config.worker.failpoints).context("worker.failpoints")?;
    let options = WorkerOptions {
        slice_budget: config.worker.slice_budget,
        heartbeat: config.worker.heartbeat,
        give_up: config.worker.give_up,
        memory: MemoryBudget::new(config.worker.memory_bytes),
        ..WorkerOptions::usual(WorkerId::from_uuid(Uuid::now_v7()), slots)
    };
    let parts = WorkerParts {
        records: parts.records.clone(),
        queue: parts.queue.clone(),
        staging: parts.staging()?,
        sealer: parts.sealer()?,
        phases: phases(config),
        noop: Arc::new(NoopPhase),
    };
    loop {
        match landfall_worker::worker::run(parts.clone(), options.clone(), shutdown.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, "the worker waits for the broker"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = rest() => {}
        }
    }
}

/// The phases for real sources.
fn phases(config: &Config) -> BTreeMap<Phase, Arc<dyn PhaseRunner>> {
    let worker = &config.worker;
    let names = worker.resolve.iter().map(|rule| (rule.host.clone(), rule.address));
    let public =
        AddressPolicy::public_only().with_networks(worker.allow_networks.iter().copied()).with_names(names);
    let policy = if worker.allow_loopback { public.with_loopback() } else { public };
    let plugins = worker.platform_plugins.iter().map(|plugin| PlatformPlugin {
        zip: plugin.zip.clone(),
        sha256: plugin.sha256.clone(),
        file: plugin.file.clone(),
    });
    let import = ImportOptions { platform_plugins: plugins.collect(), ..worker.import.clone() };
    let snapshot = SnapshotPhase::new(policy, worker.source.clone(), worker.snapshot.clone());
    let snapshot = if worker.plain_ok { snapshot.with_plain_ok() } else { snapshot };
    BTreeMap::from([
        (Phase::Snapshot, Arc::new(snapshot) as Arc<dyn PhaseRunner>),
        (Phase::Transfer, Arc::new(TransferPhase)),
        (Phase::Import, Arc::new(ImportPhase::new(import))),
    ])
}
