//! All queues deleted, RabbitMQ and Redis killed and started again, each while a phase is at work.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::scene::{LIMIT, Scene, ensure_lost};
use super::table::Table;
use crate::api::{state_of, until};
use crate::journey::Journey;

const QUEUES: &[&str] = &["landfall.snapshot", "landfall.transfer", "landfall.import", "landfall.support"];
const API_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(scene: &mut Scene, table: &mut Table) -> Result<()> {
    let began = Instant::now();
    let show = scene.begin().await?;
    scene.stage.start_worker("worker-1", "")?;
    scene.stage.start_worker("worker-2", "")?;
    for phase in ["snapshot", "transfer", "import"] {
        until_busy(&show.journey, phase).await?;
        let redis = scene.stage.landfall.redis.as_mut().context("this installation has a Redis")?;
        redis.restart().await?;
        note(table, &show.journey, phase, "Redis killed and started again", began).await?;
        delete_queues(scene).await?;
        note(table, &show.journey, phase, "all queues deleted", began).await?;
        if phase == "transfer" {
            let broker = scene.stage.landfall.rabbitmq.as_mut().context("this installation has a broker")?;
            broker.restart().await?;
            note(table, &show.journey, phase, "RabbitMQ killed and started again", began).await?;
        }
    }
    let (journey, seen) = scene.arrive(show).await?;
    // An outage that is shorter than the lease costs no lease.
    ensure_lost(&journey, 0).await?;
    let outcome = format!("arrived, equal, no lease lost; 503 for {:.1} s", seen.window.as_secs_f64());
    table.row("all of them", &outcome, began.elapsed());
    scene.undo(&journey).await
}

async fn delete_queues(scene: &Scene) -> Result<()> {
    let broker = scene.stage.landfall.rabbitmq.as_ref().context("this installation has a broker")?;
    for queue in QUEUES {
        broker.ctl(&["delete_queue", queue]).await?;
    }
    Ok(())
}

/// Waits until a phase has counted bytes or rows.
async fn until_busy(journey: &Journey, phase: &str) -> Result<()> {
    until(&format!("{phase} is at work"), LIMIT, || async {
        let Ok(migration) = journey.owner.migration(&journey.migration).await else { return false };
        let progress = &migration["progress"];
        let has_begun = |what: &str| progress[what]["done"].as_u64().is_some_and(|done| done > 0);
        progress["phase"] == phase && (has_begun("bytes") || has_begun("rows"))
    })
    .await
}

/// A row that says in which phase the fault was over.
async fn note(table: &mut Table, journey: &Journey, phase: &str, fault: &str, began: Instant) -> Result<()> {
    // The API may be on its way back to Redis.
    until("the API answers", API_LIMIT, || async {
        journey.owner.migration(&journey.migration).await.is_ok()
    })
    .await?;
    let migration = journey.owner.migration(&journey.migration).await?;
    let state = state_of(&migration)?;
    ensure!(state == "running" || state == "queued", "{fault}: the migration is {state} already");
    let now = migration["progress"]["phase"].as_str().unwrap_or_default();
    table.row(fault, &format!("{phase} -> {now}, {state}"), began.elapsed());
    Ok(())
}
