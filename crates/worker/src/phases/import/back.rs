//! The way back: the old site's tables and files live again, as they were, and nothing of ours left where it is
//! asked for.

use std::time::Duration;

use landfall_common::Phase;
use landfall_common::event::{Event, EventKind};
use mysql_async::Conn;

use super::php_probe::{PhpFacts, stale_for};
use super::run::{Run, TransferOutput, hosted, output, prober};
use super::swap_log::SwapLog;
use super::{Cursor, ImportOptions, Step, objects};
use crate::destination::database::Database;
use crate::destination::database::exchange::Exchange;
use crate::destination::database::fence::Claim;
use crate::destination::files::swap::FileSwap;
use crate::destination::files::{self, FilesError, SwapMode, Workspace, WorkspaceName};
use crate::destination::probe::Prober;
use crate::failpoint::failpoint;
use crate::phases::transfer::workspace_random;
use crate::slice::{PhaseRun, Slice, SliceError};

const SWAP_CONNECTION: u32 = 15;
/// The longest that going back may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// For how long the open door is waited for beyond what PHP's cache may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Brings the old site back from wherever the import stands, then removes everything of ours. `must_exist`: there has to
/// be something to go back to.
pub(super) async fn undo(
    slice: &Slice,
    options: &ImportOptions,
    mut cursor: Cursor,
    must_exist: bool,
) -> Result<PhaseRun, SliceError> {
    let site = hosted(slice)?;
    slice.lease.long_unit(LIMIT);
    let database = Database::new(&site.database, &slice.credentials);
    let claimed = Claim::take_existing(&database, slice.migration.id, slice.fence).await?;
    let workspace = existing_workspace(slice).await?;
    if claimed.is_none() && must_exist && !cursor.is_back {
        let detail = "nothing of the old site is kept in the database";
        return Err(SliceError::failed("import.rollback_gone", detail));
    }
    if let Some((mut claim, mut conn)) = claimed {
        if !cursor.is_back {
            refuse_if_overtaken(&mut conn, &claim).await?;
            match &workspace {
                Some(workspace) => {
                    let prober = prober(slice, site)?;
                    bring_back(&mut conn, &mut claim, workspace, &prober, options).await?;
                }
                None if claim.is_cut_over() => {
                    let detail = "the files of the old site are not kept any more";
                    return Err(SliceError::failed("import.rollback_gone", detail));
                }
                None => {}
            }
            cursor.is_back = true;
            slice.save(&cursor).await?;
        }
        failpoint("import.before_clean_up").await?;
        if let Some(workspace) = &workspace {
            workspace.remove().await?;
        }
        failpoint("import.before_claim_removed").await?;
        claim.remove(&mut conn).await?;
    } else if let Some(workspace) = &workspace {
        workspace.remove().await?;
    }
    Ok(PhaseRun::Done { output: serde_json::json!({ "cleaned_up": true }), report: None })
}

/// The work folder of this migration; none where there is none. A transfer that was cancelled left no word of where it
/// is, so both places are looked at.
async fn existing_workspace(slice: &Slice) -> Result<Option<Workspace>, SliceError> {
    let site = hosted(slice)?;
    let destination = files::connect(&site.files, &slice.credentials).await?;
    let token = slice.fence.token;
    if let Ok(transfer) = output::<TransferOutput>(slice, Phase::Transfer) {
        return Ok(Workspace::adopt(destination, &transfer.workspace, token).await?);
    }
    let random = workspace_random(slice);
    let root = files::document_root(&site.files)?.to_string();
    for mode in [SwapMode::Sibling, SwapMode::Entries] {
        let name = WorkspaceName { mode, root: root.clone(), random: random.clone() };
        match Workspace::adopt(std::sync::Arc::clone(&destination), &name, token).await {
            Ok(None) => {}
            // The folder above the document root is often closed to the account: then nothing of ours is in it.
            Err(
                FilesError::PermissionDenied { .. }
                | FilesError::NotFound { .. }
                | FilesError::BadRoot { .. },
            ) => {}
            other => return Ok(other?),
        }
    }
    Ok(None)
}

