//! Loads the rows of the snapshot into the shadow tables, rewriting them on the way.
//!
//! The unit is one part of a table, some 4 MiB: its rows and the journal's word that it is done are one
//! transaction, so no part is loaded twice and none is missed, keyless tables included. Parts of all tables are
//! loaded side by side, the largest tables first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_common::progress::Count;
use landfall_rewrite::Rewriter;
use mysql_async::Conn;

use super::plan;
use super::rules::{SiteRules, TableRules};
use super::run::Run;
use super::{Step, StepEnd};
use crate::destination::database::fence::{CONNECTIONS_MAX, Claim};
use crate::destination::database::rows::{LoadTable, PartDone, PartEncoder, Statement, roll_back};
use crate::destination::database::{DatabaseError, execute};
use crate::failpoint::failpoint;
use crate::memory::LARGE_ROW_BYTES;
use crate::model::RowBlock;
use crate::slice::SliceError;
use crate::snapshot_format::RowsPart;

/// A part is in memory as it was stored, plain, and in statements on their way; this is how many times its plain bytes.
const TIMES_IN_MEMORY: u64 = 2;
/// How often a part is sent again while a lock is in its way.
const TRIES_MAX: u32 = 5;
/// The longest that one part may take: a single row can have hundreds of MiB.
const PART_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A table with what its rows need.
struct Loading {
    number: u32,
    table: LoadTable,
    rules: TableRules,
}

/// One part that is still to be loaded.
struct Item {
    table: Arc<Loading>,
    part: RowsPart,
}

/// What the lanes share.
struct Shared<'a> {
    run: &'a Run<'a>,
    rewriter: Option<Arc<Rewriter>>,
    items: Mutex<VecDeque<Item>>,
    rows: AtomicU64,
    bytes: AtomicU64,
    total: (u64, u64),
}

pub(super) fn key(number: u32, part: u32) -> String {
    format!("load/{number:04}/{part:06}")
}

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    let done: Vec<(String, PartDone)> = run.journal().list(&mut run.conn, "load/").await?;
    let rows_done = done.iter().map(|(_, part)| part.rows + part.left_out).sum();
    let done: BTreeSet<String> = done.into_iter().map(|(key, _)| key).collect();
    let (items, bytes_done) = items(run, &done).await?;
    if items.is_empty() {
        return Ok(StepEnd::Done);
    }
    let rewriter =
        run.addresses.rewriter().map_err(|error| SliceError::failed("worker.internal", error.to_string()))?;
    let totals = run.reader.manifest().totals;
    let shared = Shared {
        run,
        rewriter: rewriter.map(Arc::new),
        items: Mutex::new(items),
        rows: AtomicU64::new(rows_done),
        bytes: AtomicU64::new(bytes_done),
        total: (totals.rows, totals.row_bytes),
    };
    let lanes = run.options.connections.clamp(1, CONNECTIONS_MAX / 2);
    futures::future::try_join_all((1..=lanes).map(|number| Box::pin(lane(&shared, number)))).await?;
    let left = shared.items.lock().expect("no holder of this lock panics").len();
    Ok(if left == 0 { StepEnd::Done } else { StepEnd::More })
}

/// The parts that are still to be loaded, those of the largest tables first, and the bytes of those that are done.
async fn items(run: &mut Run<'_>, done: &BTreeSet<String>) -> Result<(VecDeque<Item>, u64), SliceError> {
    let (plan, schema) = run.planned().await?;
    let mut parts = run.reader.rows_parts().await?;
    let site = SiteRules {
        home: run.addresses.home.clone(),
        siteurl: run.addresses.siteurl.clone(),
        prefix_from: run.prefix_from().to_owned(),
        prefix_to: run.prefix_to().to_owned(),
    };
    let mut tables = Vec::new();
    let mut bytes_done = 0;
    for incoming in &plan.tables {
        let definition = plan::definition(&schema, incoming)?;
        let table = run.load_table(&plan, incoming, definition);
        let rules = TableRules::of(&incoming.source, &table, &site);
        let loading = Arc::new(Loading { number: incoming.number, table, rules });
        let parts = parts.remove(&incoming.source).unwrap_or_default();
        let (finished, open): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| done.contains(&key(incoming.number, part.part)));
        bytes_done += finished.iter().map(|part| part.row_bytes).sum::<u64>();
        tables.push((loading, open));
    }
    tables.sort_by_key(|(_, parts)| std::cmp::Reverse(parts.iter().map(|part| part.row_bytes).sum::<u64>()));
    let items = tables.into_iter().flat_map(|(table, parts)| {
        parts.into_iter().map(move |part| Item { table: Arc::clone(&table), part })
    });
    Ok((items.collect(), bytes_done))
}

