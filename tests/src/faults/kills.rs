//! `kill -9` of the worker at named points of every phase, one after the other in one migration, and what each of
//! them costs: the bytes sent again, beside those of an undisturbed run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::meter::Bytes;
use super::scene::{LIMIT, Scene, count, ensure_lost};
use super::table::{Table, mib};
use crate::api::until;
use crate::journey::Journey;

/// The mark: a kill costs at most so many bytes …
const AGAIN_MAX: i64 = 32 << 20;
/// … or so much work. A row of 20 MB, which the demo's site has, is read as a whole.
const WORK_MAX: Duration = Duration::from_secs(10);

/// The failpoints, in the order in which they are armed; `@n`: at the hit of that number in the worker's life. Each
/// lies behind a checkpoint that the one before it does not reach, and at most two lie in one step of the import: after
/// three deaths in a row without a new checkpoint a migration goes to support, as it should.
const KILLS: &[&str] = &[
    "snapshot.rows_part@2",
    "snapshot.pack@6",
    "snapshot.before_checkpoint@3",
    "snapshot.chunk@3",
    "snapshot.after_seal",
    "transfer.file_sent@700",
    "transfer.before_checkpoint@3",
    "transfer.pack_placed@4",
    "transfer.chunk_sent@3",
    "import.before_plan",
    "import.table_created@5",
    "import.before_part_committed@3",
    "import.part_loaded@4",
    "import.table_verified@4",
    "import.before_rename",
    "import.after_rename",
    "import.before_report",
];

pub(super) async fn run(scene: &mut Scene, table: &mut Table) -> Result<()> {
    table.note(&format!("{:<54} {:>8} {:>8} {:>8}", "bytes sent by", "source", "to SFTP", "to db"));
    let undisturbed = arrive_through(scene, table, &[]).await?;
    table.say("the old site is back; the same again, with kills");
    let began = Instant::now();
    let disturbed = arrive_through(scene, table, KILLS).await?;
    table.note(&format!("{} kills, equal to the source in the end", KILLS.len()));
    let again = disturbed.since(undisturbed);
    table.bytes("sent again, in all", again, None, began.elapsed());
    let kills = Bytes {
        source: kills_in(&["snapshot."]),
        files: kills_in(&["transfer."]),
        rows: kills_in(&["import.before_part_committed", "import.part_loaded"]),
    };
    let each = again.over(kills);
    table.note(&format!(
        "each kill that had to do with it, on average: {:.1} of the source, {:.1} to SFTP, {:.1} to db MiB",
        mib(each.source),
        mib(each.files),
        mib(each.rows)
    ));
    for (way, bytes) in [("source", each.source), ("SFTP", each.files), ("database", each.rows)] {
        ensure!(bytes <= AGAIN_MAX, "{way}: each kill costs {bytes} bytes, more than {AGAIN_MAX}");
    }
    Ok(())
}

fn kills_in(points: &[&str]) -> i64 {
    let is_there = |kill: &&&str| points.iter().any(|point| kill.starts_with(point));
    KILLS.iter().filter(is_there).count() as i64
}

/// One migration through these kills, to the end and back again; the bytes that it took.
async fn arrive_through(scene: &mut Scene, table: &mut Table, kills: &[&str]) -> Result<Bytes> {
    let first = scene.meters.read()?;
    let show = scene.begin().await?;
    let (mut before, mut began, mut copied) = (first, Instant::now(), 0);
    for kill in kills {
        let worked = live_until(scene, &show.journey, kill).await?;
        let now = scene.meters.read()?;
        let life = now.since(before);
        let mut lost = None;
        if kill.starts_with("snapshot.") {
            let checkpointed = checkpointed(scene, &show.journey.migration).await?;
            lost = Some((life.source - (checkpointed - copied)).max(0));
            copied = checkpointed;
        }
        table.bytes(&format!("until kill -9 at {kill}"), life, lost, began.elapsed());
        let lost = lost.unwrap_or_default();
        ensure!(
            lost <= AGAIN_MAX || worked <= WORK_MAX,
            "the kill at {kill} costs {lost} bytes, more than {AGAIN_MAX}, of {worked:?} of work"
        );
        (before, began) = (now, Instant::now());
    }
    scene.stage.start_worker("worker-1", "")?;
    let (journey, seen) = scene.arrive(show).await?;
    let now = scene.meters.read()?;
    let name = if kills.is_empty() { "an undisturbed run" } else { "until its end" };
    table.bytes(name, now.since(before), None, began.elapsed());
    table.note(&format!(
        "visitors: {} old, {} 503 ({:.1} s), {} new, none else",
        seen.old,
        seen.closed,
        seen.window.as_secs_f64(),
        seen.new
    ));
    ensure_lost(&journey, kills.len()).await?;
    scene.undo(&journey).await?;
    Ok(now.since(first))
}

/// Starts a worker that kills itself; the time from its first claim to its death, which is more than the work that was
/// lost.
async fn live_until(scene: &mut Scene, journey: &Journey, kill: &str) -> Result<Duration> {
    let claims = count(journey, "slice_claimed").await?;
    let claimed = async {
        until("a slice is claimed", LIMIT, || async {
            count(journey, "slice_claimed").await.is_ok_and(|now| now > claims)
        })
        .await?;
        anyhow::Ok(Instant::now())
    };
    let dead = async {
        scene.stage.kill_at(kill).await?;
        anyhow::Ok(Instant::now())
    };
    let (claimed, dead) = tokio::try_join!(claimed, dead)?;
    Ok(dead.saturating_duration_since(claimed))
}

/// Bytes of files and rows that the newest checkpoint of a snapshot stands behind. The plugin deflates for slow links only:
/// here the bytes on the wire are these and some overhead.
async fn checkpointed(scene: &Scene, migration: &str) -> Result<i64> {
    let redis = scene.stage.landfall.redis.as_ref().context("this installation has a Redis")?;
    let key = format!("{{landfall}}:document:checkpoint/{migration}");
    let cursor: Value = serde_json::from_str(&redis.cli(&["HGET", &key, "body"]).await?)
        .context("a snapshot's checkpoint")?;
    let totals = &cursor["totals"];
    let bytes = |name: &str| totals[name].as_i64().with_context(|| format!("the checkpoint has no {name}"));
    Ok(bytes("file_bytes")? + bytes("row_bytes")?)
}
