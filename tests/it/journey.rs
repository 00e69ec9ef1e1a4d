//! A real WordPress site over real RabbitMQ and Redis: it arrives equal to its source, through kills, in the sight of
//! visitors; what fails goes to support and comes back; what arrived can be rolled back.

use std::time::Duration;

use anyhow::{Result, ensure};
use landfall_tests::api::messages;
use landfall_tests::faults::writes::moved_tables;
use landfall_tests::installation::Backends;
use landfall_tests::journey::{Reach, credentials, prepare};
use landfall_tests::stage::Stage;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(420);

/// One point in each phase, and the worst of all: after the RENAME, before its commit.
const KILLS: &[&str] =
    &["snapshot.before_checkpoint", "transfer.pack_placed", "import.part_loaded", "import.after_rename"];

#[tokio::test(flavor = "multi_thread")]
async fn a_site_arrives_equal_through_kills_while_visitors_watch() -> Result<()> {
    let mut stage = Stage::set(Backends::Servers, 0).await?;
    let watcher = stage.watch()?;
    let journey = stage.begin(Reach::Sftp).await?;
    stage.kill_in_turn(KILLS).await?;
    journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
    let seen = watcher.finish().await?;
    ensure!(seen.mixtures.is_empty(), "visitors saw {:#?}", seen.mixtures);
    ensure!(seen.old > 0 && seen.new > 0, "{seen:?}");
    stage.ensure_equal().await?;
    stage.ensure_new_site().await?;
    let report =
        journey.owner.get(&format!("/v1/migrations/{}/report", journey.migration)).await?.success()?;
    let moved = moved_tables(&report)?;
    ensure!(moved.is_empty(), "nobody wrote to the source, but the report names {moved:?}");

    let events = journey.owner.events(&journey.migration).await?;
    let lost = events.iter().filter(|event| event["kind"] == "lease_expired").count();
    ensure!(lost == KILLS.len(), "{lost} leases ran out\n{:#?}", messages(&events));
    let letter = stage
        .landfall
        .mail
        .wait_for(Duration::from_secs(30), |mail| mail.to.iter().any(|to| to.contains("owner@example.org")))
        .await?;
    ensure!(letter.text().contains("has arrived") || letter.text().contains("complete"), "{}", letter.text());

    let path = format!("/v1/migrations/{}/rollback", journey.migration);
    journey.owner.post(&path, &json!({})).await?.success()?;
    journey.owner.wait_for(&journey.migration, &["rolled_back"], LIMIT).await?;
    stage.ensure_old_site().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_destination_leads_to_support_and_a_replay_does_not_read_the_source_again() -> Result<()> {
    let stage = Stage::set(Backends::Embedded, 0).await?;
    let database = &stage.destination.site.database;
    let admin = &stage.destination.mariadb;
    let (name, user) = (&database.database, &database.user);
    // The account may read and write rows, but make no table.
    admin.sql(&format!("REVOKE CREATE ON `{name}`.* FROM `{user}`@`127.0.0.1`")).await?;
    let journey = stage.begin(Reach::Local).await?;
    journey.owner.wait_for(&journey.migration, &["needs_support", "paused"], LIMIT).await?;
    stage.ensure_old_site().await?;

    admin.sql(&format!("GRANT CREATE ON `{name}`.* TO `{user}`@`127.0.0.1`")).await?;
    let read_before = std::fs::metadata(stage.source.web.access_log())?.len();
    let operator = stage.landfall.api();
    let cases = operator.get("/v1/support/cases").await?.success()?;
    match cases["items"][0]["id"].as_str() {
        Some(case) => {
            let body = json!({ "from": "checkpoint", "reason": "the account may create tables now" });
            operator.post(&format!("/v1/support/cases/{case}/replay"), &body).await?.success()?;
        }
        None => {
            let path = format!("/v1/sites/{}/credentials", journey.site);
            journey.owner.put(&path, &credentials(&stage.destination)).await?.success()?;
        }
    }
    journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
    let read_after = std::fs::metadata(stage.source.web.access_log())?.len();
    ensure!(
        read_before == read_after,
        "the source was read again: {} bytes of access log",
        read_after - read_before
    );
    stage.ensure_equal().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_gets_wrong_changes_nothing() -> Result<()> {
    let stage = Stage::set(Backends::Embedded, 0).await?;
    let (journey, token) =
        prepare(stage.landfall.api(), &stage.source, &stage.destination, Reach::Local).await?;
    let enrol = async |token: &str, site: &str, url: &str| {
        let body = json!({
            "token": token, "site": site, "url": url, "admin_url": format!("{url}/wp-admin/"),
            "wordpress": { "version": "6.1.9", "multisite": false }, "php": { "version": "8.2.0" },
            "plugin_version": "1.0.0", "nonce": "0123456789abcdef0123456789abcdef",
        });
        stage.landfall.api().post("/v1/enrolments", &body).await
    };
    let url = stage.source.site.base_url();
    let stranger = json!({ "name": "a stranger's", "owner_email": "stranger@example.org", "role": "owner" });
    let stranger = stage.landfall.api().post("/v1/machine-tokens", &stranger).await?.success()?;
    let stranger = stage.landfall.api().with_token(stranger["token"].as_str().unwrap_or_default());
    stranger.noop_site("their-shop").await?;
    let wrong = format!("{}x", &token[..token.len() - 1]);
    for (answer, status, code) in [
        (enrol(&wrong, "new-shop", url).await?, 401, "enrolment.token_refused"),
        (enrol(&token, "new-shop", "http://elsewhere.example").await?, 409, "enrolment.url_mismatch"),
        (enrol(&token, "no-such-site", url).await?, 404, "enrolment.nothing_waiting"),
        (enrol(&token, "their-shop", url).await?, 403, "enrolment.foreign_site"),
    ] {
        ensure!(answer.status == status && answer.code() == code, "wanted {status} {code}: {answer:?}");
    }
    ensure!(journey.owner.state(&journey.migration).await? == "awaiting_source");
    stage.ensure_old_site().await
}
