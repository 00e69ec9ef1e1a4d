//! The no-op source: counts units through all phases. It exercises everything that a real migration does
//! except a source and a destination, in tests and as a health check of a running installation.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_common::Phase;
use landfall_common::migration::Goal;
use landfall_common::progress::{Count, Progress};
use landfall_common::site::SourceSpec;
use serde::{Deserialize, Serialize};

use crate::failpoint::failpoint;
use crate::slice::{PhaseRun, PhaseRunner, Slice, SliceError};

/// Runs any phase of a no-op migration.
#[derive(Debug, Default)]
pub struct NoopPhase;

/// The cursor: how many units are done.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    units: u32,
}

#[async_trait]
impl PhaseRunner for NoopPhase {
    async fn run(&self, slice: &Slice, checkpoint: Option<Bytes>) -> Result<PhaseRun, SliceError> {
        let SourceSpec::Noop { units, unit_ms } = slice.migration.source else {
            return Err(SliceError::failed("worker.incompatible", "this source is not a no-op"));
        };
        if slice.migration.goal != Goal::Deliver {
            return Ok(done(0));
        }
        fail_if_asked(slice)?;
        let phase = slice.migration.state.position().map_or(Phase::Snapshot, |at| at.phase);
        let mut cursor: Cursor = Slice::cursor(checkpoint.as_ref())?;
        while cursor.units < units {
            tokio::time::sleep(Duration::from_millis(u64::from(unit_ms))).await;
            cursor.units += 1;
            failpoint("noop.before_save").await?;
            slice.save(&cursor).await?;
            failpoint("noop.after_save").await?;
            let mut progress = Progress::at(phase, "count");
            progress.rows = Count { done: u64::from(cursor.units), total: Some(u64::from(units)) };
            slice.progress(progress);
            if slice.should_end() && cursor.units < units {
                return Ok(PhaseRun::More);
            }
        }
        Ok(done(cursor.units))
    }
}

fn done(units: u32) -> PhaseRun {
    PhaseRun::Done { output: serde_json::json!({ "units": units }), report: None }
}

/// The first generation fails where its options say so, so that the way to support and back can be tried.
fn fail_if_asked(slice: &Slice) -> Result<(), SliceError> {
    match &slice.migration.options.noop_fail {
        Some(code) if slice.migration.generation == 1 => Err(SliceError::Failed(landfall_common::Failure {
            code: code.clone(),
            detail: "asked for by the options of this no-op migration".to_owned(),
            retry_after: None,
        })),
        Some(_) | None => Ok(()),
    }
}
