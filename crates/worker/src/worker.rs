//! The worker's loop: slots that claim slices from their phase's queue, run them under a lease, and end them.
//!
//! A slot holds one message at a time and acks it late, after the slice's end is committed. What it holds
//! in memory is worth nothing: any worker may go on from the checkpoint.

mod lease;
mod slot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_common::ports::{Queue, QueueError, Sealer, Staging};
use landfall_common::records::Records;
use landfall_common::wire::QueueName;
use landfall_common::{Phase, WorkerId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::memory::MemoryBudget;
use crate::slice::PhaseRunner;

/// What a worker is made of.
#[derive(Clone)]
pub struct WorkerParts {
    /// The store.
    pub records: Records,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The staging storage.
    pub staging: Arc<dyn Staging>,
    /// Opens secrets.
    pub sealer: Arc<dyn Sealer>,
    /// The phases for real sources.
    pub phases: BTreeMap<Phase, Arc<dyn PhaseRunner>>,
    /// The phase runner for no-op sources.
    pub noop: Arc<dyn PhaseRunner>,
}

/// How a worker works. The defaults are the design's figures.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// This process.
    pub id: WorkerId,
    /// Slots of each phase; a phase that is missing is not worked on.
    pub slots: BTreeMap<Phase, usize>,
    /// How long a slice may run before it ends at the next boundary between units.
    pub slice_budget: Duration,
    /// How often the lease is renewed.
    pub heartbeat: Duration,
    /// Without a renewed lease for so long, by this process's monotonic clock, all I/O of the slice stops.
    pub give_up: Duration,
    /// What all slots together hold of sites.
    pub memory: MemoryBudget,
}

impl WorkerOptions {
    /// The usual figures: 2 min budget, heartbeat every 10 s, all I/O stopped after 20 s without one.
    pub fn usual(id: WorkerId, slots: BTreeMap<Phase, usize>) -> Self {
        Self {
            id,
            slots,
            slice_budget: Duration::from_secs(120),
            heartbeat: Duration::from_secs(10),
            give_up: Duration::from_secs(20),
            memory: MemoryBudget::default(),
        }
    }
}

/// Runs until `shutdown`, then drains: running slices end at their next boundary, and are committed and acked.
/// Fails at once where a consumer cannot be opened.
pub async fn run(
    parts: WorkerParts,
    options: WorkerOptions,
    shutdown: CancellationToken,
) -> Result<(), QueueError> {
    let tracker = TaskTracker::new();
    let (parts, options) = (Arc::new(parts), Arc::new(options));
    for (phase, slots) in &options.slots {
        for number in 0..*slots {
            let consumer = parts.queue.consume(QueueName::Phase(*phase)).await?;
            let slot = slot::Slot::new(*phase, number, parts.clone(), options.clone(), shutdown.clone());
            tracker.spawn(slot.run(consumer));
        }
    }
    tracing::info!(worker.id = %options.id, slots = ?options.slots, "the worker is ready");
    tracker.close();
    tracker.wait().await;
    tracing::info!(worker.id = %options.id, "the worker has drained");
    Ok(())
}
