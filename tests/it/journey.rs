//! A real WordPress site over real RabbitMQ and Redis: it arrives equal to its source, through kills, in the sight of
//! visitors; what fails goes to support and comes back; what arrived can be rolled back.

use std::time::Duration;

use anyhow::{Result, ensure};
use landfall_testkit::lab::{CheckJob, Destination, DestinationOptions, Lab, Profile, Source, check};
use landfall_tests::api::messages;
use landfall_tests::installation::{Backends, Installation, InstallationOptions, Workers};
use landfall_tests::journey::{Journey, Reach, credentials, prepare, start_through_plugin};
use landfall_tests::watcher::Watcher;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(420);

struct Stage {
    lab: Lab,
    source: Source,
    destination: Destination,
    landfall: Installation,
}

impl Stage {
    async fn set(backends: Backends, workers: usize) -> Result<Self> {
        let lab = Lab::temporary()?;
        let (source, destination) =
            tokio::try_join!(lab.source(Profile::Small), lab.destination(DestinationOptions::default()))?;
        let options = InstallationOptions {
            workers: Workers::ForAllPhases(workers),
            ..InstallationOptions::between(&source, &destination, backends)
        };
        let landfall = Installation::start(&lab, options).await?;
        Ok(Self { lab, source, destination, landfall })
    }

    async fn begin(&self, reach: Reach) -> Result<Journey> {
        let (journey, token) = prepare(self.landfall.api(), &self.source, &self.destination, reach).await?;
        start_through_plugin(&self.lab, &self.source, &journey, &token).await?;
        Ok(journey)
    }

    /// The independent checker, which shares no code with the product.
    async fn ensure_equal(&self) -> Result<()> {
        let found = check(&self.lab, &CheckJob::between(&self.source.site, &self.destination.site)).await?;
        ensure!(found.equal, "{} differences: {:#?}", found.difference_count, found.differences);
        ensure!(
            found.rows > 100 && found.files > 1000,
            "the checker looked at {} rows, {} files",
            found.rows,
            found.files
        );
        Ok(())
    }

    fn watch(&self) -> Result<Watcher> {
        // The seeder's names for the two sites; neither holds the other.
        let (old, new) = ("<title>An Older Site", "<title>The Old Shop");
        Watcher::start(&self.destination.site.url, old.to_owned(), new.to_owned())
    }

    async fn home_title(&self) -> Result<String> {
        let page = self.destination.site.browser()?.get("").await?;
        let title = page.body.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
        Ok(title.unwrap_or_default().to_owned())
    }
}

/// One point in each phase, and the worst of all: after the RENAME, before its commit.
const KILLS: &[&str] = &[
    "snapshot.before_checkpoint=kill",
    "transfer.pack_placed=kill",
    "import.part_loaded=kill",
    "import.after_rename=kill",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_site_arrives_equal_through_kills_while_visitors_watch() -> Result<()> {
    let mut stage = Stage::set(Backends::Servers, 0).await?;
    let failpoints = |kill: &'static str| [("LANDFALL__WORKER__FAILPOINTS", kill)];
    stage.landfall.spawn("worker-1", &["worker"], &failpoints(KILLS[0]))?;
    let watcher = stage.watch()?;
    let journey = stage.begin(Reach::Sftp).await?;
    for next in KILLS[1..].iter().map(Some).chain([None]) {
        let worker = stage.landfall.process("worker-1")?;
        let status = worker.wait(LIMIT).await?;
        ensure!(!status.success(), "the worker killed itself: {status}");
        let environment = next.map(|kill| failpoints(kill));
        stage.landfall.spawn("worker-1", &["worker"], environment.as_ref().map_or(&[], |set| &set[..]))?;
    }
    journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
    let seen = watcher.finish().await?;
    ensure!(seen.mixtures.is_empty(), "visitors saw {:#?}", seen.mixtures);
    ensure!(seen.old > 0 && seen.new > 0, "{seen:?}");
    stage.ensure_equal().await?;
    ensure!(stage.home_title().await?.starts_with("The Old Shop"), "{}", stage.home_title().await?);

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
    ensure!(stage.home_title().await?.starts_with("An Older Site"), "{}", stage.home_title().await?);
    Ok(())
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
    ensure!(stage.home_title().await?.starts_with("An Older Site"), "the old site is untouched");

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
    ensure!(stage.home_title().await?.starts_with("An Older Site"));
    Ok(())
}
