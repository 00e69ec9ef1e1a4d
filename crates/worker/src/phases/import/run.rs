//! One slice of an import: everything that its steps share.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_common::Phase;
use landfall_common::progress::{Count, Progress};
use landfall_common::site::{DestinationSpec, HostedSite};
use mysql_async::Conn;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::addresses::{Addresses, Goal};
use super::layout::SourceSite;
use super::php_probe::PhpFacts;
use super::swap_log::SwapLog;
use super::{Cursor, ImportOptions, Step};
use crate::destination::database::Database;
use crate::destination::database::fence::Claim;
use crate::destination::database::journal::Journal;
use crate::destination::files::{self, Workspace, WorkspaceName};
use crate::destination::probe::Prober;
use crate::slice::{Slice, SliceError};
use crate::snapshot_format::SnapshotReader;

/// The connection of the file swap's journal; those that load rows come before it.
const SWAP_CONNECTION: u32 = 15;

/// What the phases before left.
#[derive(Debug, Deserialize)]
pub(super) struct SnapshotOutput {
    /// The key of the manifest.
    pub(super) manifest: String,
}

/// What the transfer left.
#[derive(Debug, Deserialize)]
pub(super) struct TransferOutput {
    /// Where its files are.
    pub(super) workspace: WorkspaceName,
}

/// A slice that holds its destination.
pub(super) struct Run<'a> {
    pub(super) slice: &'a Slice,
    pub(super) options: &'a ImportOptions,
    pub(super) site: &'a HostedSite,
    pub(super) cursor: Cursor,
    pub(super) claim: Claim,
    pub(super) conn: Conn,
    pub(super) workspace: Workspace,
    pub(super) prober: Prober,
    pub(super) reader: SnapshotReader,
    pub(super) manifest_key: String,
    pub(super) source: SourceSite,
    pub(super) php: Option<PhpFacts>,
    pub(super) addresses: Addresses,
}

impl<'a> Run<'a> {
    /// Takes the destination over for this slice: first the database, then the files.
    pub(super) async fn open(
        slice: &'a Slice,
        options: &'a ImportOptions,
        cursor: Cursor,
    ) -> Result<Self, SliceError> {
        let site = hosted(slice)?;
        let manifest_key = output::<SnapshotOutput>(slice, Phase::Snapshot)?.manifest;
        let transfer: TransferOutput = output(slice, Phase::Transfer)?;
        let database = Database::new(&site.database, &slice.credentials);
        let (claim, mut conn) = Claim::take(&database, slice.migration.id, slice.fence).await?;
        let destination = files::connect(&site.files, &slice.credentials).await?;
        let workspace = Workspace::open(destination, &transfer.workspace, slice.fence.token).await?;
        let reader = SnapshotReader::open(Arc::clone(&slice.staging), &manifest_key).await?;
        let source = SourceSite::read(&reader).await?;
        let prober = prober(slice, site)?;
        let php: Option<PhpFacts> = claim.journal().get(&mut conn, "php").await?.flatten();
        let addresses = addresses(slice, site, &reader, &source, php.as_ref());
        Ok(Self {
            slice,
            options,
            site,
            cursor,
            claim,
            conn,
            workspace,
            prober,
            reader,
            manifest_key,
            source,
            php,
            addresses,
        })
    }

    /// Takes note of what the destination's PHP said.
    pub(super) fn set_php(&mut self, php: Option<PhpFacts>) {
        self.addresses = addresses(self.slice, self.site, &self.reader, &self.source, php.as_ref());
        self.php = php;
    }

    /// The journal.
    pub(super) fn journal(&self) -> Journal {
        self.claim.journal()
    }

    /// An entry of the journal that must be there.
    pub(super) async fn entry<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, SliceError> {
        let entry = self.journal().get(&mut self.conn, key).await?;
        entry.ok_or_else(|| {
            SliceError::failed("destination.changed_underfoot", format!("the journal lacks {key}"))
        })
    }

    /// The prefix of the site's tables at the source.
    pub(super) fn prefix_from(&self) -> &str {
        &self.reader.manifest().source.table_prefix
    }

    /// The prefix of the site's tables at the destination.
    pub(super) fn prefix_to(&self) -> &str {
        self.site.database.table_prefix.as_deref().unwrap_or_else(|| self.prefix_from())
    }

    /// The journal as the file swap sees it.
    pub(super) async fn swap_log(&self) -> Result<SwapLog, SliceError> {
        SwapLog::open(&self.claim, SWAP_CONNECTION).await
    }

    /// Publishes progress of a step that counts rows.
    pub(super) fn progress(&self, step: Step, rows: Count, bytes: Count) {
        let mut progress = Progress::at(Phase::Import, step.as_str());
        progress.rows = rows;
        progress.bytes = bytes;
        self.slice.progress(progress);
    }
}

/// Where the site goes. The document root is what was configured, else what PHP says, else what the account sees.
fn addresses(
    slice: &Slice,
    site: &HostedSite,
    reader: &SnapshotReader,
    source: &SourceSite,
    php: Option<&PhpFacts>,
) -> Addresses {
    let said = php.map(|php| php.folder.as_str()).filter(|folder| folder.starts_with('/'));
    let root = match (&site.document_root, said) {
        (None, Some(folder)) => folder,
        (Some(_) | None, _) => site.document_root(),
    };
    let options = &slice.migration.options;
    let goal = Goal {
        url: options.destination_url.as_ref().unwrap_or(&site.url),
        root: Some(root),
        paths: &options.paths,
    };
    Addresses::new(&reader.manifest().source, &source.paths, goal)
}

/// The destination, which an import cannot do without.
pub(super) fn hosted(slice: &Slice) -> Result<&HostedSite, SliceError> {
    match &slice.migration.destination {
        DestinationSpec::Hosted(site) => Ok(site),
        DestinationSpec::Noop => {
            Err(SliceError::failed("worker.incompatible", "this destination is a no-op"))
        }
    }
}

/// What looks at the destination.
pub(super) fn prober(slice: &Slice, site: &HostedSite) -> Result<Prober, SliceError> {
    Prober::new(&site.url, slice.migration.options.destination_url.as_ref())
        .map_err(|error| SliceError::failed("worker.internal", format!("no HTTP client: {error}")))
}

/// What an earlier phase left for this one.
pub(super) fn output<T: DeserializeOwned>(slice: &Slice, phase: Phase) -> Result<T, SliceError> {
    let outputs: &BTreeMap<Phase, serde_json::Value> = &slice.migration.outputs;
    let value = outputs.get(&phase).cloned().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| SliceError::failed("worker.incompatible", format!("the output of {phase}: {error}")))
}
