//! Steps `check` and `seal`: names the tables that moved, then creates the manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copy::Copy;
use super::port::failed;
use super::{SnapshotOutput, step_event};
use crate::failpoint::failpoint;
use crate::slice::SliceError;
use crate::snapshot_format::{FORMAT, Manifest, TableSummary, read_json, tables_of};
use crate::source::TableMark;

const QUIET: &str = "No table moved while it was copied: the copy is of one state of the database, and of files read \
                     one by one.";
const MOVED: &str = "The site was written to during the copy. Each row and each file is whole, but the tables named \
                     here moved meanwhile, so their rows need not fit together.";

/// What the check found; an object of its own, because tables may be many.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    tables: Vec<TableSummary>,
    moved: Vec<String>,
}

/// Looks at the tables once more.
pub(super) async fn check(copy: &Copy) -> Result<(), SliceError> {
    let cursor = copy.cursor().await;
    if cursor.outcome.is_some() {
        return Ok(());
    }
    let ground = copy.ground().await?;
    let staging = copy.slice.staging.as_ref();
    let (tables, unsteady) = match &cursor.ledger {
        Some(head) => tables_of(staging, head).await?,
        None => (Vec::new(), Vec::new()),
    };
    let before: Vec<TableMark> = read_json(staging, &ground.marks).await?;
    let names: Vec<String> = before.iter().map(|mark| mark.name.clone()).collect();
    let after = copy.source.table_marks(&names).await.map_err(failed)?;
    let moved = moved(&before, &after, &tables, unsteady);
    let outcome = copy.writer.put_json("outcome.json.zst", &Outcome { tables, moved: moved.clone() }).await?;
    copy.commit(Vec::new(), Vec::new(), "check", |cursor| cursor.outcome = Some(outcome)).await?;
    copy.checkpoint().await?;
    let message = match moved.len() {
        0 => "No table moved while it was copied.".to_owned(),
        many => format!("{many} tables moved while they were copied."),
    };
    let named: Vec<&String> = moved.iter().take(50).collect();
    copy.slice.tell(step_event("check", message, serde_json::json!({ "moved_tables": named }))).await
}

/// A table moved when its marks differ, or when the rows that were copied are not as many as both marks say.
fn moved(
    before: &[TableMark],
    after: &[TableMark],
    tables: &[TableSummary],
    unsteady: Vec<String>,
) -> Vec<String> {
    let after: BTreeMap<&str, &TableMark> = after.iter().map(|mark| (mark.name.as_str(), mark)).collect();
    let copied: BTreeMap<&str, u64> = tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    let has_moved = |mark: &&TableMark| {
        let is_same = after.get(mark.name.as_str()).is_some_and(|after| *after == *mark);
        !is_same || mark.rows != copied.get(mark.name.as_str()).copied()
    };
    let moved: BTreeSet<String> =
        before.iter().filter(has_moved).map(|mark| mark.name.clone()).chain(unsteady).collect();
    moved.into_iter().collect()
}

/// Seals the snapshot. Everything in the manifest follows from the last checkpoint, so that sealing again, by whatever
/// worker, writes the same bytes.
pub(super) async fn seal(copy: &Copy) -> Result<SnapshotOutput, SliceError> {
    let cursor = copy.cursor().await;
    let ground = copy.ground().await?;
    let staging = copy.slice.staging.as_ref();
    let incomplete = || SliceError::failed("worker.internal", "the copy is sealed before it is whole");
    let outcome: Outcome = read_json(staging, &cursor.outcome.ok_or_else(incomplete)?).await?;
    let manifest = Manifest {
        format: FORMAT,
        migration: copy.slice.migration.id,
        generation: copy.slice.migration.generation,
        ledger: cursor.ledger.ok_or_else(incomplete)?,
        preflight: ground.preflight,
        schema: ground.schema,
        schema_sql: ground.schema_sql,
        source: ground.facts,
        totals: cursor.totals,
        tables: outcome.tables,
        consistency: if outcome.moved.is_empty() { QUIET } else { MOVED }.to_owned(),
        moved_tables: outcome.moved.clone(),
        left_out: cursor.inventory.left_out.into_values().collect(),
        left_out_objects: read_json(staging, &ground.left_out_objects).await?,
    };
    failpoint("snapshot.before_seal").await?;
    let key = copy.writer.seal(&manifest).await?;
    failpoint("snapshot.after_seal").await?;
    let message = format!(
        "The snapshot is sealed: {} files, {} rows, {} MB.",
        cursor.totals.files,
        cursor.totals.rows,
        cursor.totals.object_bytes / 1_000_000
    );
    copy.slice.tell(step_event("seal", message, serde_json::json!({ "manifest": key }))).await?;
    Ok(SnapshotOutput { manifest: key, totals: cursor.totals, moved_tables: outcome.moved })
}
