//! The snapshot phase: copies the source into the staging storage. It only ever reads the source.
//!
//! Steps: `preflight` -> then side by side `database` and (`inventory` -> `files`) -> `check` -> `seal`. The two lanes
//! share one ledger and one cursor (`copy::Copy`); each puts its objects first and then, in one go, notes them in the
//! ledger and moves its part of the cursor, so a checkpoint never counts an object that it does not stand behind.

mod copy;
mod cursor;
mod database;
mod exclusions;
mod files;
mod inventory;
mod large;
mod plan;
mod port;
mod preflight;
mod seal;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::Phase;
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::Goal;
use landfall_common::site::SourceSpec;
use serde::{Deserialize, Serialize};

pub use exclusions::exclusions_of;
pub use port::{EntryPages, FileEvents, RowPages, SourceSite};

use self::copy::Copy;
use self::cursor::Cursor;
use crate::net::AddressPolicy;
use crate::slice::{PhaseRun, PhaseRunner, Slice, SliceError};
use crate::snapshot_format::Totals;
use crate::source::{SourceClient, SourceEndpoint, SourceLimits};

/// What the snapshot phase leaves for the phases after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotOutput {
    /// The key of the manifest in the staging storage.
    pub manifest: String,
    /// Sums, for the timeline and the report.
    pub totals: Totals,
    /// Tables that moved during the copy.
    pub moved_tables: Vec<String>,
}

/// Limits of a snapshot; over them a migration goes to support.
#[derive(Debug, Clone)]
pub struct SnapshotLimits {
    /// Files, folders and links.
    pub entries_max: u64,
    /// Bytes of all files.
    pub file_bytes_max: u64,
    /// Tables.
    pub tables_max: usize,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        Self { entries_max: 20_000_000, file_bytes_max: 2 << 40, tables_max: 10_000 }
    }
}

/// Runs the snapshot phase against real sources.
#[derive(Debug, Clone, Default)]
pub struct SnapshotPhase {
    policy: AddressPolicy,
    source_limits: SourceLimits,
    limits: SnapshotLimits,
    plain_ok: bool,
}

impl SnapshotPhase {
    /// Connects only to addresses that the policy allows.
    pub fn new(policy: AddressPolicy, source_limits: SourceLimits, limits: SnapshotLimits) -> Self {
        Self { policy, source_limits, limits, plain_ok: false }
    }

    /// The owner's consent, on the record of the installation, to unencrypted frames over plain http.
    #[must_use]
    pub fn with_plain_ok(mut self) -> Self {
        self.plain_ok = true;
        self
    }

    fn source(&self, slice: &Slice) -> Result<SourceClient, SliceError> {
        let SourceSpec::Wordpress { url } = &slice.migration.source else {
            return Err(SliceError::failed("worker.internal", "this source is no WordPress site"));
        };
        let secret = slice.source_secret.as_ref().ok_or_else(|| {
            SliceError::failed(
                "source.wrong_secret",
                "the migration has no key for its source: it never enrolled",
            )
        })?;
        let mut endpoint =
            SourceEndpoint::new(url.clone(), slice.migration.id.to_string(), secret.as_ref().clone());
        if self.plain_ok {
            endpoint = endpoint.with_plain_ok();
        }
        SourceClient::new(endpoint, self.policy.clone(), self.source_limits.clone(), slice.memory.clone())
            .map_err(|error| SliceError::Failed(error.failure()))
    }
}

#[async_trait]
impl PhaseRunner for SnapshotPhase {
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError> {
        if slice.migration.goal != Goal::Deliver {
            // Nothing of this phase is at the destination; the staging storage's retention takes care of the rest.
            return Ok(PhaseRun::Done { output: serde_json::json!({}), report: None });
        }
        let source = self.source(slice)?;
        run_with(slice, checkpoint, Arc::new(source), &self.limits).await
    }
}

/// Puts the last exchanges into the timeline, where the support case finds them.
async fn tell_evidence(slice: &Slice, source: &dyn SourceSite) {
    let exchanges = source.last_exchanges();
    let message = format!("The last {} exchanges with the source", exchanges.len());
    let event = Event::new(EventKind::Evidence, message).with(serde_json::json!({ "exchanges": exchanges }));
    if let Err(error) = slice.tell(event).await {
        tracing::warn!(%error, "the last exchanges with the source could not be told");
    }
}

/// Runs the phase against any source: the plugin's client, or one that a test makes up.
pub async fn run_with(
    slice: &Slice,
    checkpoint: Option<Bytes>,
    source: Arc<dyn SourceSite>,
    limits: &SnapshotLimits,
) -> Result<PhaseRun, SliceError> {
    let outcome = copy_site(slice, checkpoint, Arc::clone(&source), limits).await;
    if matches!(&outcome, Err(SliceError::Failed(failure)) if failure.code.as_str().starts_with("source.")) {
        tell_evidence(slice, source.as_ref()).await;
    }
    outcome
}

async fn copy_site(
    slice: &Slice,
    checkpoint: Option<Bytes>,
    source: Arc<dyn SourceSite>,
    limits: &SnapshotLimits,
) -> Result<PhaseRun, SliceError> {
    let cursor: Cursor = Slice::cursor(checkpoint.as_ref())?;
    let copy = Copy::resume(slice.clone(), source, cursor).await?;
    if !preflight::run(&copy, limits).await? {
        return Ok(PhaseRun::More);
    }
    let files = async {
        Box::pin(inventory::run(&copy, limits)).await?;
        Box::pin(files::run(&copy)).await
    };
    tokio::try_join!(Box::pin(database::run(&copy)), files)?;
    copy.checkpoint().await?;
    if !copy.is_copied().await {
        return Ok(PhaseRun::More);
    }
    seal::check(&copy).await?;
    let output = seal::seal(&copy).await?;
    let output =
        serde_json::to_value(output).map_err(|e| SliceError::failed("worker.internal", e.to_string()))?;
    Ok(PhaseRun::Done { output, report: None })
}

/// One line of the timeline about a step.
fn step_event(step: &str, message: String, facts: serde_json::Value) -> Event {
    let mut all = serde_json::json!({ "phase": Phase::Snapshot, "step": step });
    if let (Some(all), Some(facts)) = (all.as_object_mut(), facts.as_object()) {
        all.extend(facts.clone());
    }
    Event::new(EventKind::Step, message).with(all)
}
