//! `kill -9` of the worker at named points of every phase, one after the other in one migration, and what each of
//! them costs: the bytes sent again, beside those of an undisturbed run.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::meter::Bytes;
use super::scene::{Scene, ensure_lost};
use super::table::Table;

/// The mark: a kill costs at most so many bytes.
const AGAIN_MAX: i64 = 32 << 20;

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
    table.bytes("sent again, in all", again, began.elapsed());
    let kills = Bytes {
        source: kills_in(&["snapshot."]),
        files: kills_in(&["transfer."]),
        rows: kills_in(&["import.before_part_committed", "import.part_loaded"]),
    };
    let each = again.over(kills);
    table.bytes("sent again, by each kill of that way", each, began.elapsed() / KILLS.len() as u32);
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
    let (mut before, mut began) = (scene.meters.read()?, Instant::now());
    let first = before;
    let show = scene.begin().await?;
    let Scene { stage, meters, .. } = scene;
    let mut unread = Ok(());
    stage
        .kill_in_turn(kills, |passed| match meters.read() {
            Ok(now) => {
                table.bytes(
                    &format!("until kill -9 at {}", kills[passed - 1]),
                    now.since(before),
                    began.elapsed(),
                );
                (before, began) = (now, Instant::now());
            }
            Err(error) => unread = Err(error),
        })
        .await?;
    unread?;
    let (journey, seen) = scene.arrive(show).await?;
    let now = scene.meters.read()?;
    let name = if kills.is_empty() { "an undisturbed run" } else { "until its end" };
    table.bytes(name, now.since(before), began.elapsed());
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
