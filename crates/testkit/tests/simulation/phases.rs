//! Phases whose sources and destinations are simulated: units are read, staged, loaded and made live, each with a
//! checkpoint behind it, as the real phases do it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::Failure;
use landfall_common::migration::{Goal, Phase};
use landfall_common::ports::StagingError;
use landfall_testkit::simulation::{DestinationError, Kind, Lost, Network, SimDestinations, Writer};
use landfall_worker::slice::{PhaseRun, PhaseRunner, Slice, SliceError};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::scene::{Plan, Scene};

/// Every kind of failure that a phase can meet.
const FAILURES: &[&str] = &[
    "source.unreachable",
    "source.unreachable",
    "source.server_error",
    "source.protocol",
    "source.rate_limited",
    "source.wrong_secret",
    "destination.access_denied",
    "destination.disk_full",
    "source.site_network",
    "worker.internal",
];
/// A unit may take so long.
const UNIT_MAX: Duration = Duration::from_secs(20 * 60);

/// Runs any phase.
pub(crate) struct SimPhase {
    pub(crate) scene: Arc<Scene>,
    pub(crate) network: Network,
}

/// Where a phase stands.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// What is staged, by key.
    objects: Vec<String>,
    units: usize,
}

#[async_trait]
impl PhaseRunner for SimPhase {
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError> {
        let plan = self.scene.plan_of(slice.migration.site).expect("every site has its plan");
        let run = Run {
            phase: self,
            slice,
            plan,
            destinations: SimDestinations::new(self.network.clone()),
            writer: Writer {
                migration: slice.migration.id,
                site: slice.migration.site,
                token: slice.fence.token,
                attempt: slice.fence.attempt,
            },
        };
        let cursor = Slice::cursor(checkpoint.as_ref())?;
        let at = slice.migration.state.position().expect("a slice that runs has its place");
        match (slice.migration.goal, at.phase) {
            (Goal::Deliver, Phase::Snapshot) => run.snapshot(cursor).await,
            (Goal::Deliver, Phase::Transfer) => run.bring(cursor, Kind::Staged).await,
            (Goal::Deliver, Phase::Import) => run.bring(cursor, Kind::Loaded).await,
            (Goal::CleanUp, _) => run.undo(false).await,
            (Goal::RollBack, _) => run.undo(true).await,
        }
    }
}

struct Run<'a> {
    phase: &'a SimPhase,
    slice: &'a Slice,
    plan: &'a Plan,
    destinations: SimDestinations,
    writer: Writer,
}

