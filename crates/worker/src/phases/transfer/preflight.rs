//! Step `preflight`: tries out what the destination allows, and checks the site against it before bytes move.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use futures::TryStreamExt as _;
use landfall_common::site::HostedSite;

use super::cursor::{Cursor, Ground};
use super::{root_text, step_event, workspace_random};
use crate::destination::files::{FilesDestination, Probe, WorkspaceName, document_root, probe};
use crate::model::FileEntry;
use crate::slice::{Slice, SliceError};
use crate::snapshot_format::{SnapshotReader, Totals};

const STEP: &str = "preflight";
/// Names given as examples in a failure.
const EXAMPLES: usize = 5;

pub(super) async fn run(
    slice: &Slice,
    files: &Arc<dyn FilesDestination>,
    snapshot: &SnapshotReader,
    site: &HostedSite,
    cursor: &mut Cursor,
) -> Result<(), SliceError> {
    let root = document_root(&site.files)?;
    let random = workspace_random(slice);
    let found = probe(files, &root, &random).await?;
    refuse(slice, site, &found, &snapshot.manifest().totals)?;
    check_names(snapshot, &found).await?;
    let message = format!(
        "The destination can be written to; the site is staged {}.",
        match found.mode {
            crate::destination::files::SwapMode::Root => "beside the document root and exchanged for it",
            crate::destination::files::SwapMode::Sibling =>
                "beside the document root and moved in entry by entry",
            crate::destination::files::SwapMode::Entries => "in a hidden folder and moved in entry by entry",
        }
    );
    let facts = serde_json::json!({ "swap": found.mode, "free": found.free, "folds_case": found.folds_case });
    let workspace = WorkspaceName { mode: found.mode, root: root_text(site)?, random };
    cursor.ground = Some(Ground { workspace, probe: found });
    slice.save(cursor).await?;
    slice.tell(step_event(STEP, message, facts)).await
}

fn refuse(slice: &Slice, site: &HostedSite, found: &Probe, totals: &Totals) -> Result<(), SliceError> {
    if !found.occupied_by.is_empty() && !slice.migration.options.overwrite {
        let why = format!("{} holds {}", root_text(site)?, found.occupied_by.join(", "));
        return Err(SliceError::failed("destination.not_empty", why));
    }
    // A file system rounds each file up, by half a block on average.
    let needed = totals.file_bytes + (totals.files + totals.folders) * 2048;
    match found.free {
        Some(free) if free < needed => {
            let why = format!("the files need {needed} bytes, {free} are free");
            Err(SliceError::failed("destination.disk_full", why))
        }
        Some(_) | None => Ok(()),
    }
}

/// Reads the inventory once, and refuses names that the destination would lose, cut or lay over one another.
async fn check_names(snapshot: &SnapshotReader, found: &Probe) -> Result<(), SliceError> {
    let mut folded: HashSet<u64> = HashSet::new();
    let mut bad: Vec<String> = Vec::new();
    let mut parts = std::pin::pin!(snapshot.inventory());
    while let Some(entries) = parts.try_next().await? {
        for entry in &entries {
            let why = name_fault(entry, found).or_else(|| {
                let is_twin = (found.folds_case || found.folds_forms) && !folded.insert(folded_hash(entry));
                is_twin.then_some("has a twin of other case")
            });
            if let Some(why) = why
                && bad.len() < EXAMPLES
            {
                bad.push(format!("{} {why}", entry.path.display()));
            }
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(SliceError::failed("destination.name_unsupported", bad.join("; ")))
}

fn name_fault(entry: &FileEntry, found: &Probe) -> Option<&'static str> {
    let path = entry.path.as_bytes();
    if !found.takes_bytes && std::str::from_utf8(path).is_err() {
        return Some("is not UTF-8");
    }
    let is_long = path.split(|b| *b == b'/').any(|part| part.len() > found.name_bytes_max);
    is_long.then_some("is too long")
}

/// Eight bytes for each entry instead of its path; two entries in a billion are taken for twins.
fn folded_hash(entry: &FileEntry) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.path.display().to_lowercase().hash(&mut hasher);
    hasher.finish()
}