/// Loads parts over one connection until there are no more, or until the slice should end.
async fn lane(shared: &Shared<'_>, number: u32) -> Result<(), SliceError> {
    let claim = &shared.run.claim;
    let mut conn = claim.connect(number).await?;
    while !shared.run.slice.should_end() {
        let item = shared.items.lock().expect("no holder of this lock panics").pop_front();
        let Some(item) = item else { break };
        let slice = shared.run.slice;
        let bytes = item.part.row_bytes.saturating_mul(TIMES_IN_MEMORY);
        let memory = if item.part.row_bytes < LARGE_ROW_BYTES {
            slice.memory.hold(bytes).await
        } else {
            slice.lease.long_unit(PART_LIMIT);
            slice.memory.hold_large_row(bytes).await
        };
        let block = shared.run.reader.rows(&item.part).await?;
        load_part(claim, &mut conn, &item, block, shared.rewriter.as_ref()).await?;
        drop(memory);
        failpoint("import.part_loaded").await?;
        let rows = shared.rows.fetch_add(item.part.rows, Ordering::Relaxed) + item.part.rows;
        let bytes = shared.bytes.fetch_add(item.part.row_bytes, Ordering::Relaxed) + item.part.row_bytes;
        let (rows_total, bytes_total) = shared.total;
        let rows = Count { done: rows, total: Some(rows_total) };
        shared.run.progress(Step::Load, rows, Count { done: bytes, total: Some(bytes_total) });
    }
    Ok(())
}

async fn load_part(
    claim: &Claim,
    conn: &mut Conn,
    item: &Item,
    block: RowBlock,
    rewriter: Option<&Arc<Rewriter>>,
) -> Result<(), SliceError> {
    for attempt in 1.. {
        match send_part(claim, conn, item, &block, rewriter).await {
            Err(error) if error.is_lock_wait() && attempt < TRIES_MAX => roll_back(conn).await?,
            other => {
                other?;
                break;
            }
        }
    }
    failpoint("import.before_part_committed").await?;
    Ok(execute(conn, "COMMIT", || "rows cannot be committed".to_owned()).await?)
}

/// Sends a part within a transaction that stays open: while one statement is sent, the next one is made.
async fn send_part(
    claim: &Claim,
    conn: &mut Conn,
    item: &Item,
    block: &RowBlock,
    rewriter: Option<&Arc<Rewriter>>,
) -> Result<(), DatabaseError> {
    claim.begin(conn).await?;
    let (mut encoder, mut statement) =
        next_statement(item, PartEncoder::new(block.clone()), rewriter).await?;
    while let Some(present) = statement {
        let sending = item.table.table.send(conn, &present);
        let (following, ()) = tokio::try_join!(next_statement(item, encoder, rewriter), sending)?;
        (encoder, statement) = following;
    }
    claim.journal().put(conn, &key(item.table.number, item.part.part), encoder.done()).await
}

/// Rewriting takes milliseconds of a core: on a thread of its own.
async fn next_statement(
    item: &Item,
    mut encoder: PartEncoder,
    rewriter: Option<&Arc<Rewriter>>,
) -> Result<(PartEncoder, Option<Statement>), DatabaseError> {
    let table = Arc::clone(&item.table);
    let rewriter = rewriter.cloned();
    let encoding = tokio::task::spawn_blocking(move || {
        let statement = encoder.next(&table.table, rewriter.as_deref(), &table.rules)?;
        Ok((encoder, statement))
    });
    encoding.await.map_err(|error| DatabaseError::refused("worker.internal", error.to_string()))?
}
