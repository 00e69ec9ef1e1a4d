//! The cut-over: the door is closed first and opened last; in between the tables and then the files are exchanged,
//! each by acts that a stale worker cannot do and a killed one's successor can finish.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::php_probe::stale_for;
use super::plan::Plan;
use super::run::Run;
use super::swap_log::SwapLog;
use super::wp_config::WpConfig;
use super::{StepEnd, objects};
use crate::destination::database::exchange::{self, Exchange};
use crate::destination::files::Meta;
use crate::destination::files::swap::{FileSwap, SwapJournal as _};
use crate::destination::probe::DoorError;
use crate::failpoint::failpoint;
use crate::model::SitePath;
use crate::slice::SliceError;

/// The longest that the whole cut-over may take; minutes at most, of which the door is closed for seconds.
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    run.slice.lease.long_unit(LIMIT);
    let log = run.swap_log().await?;
    // A step that was never begun again after the door was opened: nothing is left to do.
    if log.is_done("opened").await? {
        return Ok(StepEnd::Done);
    }
    let begun = Instant::now();
    if run.claim.is_cut_over() {
        let exchange: Exchange = run.entry("exchange").await?;
        exchange.complete(&mut run.conn, &run.claim).await?;
    } else {
        exchange_tables(run, &log).await?;
    }
    failpoint("import.after_rename").await?;
    objects::create(run).await?;
    failpoint("import.before_file_swap").await?;
    let workspace = run.workspace.clone();
    let swap = FileSwap::new(&workspace, &log);
    swap.swap().await?;
    failpoint("import.before_door_opens").await?;
    swap.open_door().await?;
    failpoint("import.after_door_opened").await?;
    log.complete("opened").await?;
    run.cursor.closed_ms += u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(StepEnd::Done)
}

/// From the closed door to the RENAME. What fails here opens the door to the old site again: a retry may be minutes
/// away.
async fn exchange_tables(run: &mut Run<'_>, log: &SwapLog) -> Result<(), SliceError> {
    let plan: Plan = run.entry("plan").await?;
    // Before the door is closed: a refusal should cost no visitor anything.
    planned_exchange(run, &plan).await?;
    let workspace = run.workspace.clone();
    let swap = FileSwap::new(&workspace, log);
    failpoint("import.before_door_closes").await?;
    let exchanged = async {
        swap.close_door().await?;
        failpoint("import.door_closed").await?;
        let limit = run.options.closed_limit + stale_for(run.php.as_ref());
        run.prober.wait_closed(run.options.closed_for, limit).await.map_err(door_error)?;
        write_config(run, &plan).await?;
        // Again: the old site may have made tables until a moment ago.
        let exchange = planned_exchange(run, &plan).await?;
        run.journal().put(&mut run.conn, "exchange", &exchange).await?;
        failpoint("import.before_rename").await?;
        Ok(exchange.forward(&mut run.conn, &mut run.claim).await?)
    };
    let exchanged: Result<(), SliceError> = exchanged.await;
    if let Err(error) = exchanged {
        if matches!(error, SliceError::Failed(_)) && !run.claim.is_cut_over() {
            swap.swap_back().await?;
        }
        return Err(error);
    }
    Ok(())
}

async fn planned_exchange(run: &mut Run<'_>, plan: &Plan) -> Result<Exchange, SliceError> {
    let present = exchange::present(&mut run.conn).await?;
    let views = plan.views.iter().map(|(_, live)| live.clone()).collect();
    let exchange = Exchange::plan(run.claim.token(), plan.tables.clone(), views, &plan.prefix, &present);
    let outside = exchange.references_from_outside(&mut run.conn).await?;
    match outside.is_empty() {
        true => Ok(exchange),
        false => Err(SliceError::failed("destination.table_referenced", outside.join("; "))),
    }
}

fn door_error(error: DoorError) -> SliceError {
    match error {
        DoorError::StillOpen { .. } => SliceError::failed("destination.opcache_frozen", error.to_string()),
        DoorError::Unreachable { .. } => SliceError::failed("destination.unreachable", error.to_string()),
    }
}

/// Only now: before, the staged files may lie where the web server shows them.
async fn write_config(run: &mut Run<'_>, plan: &Plan) -> Result<(), SliceError> {
    let config = WpConfig {
        database: &run.site.database,
        password: &run.slice.credentials.database_password,
        prefix: &plan.prefix,
        home: &run.addresses.home,
        layout: &run.source.paths,
        constants: &run.source.constants,
    };
    let written = config.write();
    let path = SitePath::new(WpConfig::path(&run.source.paths))
        .map_err(|error| SliceError::failed("staging.corrupt", error.to_string()))?;
    // Which user PHP runs as at the destination is not known here, so the mode is that of the site's other files.
    let meta = Meta { mode: 0o644, mtime: 0 };
    run.workspace.write_staged(&path, Bytes::from(written.php), meta).await?;
    Ok(run.journal().put(&mut run.conn, "config", &written.left_out).await?)
}
