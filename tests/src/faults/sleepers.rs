//! SIGSTOP of a worker past its lease, during the load of the rows and at the cut-over: another worker takes over, and
//! the sleeper changes nothing when it wakes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::scene::{LIMIT, Scene, count, ensure_lost};
use super::table::Table;
use crate::api::until;
use crate::journey::Journey;
use crate::stage::armed;

const TAKE_OVER_LIMIT: Duration = Duration::from_secs(90);
const FENCED_LIMIT: Duration = Duration::from_secs(60);
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// With rows sent and not committed; before the RENAME, with the door closed; after it, before the files.
const STOPS: &[&str] = &["import.before_part_committed@3", "import.before_rename", "import.before_file_swap"];

pub(super) async fn run(scene: &mut Scene, table: &mut Table) -> Result<()> {
    woken_after_the_end(scene, table).await?;
    woken_in_the_midst(scene, table).await
}

/// All sleep until another worker has brought the migration to its end.
async fn woken_after_the_end(scene: &mut Scene, table: &mut Table) -> Result<()> {
    let began = Instant::now();
    let show = scene.begin().await?;
    let names: Vec<String> = (1..=STOPS.len()).map(|number| format!("sleeper-{number}")).collect();
    for (name, point) in names.iter().zip(STOPS) {
        scene.stage.start_worker(name, &armed(point, "stop"))?;
        scene.stage.until_stopped(name, LIMIT).await?;
        table.say(&format!("{name} sleeps at {point}"));
    }
    scene.stage.start_worker("worker-1", "")?;
    let (journey, _) = scene.arrive(show).await?;
    ensure_lost(&journey, STOPS.len()).await?;
    let left = leftovers(scene).await?;
    for (number, (name, point)) in (1..).zip(names.iter().zip(STOPS)) {
        scene.stage.landfall.process(name)?.sigcont();
        until_fenced(&journey, number).await?;
        drain(scene, name).await?;
        table.row(&format!("SIGSTOP at {point}"), "woken after the end: fenced, exited 0", began.elapsed());
    }
    ensure!(leftovers(scene).await? == left, "a sleeper changed the destination's files or tables");
    scene.stage.ensure_equal().await?;
    scene.stage.ensure_new_site().await?;
    table.row("all three", "files, tables and rows as before, equal", began.elapsed());
    scene.undo(&journey).await
}

/// Two workers that sleep in turn: each is woken as soon as the other has taken over.
async fn woken_in_the_midst(scene: &mut Scene, table: &mut Table) -> Result<()> {
    let began = Instant::now();
    let show = scene.begin().await?;
    let id = show.journey.migration.clone();
    scene.stage.start_worker("sleeper-1", &armed(STOPS[0], "stop"))?;
    scene.stage.until_stopped("sleeper-1", LIMIT).await?;
    scene.stage.start_worker("sleeper-2", &armed(STOPS[1], "stop"))?;
    for (number, name) in [(1, "sleeper-1"), (2, "sleeper-2")] {
        scene.stage.until_stopped(name, LIMIT).await?;
        until_taken_over(&show.journey, number).await?;
        table.say(&format!("{name} is taken over from, and wakes"));
        scene.stage.landfall.process(name)?.sigcont();
        until_fenced(&show.journey, number).await?;
        let point = STOPS[number - 1];
        table.row(&format!("SIGSTOP at {point}"), "woken in the midst: fenced", began.elapsed());
    }
    let (journey, _) = scene.arrive(show).await?;
    ensure_lost(&journey, 2).await?;
    for name in ["sleeper-1", "sleeper-2"] {
        drain(scene, name).await?;
    }
    table.row("both", "worked on, exited 0; equal", began.elapsed());
    ensure!(journey.migration == id, "one migration");
    scene.undo(&journey).await
}

async fn until_fenced(journey: &Journey, times: usize) -> Result<()> {
    until("the sleeper is fenced", FENCED_LIMIT, || async {
        count(journey, "fenced").await.is_ok_and(|fenced| fenced >= times)
    })
    .await
}

/// Waits until a slice was claimed behind the expiry of that number.
async fn until_taken_over(journey: &Journey, expiry: usize) -> Result<()> {
    until("another worker takes over", TAKE_OVER_LIMIT, || async {
        let Ok(events) = journey.owner.events(&journey.migration).await else { return false };
        let mut expiries = (0..).zip(&events).filter(|(_, event)| event["kind"] == "lease_expired");
        let Some((at, _)) = expiries.nth(expiry - 1) else { return false };
        events[at..].iter().any(|event| event["kind"] == "slice_claimed")
    })
    .await
}

/// SIGTERM: a woken worker is as sound as any other.
async fn drain(scene: &mut Scene, name: &str) -> Result<()> {
    let status = scene.stage.landfall.process(name)?.stop(DRAIN_LIMIT).await?;
    ensure!(status.success(), "{name} exits 0 on SIGTERM, not {status}");
    Ok(())
}

/// The names of all files and tables at the destination, ours and the old site's included, with sizes and times.
async fn leftovers(scene: &Scene) -> Result<(String, String)> {
    let destination = &scene.stage.destination;
    let home = destination.site.docroot.parent().context("the document root has a parent")?;
    let listed = Command::new("find").arg(home).args(["-printf", "%P %y %s %T@\\n"]).output().await?;
    ensure!(listed.status.success(), "find: {}", String::from_utf8_lossy(&listed.stderr));
    // The seeder's names are not all UTF-8.
    let listed = String::from_utf8_lossy(&listed.stdout);
    let mut files: Vec<&str> = listed.lines().collect();
    files.sort_unstable();
    let database = &destination.site.database.database;
    let tables = destination.mariadb.sql(&format!("SHOW FULL TABLES FROM `{database}`")).await?;
    Ok((files.join("\n"), tables))
}
