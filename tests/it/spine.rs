//! The spine over real RabbitMQ and Redis with several processes: no-op migrations through three phases while
//! workers are killed, queues deleted, servers restarted. Everything must end right.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use landfall_testkit::lab::{Lab, RabbitMq, wait_until};
use landfall_tests::api::{Api, messages};
use landfall_tests::installation::{Backends, Installation, InstallationOptions};
use serde_json::{Value, json};

/// A killed worker's slice runs again within 45 s, and there are three phases.
const LIMIT: Duration = Duration::from_secs(240);

const QUEUES: [&str; 4] = ["landfall.snapshot", "landfall.transfer", "landfall.import", "landfall.support"];
/// For `rabbitmqctl eval`: what the node knows of its queues goes to disk, as by itself after some seconds, and all of
/// them are deleted within milliseconds.
const DELETE_ALL_QUEUES: &str = "dets:sync(ra_directory_reverse), \
    [rabbit_amqqueue:delete(Queue, false, false, <<\"test\">>) || Queue <- rabbit_amqqueue:list()].";

async fn installation() -> Result<(Lab, Installation)> {
    let lab = Lab::temporary()?;
    let installation = Installation::start(&lab, InstallationOptions::noop(Backends::Servers)).await?;
    Ok((lab, installation))
}

/// Sites and migrations to them.
async fn submit(api: &Api, prefix: &str, count: usize, units: u32, unit_ms: u32) -> Result<Vec<String>> {
    let mut migrations = Vec::new();
    for number in 0..count {
        let site = api.noop_site(&format!("{prefix}-{number}")).await?;
        migrations.push(api.noop_migration(&site, units, unit_ms, json!({})).await?);
    }
    Ok(migrations)
}

async fn all_succeed(api: &Api, migrations: &[String]) -> Result<()> {
    for id in migrations {
        api.wait_for(id, &["succeeded"], LIMIT).await?;
        let events = api.events(id).await?;
        ensure_once(id, &events)?;
    }
    Ok(())
}

/// Nothing is done twice: each phase ends once, and each slice is claimed once.
fn ensure_once(id: &str, events: &[Value]) -> Result<()> {
    let mut claims: HashMap<String, u32> = HashMap::new();
    let mut phases = 0;
    for event in events {
        match event["kind"].as_str() {
            Some("slice_claimed") => {
                *claims
                    .entry(format!("{}/{}", event["facts"]["phase"], event["facts"]["slice"]))
                    .or_default() += 1;
            }
            Some("phase_done") => phases += 1,
            _ => {}
        }
    }
    ensure!(phases == 3, "{id}: {phases} phases ended\n{:#?}", messages(events));
    ensure!(claims.values().all(|times| *times == 1), "{id}: a slice was claimed twice: {claims:?}");
    Ok(())
}

async fn one_is_running(api: &Api, migrations: &[String]) -> Result<()> {
    wait_until("a migration runs", Duration::from_secs(60), || async {
        for id in migrations {
            if api.state(id).await.is_ok_and(|state| state == "running") {
                return true;
            }
        }
        false
    })
    .await
}

