//! The transfer phase: puts the snapshot's files into the work folder at the destination, beside the live site.
//!
//! Steps: `preflight` -> `stage` -> `links` -> `folders` -> `verify`. What is staged with the same hash is not sent again
//! after a kill. Links come after every file, so that no write ever goes through one; modes and times of folders come
//! last, because every write below a folder changes them.

mod cursor;
mod filter;
mod finish;
mod place;
mod preflight;
mod stage;
mod staging_area;
mod verify;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::Phase;
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::Goal;
use landfall_common::site::{DestinationSpec, HostedSite};
use serde::{Deserialize, Serialize};

use self::cursor::Cursor;
pub use self::cursor::{NotPlaced, StageTotals};
use self::staging_area::Area;
use super::snapshot::SnapshotOutput;
use crate::destination::files::{Probe, Workspace, WorkspaceName, connect, document_root};
use crate::slice::{PhaseRun, PhaseRunner, Slice, SliceError};
use crate::snapshot_format::SnapshotReader;

/// What the transfer leaves for the import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferOutput {
    /// The work folder with the staged site.
    pub workspace: WorkspaceName,
    /// What the destination allows.
    pub probe: Probe,
    /// What was staged.
    pub totals: StageTotals,
    /// What the snapshot has and the staged site has not, with the reason: the first 200.
    pub not_placed: Vec<NotPlaced>,
}

/// Runs the transfer phase.
#[derive(Debug, Clone, Default)]
pub struct TransferPhase;

#[async_trait]
impl PhaseRunner for TransferPhase {
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError> {
        if slice.migration.goal != Goal::Deliver {
            // The import phase cleans up, whatever was staged.
            return Ok(PhaseRun::Done { output: serde_json::json!({}), report: None });
        }
        let mut cursor: Cursor = Slice::cursor(checkpoint.as_ref())?;
        let site = hosted(slice)?;
        let files = connect(&site.files, &slice.credentials).await?;
        let snapshot = open_snapshot(slice).await?;
        if cursor.ground.is_none() {
            preflight::run(slice, &files, &snapshot, site, &mut cursor).await?;
        }
        let Some(ground) = cursor.ground.clone() else {
            return Err(SliceError::failed("worker.internal", "the transfer has no ground to stand on"));
        };
        let workspace = Workspace::open(files, &ground.workspace, slice.fence.token).await?;
        let mut area = Area::new(slice.clone(), snapshot, workspace, cursor);
        area.begin().await?;
        let is_done = stage::run(&mut area).await?
            && finish::links(&mut area).await?
            && finish::folders(&mut area).await?
            && verify::run(&mut area).await?;
        area.checkpoint().await?;
        if !is_done {
            return Ok(PhaseRun::More);
        }
        let cursor = area.cursor;
        let output = TransferOutput {
            workspace: ground.workspace,
            probe: ground.probe,
            totals: cursor.totals,
            not_placed: cursor.not_placed,
        };
        let output =
            serde_json::to_value(output).map_err(|e| SliceError::failed("worker.internal", e.to_string()))?;
        Ok(PhaseRun::Done { output, report: None })
    }
}

/// The random part of the work folder's name: 32 hex digits that nobody can guess who does not know the migration's
/// secret, and that every phase can make again, so that a cancelled transfer can be cleaned up.
pub fn workspace_random(slice: &Slice) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("landfall 2026 name of the work folder at a destination");
    hasher.update(slice.migration.id.to_string().as_bytes());
    if let Some(secret) = &slice.source_secret {
        hasher.update(secret);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The destination, where there is one.
pub fn hosted(slice: &Slice) -> Result<&HostedSite, SliceError> {
    match &slice.migration.destination {
        DestinationSpec::Hosted(site) => Ok(site),
        DestinationSpec::Noop => Err(SliceError::failed("worker.internal", "this destination has no files")),
    }
}

/// The snapshot that the first phase left.
pub async fn open_snapshot(slice: &Slice) -> Result<SnapshotReader, SliceError> {
    let output = slice.migration.outputs.get(&Phase::Snapshot);
    let output =
        output.ok_or_else(|| SliceError::failed("staging.missing", "the migration has no snapshot"))?;
    let output: SnapshotOutput = serde_json::from_value(output.clone())
        .map_err(|e| SliceError::failed("worker.incompatible", e.to_string()))?;
    Ok(SnapshotReader::open(std::sync::Arc::clone(&slice.staging), &output.manifest).await?)
}

/// One line of the timeline about a step.
fn step_event(step: &str, message: String, facts: serde_json::Value) -> Event {
    let mut all = serde_json::json!({ "phase": Phase::Transfer, "step": step });
    if let (Some(all), Some(facts)) = (all.as_object_mut(), facts.as_object()) {
        all.extend(facts.clone());
    }
    Event::new(EventKind::Step, message).with(all)
}

/// The document root of the migration's destination, for messages and names.
fn root_text(site: &HostedSite) -> Result<String, SliceError> {
    Ok(document_root(&site.files)?.to_string())
}
