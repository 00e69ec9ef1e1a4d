//! `kill -9` at every other named point of the cut-over, two for each migration.

use std::time::Instant;

use anyhow::Result;

use super::scene::{Scene, ensure_lost};
use super::table::Table;

/// Two of one step are as many as a migration survives without a new checkpoint.
const PAIRS: &[[&str; 2]] = &[
    ["import.door_closed", "import.before_file_swap"],
    ["import.before_objects", "import.before_door_opens"],
    ["import.before_door_closes", "import.after_door_opened"],
];

pub(super) async fn run(scene: &mut Scene, table: &mut Table) -> Result<()> {
    for pair in PAIRS {
        let began = Instant::now();
        let show = scene.begin().await?;
        scene.stage.kill_in_turn(pair).await?;
        let (journey, seen) = scene.arrive(show).await?;
        ensure_lost(&journey, pair.len()).await?;
        let outcome = format!("equal; visitors saw 503 for {:.1} s", seen.window.as_secs_f64());
        table.row(&format!("kill -9 at {}", pair[0]), "went on", began.elapsed());
        table.row(&format!("kill -9 at {}", pair[1]), &outcome, began.elapsed());
        scene.undo(&journey).await?;
    }
    Ok(())
}