impl Run<'_> {
    /// Reads the units into the staging storage, and seals.
    async fn snapshot(&self, mut cursor: Cursor) -> Result<PhaseRun, SliceError> {
        let migration = &self.slice.migration;
        while cursor.objects.len() < self.plan.units {
            let number = cursor.objects.len();
            self.begin_unit(number).await?;
            let takes = self.takes();
            let read = self.phase.network.slow_call(takes, UNIT_MAX, |_| Ok(())).await;
            read.map_err(|lost| failed("source.unreachable", lost))?;
            let key = format!("{}/{}/{number}", migration.id, self.slice.fence.attempt);
            let unit = format!("{} {} unit {number}", migration.id, migration.generation);
            self.slice.staging.put(&key, unit.into()).await.map_err(staging)?;
            cursor.objects.push(key);
            self.slice.save(&cursor).await?;
            if self.slice.should_end() && cursor.objects.len() < self.plan.units {
                return Ok(PhaseRun::More);
            }
        }
        let manifest = format!("{}/manifest-{}", migration.id, migration.generation);
        let body = Bytes::from(serde_json::to_vec(&cursor.objects).expect("keys are plain data"));
        match self.slice.staging.create(&manifest, body.clone()).await {
            Ok(()) => {}
            Err(StagingError::Exists { .. }) => {
                if self.slice.staging.get(&manifest).await.map_err(staging)? != body {
                    return Err(failed("snapshot.sealed_differs", "another attempt sealed it"));
                }
            }
            Err(error) => return Err(staging(error)),
        }
        Ok(PhaseRun::Done { output: serde_json::json!({ "manifest": manifest }), report: None })
    }

    /// Puts the units at the destination; the import also makes them live.
    async fn bring(&self, mut cursor: Cursor, kind: Kind) -> Result<PhaseRun, SliceError> {
        let outputs = &self.slice.migration.outputs;
        let manifest = outputs.get(&Phase::Snapshot).and_then(|output| output["manifest"].as_str());
        let manifest = manifest.ok_or_else(|| failed("worker.internal", "there is no snapshot"))?;
        let objects = self.slice.staging.get(manifest).await.map_err(staging)?;
        let objects: Vec<String> = serde_json::from_slice(&objects).expect("it is ours");
        let is_live = self.destinations.take_over(&self.writer, manifest).await.map_err(destination)?;
        while cursor.units < objects.len() && !is_live {
            let number = cursor.units;
            self.begin_unit(number).await?;
            let unit = self.slice.staging.get(&objects[number]).await.map_err(staging)?;
            let unit = String::from_utf8_lossy(&unit).into_owned();
            let brought = self.destinations.bring(self.takes(), &self.writer, kind, number, unit).await;
            brought.map_err(destination)?;
            cursor.units += 1;
            self.slice.save(&cursor).await?;
            if self.slice.should_end() && cursor.units < objects.len() {
                return Ok(PhaseRun::More);
            }
        }
        if kind == Kind::Loaded {
            self.destinations.cut_over(&self.writer, objects.len()).await.map_err(destination)?;
        }
        Ok(PhaseRun::Done { output: serde_json::json!({ "units": objects.len() }), report: None })
    }

    async fn undo(&self, is_asked_for: bool) -> Result<PhaseRun, SliceError> {
        self.destinations.take_over(&self.writer, "").await.map_err(destination)?;
        self.destinations.undo(&self.writer, is_asked_for).await.map_err(destination)?;
        Ok(PhaseRun::Done { output: serde_json::json!({}), report: None })
    }

    fn takes(&self) -> Duration {
        let (least, most) = self.plan.unit;
        self.phase.network.world().lock().rng.random_range(least..=most)
    }

    /// A unit that is poison kills the process, and any may fail.
    async fn begin_unit(&self, number: usize) -> Result<(), SliceError> {
        if self.plan.unit.1 > Duration::from_secs(20) {
            self.slice.lease.long_unit(UNIT_MAX);
        }
        if self.plan.poison == Some(number) {
            self.phase.network.world().lock().doom(self.phase.network.process());
            return std::future::pending().await;
        }
        self.chance()
    }

    fn chance(&self) -> Result<(), SliceError> {
        if self.phase.scene.shared().is_calm {
            return Ok(());
        }
        let mut world = self.phase.network.world().lock();
        if !world.happens(self.phase.scene.unit_fails) {
            return Ok(());
        }
        let code = FAILURES[world.rng.random_range(0..FAILURES.len())];
        let mut failure = Failure::new(code, "drawn by the simulation");
        if world.happens(0.2) {
            failure.retry_after = Some(Duration::from_secs(world.rng.random_range(1..400)));
        }
        Err(SliceError::Failed(failure))
    }
}

fn failed(code: &'static str, why: impl std::fmt::Display) -> SliceError {
    SliceError::failed(code, why.to_string())
}

fn staging(error: StagingError) -> SliceError {
    match error {
        StagingError::Unavailable(_) => failed("staging.unavailable", error),
        StagingError::Missing { .. } => failed("staging.missing", error),
        StagingError::Exists { .. } | StagingError::Corrupt { .. } => failed("staging.corrupt", error),
    }
}

fn destination(error: DestinationError) -> SliceError {
    match error {
        DestinationError::Fenced => SliceError::LeaseLost,
        DestinationError::Incomplete => failed("import.verification_failed", error),
        DestinationError::NothingSaved => failed("import.rollback_gone", error),
        DestinationError::Lost(Lost) => failed("destination.unreachable", error),
    }
}