async fn all_queues_are_there(rabbitmq: &RabbitMq) -> Result<()> {
    wait_until("all queues are there", Duration::from_secs(90), || async {
        let states = rabbitmq.ctl(&["list_queues", "name", "state"]).await.unwrap_or_default();
        QUEUES.iter().all(|queue| states.lines().any(|line| line == format!("{queue}\trunning")))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_right_through_kills_deleted_queues_and_restarts() -> Result<()> {
    let (_lab, mut landfall) = installation().await?;
    let api = landfall.api().clone();
    let migrations = submit(&api, "storm", 12, 8, 250).await?;

    one_is_running(&api, &migrations).await?;
    landfall.process("worker-1")?.kill9()?;
    landfall.spawn("worker-1", &["worker"], &[])?;

    // Killed within half a second of its queues' deletion, and so of their new declaration, a broker may come back with
    // nothing but their names.
    let rabbitmq = landfall.rabbitmq.as_mut().expect("this installation has a broker");
    rabbitmq.ctl(&["eval", DELETE_ALL_QUEUES]).await?;
    rabbitmq.restart().await?;
    all_queues_are_there(rabbitmq).await?;
    one_is_running(&api, &migrations).await?;
    for queue in QUEUES {
        rabbitmq.ctl(&["delete_queue", queue]).await?;
    }

    landfall.process("scheduler")?.kill9()?;
    landfall.spawn("scheduler", &["scheduler"], &[])?;

    landfall.redis.as_mut().expect("this installation has a Redis").restart().await?;
    landfall.process("api")?.kill9()?;
    landfall.spawn("api", &["api"], &[])?;
    landfall.wait_ready().await?;

    all_succeed(&api, &migrations).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_loses_its_lease_and_a_drained_one_hands_over_at_once() -> Result<()> {
    let (_lab, mut landfall) = installation().await?;
    let api = landfall.api().clone();
    landfall.process("worker-2")?.stop(Duration::from_secs(30)).await?;
    let migrations = submit(&api, "freeze", 1, 200, 250).await?;
    one_is_running(&api, &migrations).await?;

    // Asleep past its lease: another worker takes over, and the sleeper finds itself fenced.
    landfall.process("worker-1")?.sigstop();
    landfall.spawn("worker-2", &["worker"], &[])?;
    let id = &migrations[0];
    wait_until("the slice runs elsewhere", Duration::from_secs(60), || async {
        api.events(id).await.is_ok_and(|events| {
            let claims = events.iter().filter(|event| event["kind"] == "slice_claimed").count();
            claims > 1 && events.iter().any(|event| event["kind"] == "lease_expired")
        })
    })
    .await?;
    landfall.process("worker-1")?.sigcont();
    wait_until("the sleeper is fenced", Duration::from_secs(30), || async {
        api.events(id).await.is_ok_and(|events| events.iter().any(|event| event["kind"] == "fenced"))
    })
    .await?;

    // SIGTERM: the slice ends at its next boundary, and the other worker goes on from the checkpoint.
    let status = landfall.process("worker-2")?.stop(Duration::from_secs(20)).await?;
    ensure!(status.success(), "a drained worker exits 0, not {status}");
    let migration = api.wait_for(id, &["succeeded"], LIMIT).await?;
    ensure!(migration["generation"] == 1, "{migration}");
    ensure_once(id, &api.events(id).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_goes_to_support_and_comes_back_by_replay() -> Result<()> {
    let lab = Lab::temporary()?;
    let landfall = Installation::start(&lab, InstallationOptions::noop(Backends::Servers)).await?;
    let api = landfall.api();
    let site = api.noop_site("doomed").await?;
    let id = api.noop_migration(&site, 2, 1, json!({ "noop_fail": "destination.disk_full" })).await?;
    api.wait_for(&id, &["needs_support"], LIMIT).await?;

    let second = api
        .post(
            "/v1/migrations",
            &json!({ "site": site, "source": { "kind": "noop", "units": 1, "unit_ms": 1 } }),
        )
        .await?;
    ensure!(second.status == 409 && second.code() == "api.site_busy", "{second:?}");
    ensure!(second.body.to_string().contains(&id), "the answer names the first migration: {second:?}");

    let cases = api.get("/v1/support/cases").await?.success()?;
    let case = &cases["items"][0];
    ensure!(case["code"] == "destination.disk_full" && case["migration"] == id.as_str(), "{cases}");
    let mail = landfall
        .mail
        .wait_for(Duration::from_secs(30), |mail| mail.to.iter().any(|to| to.starts_with("migrations@")))
        .await?;
    ensure!(mail.text().contains("destination.disk_full"), "{}", mail.text());

    let replay = json!({ "from": "checkpoint", "reason": "made room" });
    let case_id = case["id"].as_str().expect("an id");
    api.post(&format!("/v1/support/cases/{case_id}/replay"), &replay).await?.success()?;
    let done = api.wait_for(&id, &["succeeded"], LIMIT).await?;
    ensure!(done["generation"] == 2, "{done}");
    Ok(())
}
