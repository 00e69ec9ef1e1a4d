//! The scheduler: brings what is due to the queues (relay, with admission), what is stuck back to life
//! (reconciler), and what has failed to people (support desk, mail). Any number may run side by side: every write
//! is guarded by what was seen.

mod admission;
mod desk;
mod letters;
mod mail;
mod reconciler;
mod relay;
mod rules;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_common::Phase;
use landfall_common::ports::{Mailer, Queue};
use landfall_common::records::Records;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admission::Caps;
pub use letters::Letterhead;

/// What a scheduler is made of.
#[derive(Clone)]
pub struct SchedulerParts {
    /// The store.
    pub records: Records,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Sends mail.
    pub mailer: Arc<dyn Mailer>,
}

/// How a scheduler works.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// The most slots that the fleet may ever have, by phase: what the relay's window is measured by.
    pub slots_max: BTreeMap<Phase, usize>,
    /// Caps on slices published or running.
    pub caps: Caps,
    /// How often the reconciler sweeps.
    pub sweep: Duration,
    /// How long the relay rests when nothing is due.
    pub rest: Duration,
    /// What letters say about the platform.
    pub letterhead: Letterhead,
}

impl SchedulerOptions {
    /// The usual figures: a sweep every 5 s, a look for what is due every 50 ms.
    pub fn usual(slots_max: BTreeMap<Phase, usize>, letterhead: Letterhead) -> Self {
        Self {
            slots_max,
            caps: Caps::default(),
            sweep: Duration::from_secs(5),
            rest: Duration::from_millis(50),
            letterhead,
        }
    }
}

/// Runs until `shutdown`; what is under way is finished first.
pub async fn run(parts: SchedulerParts, options: SchedulerOptions, shutdown: CancellationToken) {
    let tracker = TaskTracker::new();
    let options = Arc::new(options);
    for phase in Phase::ALL {
        let relay = relay::SliceRelay::new(parts.clone(), options.clone(), phase);
        tracker.spawn(relay.run(shutdown.clone()));
    }
    tracker.spawn(relay::relay_cases(parts.clone(), options.clone(), shutdown.clone()));
    tracker.spawn(mail::deliver(parts.clone(), options.clone(), shutdown.clone()));
    tracker.spawn(desk::run(parts.clone(), options.clone(), shutdown.clone()));
    tracker.spawn(reconciler::run(parts.records.clone(), options.sweep, shutdown));
    tracing::info!("the scheduler is ready");
    tracker.close();
    tracker.wait().await;
    tracing::info!("the scheduler has stopped");
}