/// A later migration took this one's site for the old one and keeps it: going back past it would mix both.
async fn refuse_if_overtaken(conn: &mut Conn, claim: &Claim) -> Result<(), SliceError> {
    if !claim.is_cut_over() {
        return Ok(());
    }
    let exchange: Option<Exchange> = claim.journal().get(conn, "exchange").await?;
    if exchange.unwrap_or_default().is_overtaken(conn, claim).await? {
        let detail = "a later migration replaced this site: roll that one back first";
        return Err(SliceError::failed("import.rollback_gone", detail));
    }
    Ok(())
}

/// Tables, objects and files of the old site, in this order, behind the closed door. Nothing to do where the cut-over had
/// not begun.
async fn bring_back(
    conn: &mut Conn,
    claim: &mut Claim,
    workspace: &Workspace,
    prober: &Prober,
    options: &ImportOptions,
) -> Result<(), SliceError> {
    let log = SwapLog::open(claim, SWAP_CONNECTION).await?;
    let swap = FileSwap::new(workspace, &log);
    failpoint("import.back_begins").await?;
    swap.close_for_return().await?;
    if claim.is_cut_over() || Exchange::is_going_back(conn, claim).await? {
        // A web server that is down shows no door; nobody is served by waiting for it.
        if let Err(error) = prober.wait_closed(options.closed_for, options.closed_limit).await {
            tracing::warn!(%error, "going back without having seen the closed door");
        }
        let exchange: Option<Exchange> = claim.journal().get(conn, "exchange").await?;
        let exchange = exchange
            .ok_or_else(|| SliceError::failed("import.rollback_gone", "the journal lost its exchange"))?;
        failpoint("import.before_rename_back").await?;
        exchange.backward(conn, claim).await?;
        failpoint("import.after_rename_back").await?;
    }
    objects::bring_back(conn, claim).await?;
    Exchange::end_going_back(conn, claim).await?;
    swap.swap_back().await?;
    failpoint("import.is_back").await?;
    wait_open(conn, claim, prober).await
}

/// Who is told that the old site is back must not meet the closed door.
async fn wait_open(conn: &mut Conn, claim: &Claim, prober: &Prober) -> Result<(), SliceError> {
    let php: Option<PhpFacts> = claim.journal().get(conn, "php").await?.flatten();
    if !prober.wait_open(stale_for(php.as_ref()), OPEN_LIMIT + stale_for(php.as_ref())).await {
        tracing::warn!(
            "the old site is back, but its web server still shows the closed door or does not answer"
        );
    }
    Ok(())
}

/// After the automatic way back the database side begins anew: the new site has written to its tables.
pub(super) async fn start_over(run: &mut Run<'_>) -> Result<(), SliceError> {
    bring_back(&mut run.conn, &mut run.claim, &run.workspace, &run.prober, run.options).await?;
    Ok(run.claim.reset(&mut run.conn).await?)
}

/// Notes that the site is dead, brings the old one back, and fails; whoever is killed in between leaves the note.
pub(super) async fn roll_back_dead_site(run: &mut Run<'_>, why: String) -> Result<(), SliceError> {
    let journal = run.journal();
    journal.put(&mut run.conn, "dead", &why).await?;
    finish_rollback_of_dead_site(run).await
}

pub(super) async fn finish_rollback_of_dead_site(run: &mut Run<'_>) -> Result<(), SliceError> {
    let Some(why) = run.journal().get::<String>(&mut run.conn, "dead").await? else { return Ok(()) };
    failpoint("import.dead_site_noted").await?;
    let message = "the new site did not come up; the old one is being brought back";
    run.slice.tell(Event::new(EventKind::Step, message)).await?;
    start_over(run).await?;
    run.cursor.step = Step::Preflight;
    run.slice.save(&run.cursor).await?;
    Err(SliceError::failed("import.site_dead", why))
}
