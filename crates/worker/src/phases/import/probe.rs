//! Looks at the new site as its visitors do. One that does not come up is replaced by the old one.

use std::time::{Duration, Instant};

use super::php_probe::stale_for;
use super::run::Run;
use super::stage::Activator;
use super::{Step, StepEnd, activate, back};
use crate::destination::probe::dead_because;
use crate::failpoint::failpoint;
use crate::slice::SliceError;

const BETWEEN: Duration = Duration::from_millis(500);
pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    failpoint("import.before_probe").await?;
    let begun = Instant::now();
    let mut is_stub_seen = false;
    let mut alive_since: Option<Instant> = None;
    // For so long every look must have found it alive: a visitor of the last moment may have put a stub of the closed
    // door back into PHP's cache.
    let alive_for = stale_for(run.php.as_ref());
    let alive_limit = run.options.alive_limit + alive_for;
    loop {
        let core = run.source.paths.core().to_owned();
        run.cursor.after = run.prober.look(&core).await;
        let Some(why) = dead_because(&run.cursor.after) else {
            if alive_since.get_or_insert_with(Instant::now).elapsed() >= alive_for {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            continue;
        };
        alive_since = None;
        if begun.elapsed() > alive_limit {
            back::roll_back_dead_site(run, why).await?;
        }
        is_stub_seen |= run.cursor.after.iter().any(|probe| probe.status == Some(503));
        tokio::time::sleep(BETWEEN).await;
    }
    if is_stub_seen {
        // PHP kept the closed door in its cache for a moment: visitors saw it for as long.
        let closed = alive_since.map_or_else(|| begun.elapsed(), |alive| alive.duration_since(begun));
        run.cursor.closed_ms += u64::try_from(closed.as_millis()).unwrap_or(u64::MAX);
    }
    let failed: Option<String> = run.journal().get(&mut run.conn, "activation_failed").await?;
    match failed {
        None => Ok(StepEnd::Done),
        Some(why) => {
            // The site lives; support decides about the plugin. Until then nothing of ours should answer there.
            if let Some(activator) = run.journal().get::<Activator>(&mut run.conn, "activator").await? {
                activate::take_out(run, &activator).await?;
            }
            run.cursor.step = Step::Activate;
            run.slice.save(&run.cursor).await?;
            Err(SliceError::failed("import.plugin_activation_failed", why))
        }
    }
}
