//! The import phase: loads the tables beside the live ones, cuts over, and proves what came of it. It also brings
//! the old site back and cleans up.
//!
//! Nearly all of its state lives at the destination, in the journal beside the fence: the cursor only says which
//! step is due. Every step may run again after a crash at any point.

mod activate;
mod addresses;
mod back;
mod create_tables;
mod cut_over;
mod layout;
mod load;
mod objects;
mod php_probe;
mod plan;
mod platform_plugins;
mod preflight;
mod probe;
mod prove;
mod rules;
mod run;
mod stage;
mod swap_log;
mod verify;
mod wp_config;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::Goal;
use serde::{Deserialize, Serialize};

use crate::destination::probe::PageProbe;
use crate::failpoint::failpoint;
use crate::slice::{PhaseRun, PhaseRunner, Slice, SliceError};

pub use php_probe::PhpFacts;
pub use platform_plugins::PlatformPlugin;
use run::Run;

/// What the operator configured for imports.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Connections that load rows side by side, 1 to 8.
    pub connections: u32,
    /// For how long only 503 must have been seen before anything moves.
    pub closed_for: Duration,
    /// After so long without that, the door is opened again.
    pub closed_limit: Duration,
    /// For how long a site that does not come up is looked at again before the old one is brought back.
    pub alive_limit: Duration,
    /// Plugins that the platform installs.
    pub platform_plugins: Vec<PlatformPlugin>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            connections: 3,
            closed_for: Duration::from_secs(3),
            closed_limit: Duration::from_secs(60),
            alive_limit: Duration::from_secs(20),
            platform_plugins: Vec::new(),
        }
    }
}

/// Runs imports.
#[derive(Debug, Default)]
pub struct ImportPhase {
    options: ImportOptions,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Looks at the destination and plans.
    #[default]
    Preflight,
    /// Makes the shadow tables.
    CreateTables,
    /// Loads the rows, rewriting them.
    Load,
    /// Reads them back.
    Verify,
    /// Puts the platform's plugins to the staged files.
    Stage,
    /// Closes the door, exchanges tables and files, opens the door.
    CutOver,
    /// Activates the platform's plugins.
    Activate,
    /// Looks at the new site.
    Probe,
    /// Writes the report.
    Prove,
}

/// The checkpoint: which step is due, and what is told in the report but kept nowhere else.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    step: Step,
    /// Milliseconds spent in each step, over all slices.
    step_ms: BTreeMap<Step, u64>,
    /// For how long the door was closed, in milliseconds.
    closed_ms: u64,
    /// The destination before.
    before: Vec<PageProbe>,
    /// The destination after.
    after: Vec<PageProbe>,
    /// The old site is back; what is left to do is to clean up.
    is_back: bool,
}

/// How a step's run ended.
enum StepEnd {
    /// The step is done.
    Done,
    /// The slice should end; there is more of the step to do.
    More,
}

impl Step {
    /// Its name in logs, events and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Preflight => "preflight",
            Step::CreateTables => "create_tables",
            Step::Load => "load",
            Step::Verify => "verify",
            Step::Stage => "stage",
            Step::CutOver => "cut_over",
            Step::Activate => "activate",
            Step::Probe => "probe",
            Step::Prove => "prove",
        }
    }

    const fn next(self) -> Option<Step> {
        match self {
            Step::Preflight => Some(Step::CreateTables),
            Step::CreateTables => Some(Step::Load),
            Step::Load => Some(Step::Verify),
            Step::Verify => Some(Step::Stage),
            Step::Stage => Some(Step::CutOver),
            Step::CutOver => Some(Step::Activate),
            Step::Activate => Some(Step::Probe),
            Step::Probe => Some(Step::Prove),
            Step::Prove => None,
        }
    }
}

impl ImportPhase {
    /// A phase with the operator's options.
    pub fn new(options: ImportOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl PhaseRunner for ImportPhase {
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError> {
        let cursor: Cursor = Slice::cursor(checkpoint.as_ref())?;
        match slice.migration.goal {
            Goal::Deliver => Box::pin(deliver(slice, &self.options, cursor)).await,
            Goal::CleanUp => Box::pin(back::undo(slice, &self.options, cursor, false)).await,
            Goal::RollBack => Box::pin(back::undo(slice, &self.options, cursor, true)).await,
        }
    }
}

async fn deliver(slice: &Slice, options: &ImportOptions, cursor: Cursor) -> Result<PhaseRun, SliceError> {
    let mut run = Box::pin(Run::open(slice, options, cursor)).await?;
    back::finish_rollback_of_dead_site(&mut run).await?;
    run.cursor.step = step_at_hand(&mut run).await?;
    loop {
        let step = run.cursor.step;
        let begun = std::time::Instant::now();
        tracing::debug!(migration.id = %slice.migration.id, step = step.as_str(), "step begins");
        let end = Box::pin(run_step(&mut run, step)).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        *run.cursor.step_ms.entry(step).or_default() += ms;
        match end? {
            StepEnd::More => {
                slice.save(&run.cursor).await?;
                return Ok(PhaseRun::More);
            }
            StepEnd::Done => {}
        }
        let Some(next) = step.next() else {
            return prove::finish(&mut run).await;
        };
        run.cursor.step = next;
        failpoint("import.before_step_saved").await?;
        slice.save(&run.cursor).await?;
        failpoint("import.after_step_saved").await?;
        tell_step(slice, step, run.cursor.step_ms.get(&step).copied().unwrap_or(0)).await?;
        // The cut-over and what follows it belong together: the site should not wait for another slice.
        if slice.should_end() && next <= Step::CutOver {
            return Ok(PhaseRun::More);
        }
    }
}

/// The step that is due, whatever the checkpoint says: what stands at the destination decides. Behind the RENAME there is
/// one way on; without a plan for this snapshot there is nothing to go on from.
async fn step_at_hand(run: &mut Run<'_>) -> Result<Step, SliceError> {
    let plan: Option<plan::Plan> = run.journal().get(&mut run.conn, "plan").await?;
    let step = run.cursor.step;
    if plan.is_none_or(|plan| plan.manifest != run.manifest_key) {
        return Ok(Step::Preflight);
    }
    Ok(if run.claim.is_cut_over() { step.max(Step::CutOver) } else { step.min(Step::CutOver) })
}

async fn run_step(run: &mut Run<'_>, step: Step) -> Result<StepEnd, SliceError> {
    match step {
        Step::Preflight => preflight::run(run).await,
        Step::CreateTables => create_tables::run(run).await,
        Step::Load => load::run(run).await,
        Step::Verify => verify::run(run).await,
        Step::Stage => stage::run(run).await,
        Step::CutOver => cut_over::run(run).await,
        Step::Activate => activate::run(run).await,
        Step::Probe => probe::run(run).await,
        Step::Prove => Ok(StepEnd::Done),
    }
}

async fn tell_step(slice: &Slice, step: Step, ms: u64) -> Result<(), SliceError> {
    let message = format!("import: {} done", step.as_str().replace('_', " "));
    let facts = serde_json::json!({ "step": step.as_str(), "duration_ms": ms });
    slice.tell(Event::new(EventKind::Step, message).with(facts)).await
}
