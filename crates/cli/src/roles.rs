//! The roles: each is built from the configuration, runs until it is told to stop, and drains.

mod api;
mod dev;
mod health;
mod mail;
mod parts;
mod scheduler;
mod shutdown;
mod telemetry;
mod worker;

use std::time::Duration;

use tokio::time::sleep;

use crate::args::{DevArgs, WorkerArgs};
use crate::config::{Config, Role, Sources};
use crate::exit::Failure;

pub(crate) use parts::Parts;

/// How long a role waits for its queue at its start before it tries again.
const QUEUE_REST: Duration = Duration::from_secs(1);

/// `landfall api`.
pub(crate) async fn run_api(sources: &Sources) -> Result<(), Failure> {
    let config = Config::load(sources, &[Role::Api])?;
    let telemetry = telemetry::start(&config.telemetry, "api").await?;
    let shutdown = shutdown::on_signals()?;
    let parts = Parts::open(&config, "api")?;
    let served = api::run(&config, &parts, &telemetry, shutdown).await;
    parts.end().await;
    telemetry.end().await;
    served
}

/// `landfall scheduler`.
pub(crate) async fn run_scheduler(sources: &Sources) -> Result<(), Failure> {
    let config = Config::load(sources, &[Role::Scheduler])?;
    let telemetry = telemetry::start(&config.telemetry, "scheduler").await?;
    let shutdown = shutdown::on_signals()?;
    let parts = Parts::open(&config, "scheduler")?;
    let health = health::start(config.scheduler.health_listen, &parts, &telemetry, &shutdown).await?;
    let mailer = mail::mailer(&config.mail)?;
    scheduler::run(&config, &parts, mailer, shutdown).await;
    health.end().await;
    parts.end().await;
    telemetry.end().await;
    Ok(())
}

/// `landfall worker`.
pub(crate) async fn run_worker(sources: &Sources, args: &WorkerArgs) -> Result<(), Failure> {
    let config = Config::load(sources, &[Role::Worker])?;
    let telemetry = telemetry::start(&config.telemetry, "worker").await?;
    let shutdown = shutdown::on_signals()?;
    let parts = Parts::open(&config, "worker")?;
    let health = health::start(config.worker.health_listen, &parts, &telemetry, &shutdown).await?;
    let slots = worker::slots(&config, args)?;
    let ran = worker::run(&config, &parts, slots, shutdown).await;
    health.end().await;
    parts.end().await;
    telemetry.end().await;
    ran
}

/// `landfall dev`.
pub(crate) async fn run_dev(sources: &Sources, args: &DevArgs) -> Result<(), Failure> {
    let config = Config::load(sources, &[Role::Dev])?;
    let data = args.data.clone().unwrap_or_else(|| config.dev_data.clone());
    let telemetry = telemetry::start(&config.telemetry, "dev").await?;
    let shutdown = shutdown::on_signals()?;
    let ran = dev::run(config, &data, &telemetry, shutdown).await;
    telemetry.end().await;
    ran
}

/// Rests before another try to reach the queue.
async fn rest() {
    sleep(QUEUE_REST).await;
}
