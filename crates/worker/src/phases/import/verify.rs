//! Reads the shadow tables back: what is there must be what was meant to be there, row for row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_common::progress::Count;
use serde::{Deserialize, Serialize};

use super::plan::{self, Plan};
use super::run::Run;
use super::{Step, StepEnd, create_tables};
use crate::destination::database::exchange::{foreign_keys, orphans};
use crate::destination::database::rows::{PartDone, read_back};
use crate::failpoint::failpoint;
use crate::model::Schema;
use crate::slice::SliceError;
use crate::snapshot_format::RowsHash;

/// The longest that one table may take to be read back.
const TABLE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// What a table was found to hold; in the journal as `verified/0001`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verified {
    /// Its rows.
    pub(super) rows: u64,
    /// Their hash.
    pub(super) hash: RowsHash,
}

/// Rows of a foreign key whose parent is missing; in the journal as `orphans`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Orphans {
    /// The key and the tables, for people.
    pub(super) key: String,
    /// How many.
    pub(super) rows: u64,
}

pub(super) fn key(number: u32) -> String {
    format!("verified/{number:04}")
}

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    let (plan, schema) = run.planned().await?;
    let loaded = loaded(run).await?;
    let verified: Vec<(String, Verified)> = run.journal().list(&mut run.conn, "verified/").await?;
    let mut done: BTreeSet<String> = verified.into_iter().map(|(key, _)| key).collect();
    for incoming in &plan.tables {
        if done.contains(&key(incoming.number)) {
            continue;
        }
        let expected = loaded.get(&incoming.number).cloned().unwrap_or_default();
        verify(run, &plan, &schema, incoming.number, &expected).await?;
        done.insert(key(incoming.number));
        let total = u64::try_from(plan.tables.len()).ok();
        run.progress(Step::Verify, Count { done: done.len() as u64, total }, Count::default());
        if run.slice.should_end() {
            return Ok(StepEnd::More);
        }
    }
    verify_keys(run, &plan).await?;
    Ok(StepEnd::Done)
}

/// What was loaded into each table, by its number.
pub(super) async fn loaded(run: &mut Run<'_>) -> Result<BTreeMap<u32, PartDone>, SliceError> {
    let parts: Vec<(String, PartDone)> = run.journal().list(&mut run.conn, "load/").await?;
    let mut tables: BTreeMap<u32, PartDone> = BTreeMap::new();
    for (key, part) in parts {
        if let Some(number) = key.split('/').nth(1).and_then(|number| number.parse().ok()) {
            tables.entry(number).or_default().add(&part);
        }
    }
    Ok(tables)
}

async fn verify(
    run: &mut Run<'_>,
    plan: &Plan,
    schema: &Schema,
    number: u32,
    expected: &PartDone,
) -> Result<(), SliceError> {
    let Some(incoming) = plan.tables.iter().find(|table| table.number == number) else { return Ok(()) };
    let table = run.load_table(plan, incoming, plan::definition(schema, incoming)?);
    run.slice.lease.long_unit(TABLE_LIMIT);
    let (rows, hash) = read_back(&mut run.conn, &table, expected).await?;
    let in_snapshot =
        run.reader.tables().iter().find(|table| table.name == incoming.source).map(|table| table.rows);
    let found = Verified { rows, hash };
    let meant = Verified { rows: expected.rows, hash: expected.hash };
    let travelled = expected.rows + expected.left_out;
    if found == meant && in_snapshot.unwrap_or(0) == travelled {
        failpoint("import.table_verified").await?;
        return Ok(run.journal().put(&mut run.conn, &key(number), &found).await?);
    }
    let why = if rows != expected.rows || in_snapshot.unwrap_or(0) != travelled {
        format!(
            "{rows} rows are there, {} were written, {} are in the snapshot",
            expected.rows,
            in_snapshot.unwrap_or(0)
        )
    } else {
        "as many rows are there as were written, but others".to_owned()
    };
    forget(run, number).await?;
    Err(SliceError::failed("import.verification_failed", format!("table {}: {why}", incoming.source)))
}

/// So that a replay loads this table again, and only this one.
async fn forget(run: &mut Run<'_>, number: u32) -> Result<(), SliceError> {
    let journal = run.journal();
    journal.remove(&mut run.conn, &create_tables::key(number)).await?;
    journal.remove(&mut run.conn, &format!("load/{number:04}/")).await?;
    run.cursor.step = Step::CreateTables;
    run.slice.save(&run.cursor).await
}

/// Orphans come from the source, where a key's checks were off at some time: they are told, not refused.
async fn verify_keys(run: &mut Run<'_>, plan: &Plan) -> Result<(), SliceError> {
    let token = run.claim.token();
    let live: BTreeMap<String, &str> = plan
        .tables
        .iter()
        .map(|table| (crate::destination::database::names::shadow(token, table.number), table.live.as_str()))
        .collect();
    let shown = |name: &str| live.get(name).map_or(name.to_owned(), |live| (*live).to_owned());
    let mut found = Vec::new();
    for foreign_key in foreign_keys(&mut run.conn, token).await? {
        let rows = orphans(&mut run.conn, &foreign_key).await?;
        if rows > 0 {
            let key = format!(
                "{} of {} to {}",
                foreign_key.name,
                shown(&foreign_key.table),
                shown(&foreign_key.parent)
            );
            found.push(Orphans { key, rows });
        }
    }
    Ok(run.journal().put(&mut run.conn, "orphans", &found).await?)
}
