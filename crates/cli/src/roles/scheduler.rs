//! The scheduler.

use std::sync::Arc;

use landfall_common::ports::Mailer;
use landfall_scheduler::{Letterhead, SchedulerOptions, SchedulerParts};
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::config::Config;

/// Runs until `shutdown`.
pub(super) async fn run(
    config: &Config,
    parts: &Parts,
    mailer: Arc<dyn Mailer>,
    shutdown: CancellationToken,
) {
    let letterhead = Letterhead {
        brand: config.brand.clone(),
        support_address: config.mail.support_address.clone(),
        dashboard_url: config.mail.dashboard_url.clone(),
        platform_plugins: config
            .worker
            .platform_plugins
            .iter()
            .map(|plugin| plugin.folder().to_owned())
            .collect(),
    };
    let options = SchedulerOptions {
        caps: config.scheduler.caps.clone(),
        sweep: config.scheduler.sweep,
        rest: config.scheduler.rest,
        ..SchedulerOptions::usual(config.scheduler.slots_max.clone(), letterhead)
    };
    let parts = SchedulerParts { records: parts.records.clone(), queue: parts.queue.clone(), mailer };
    landfall_scheduler::run(parts, options, shutdown).await;
}
