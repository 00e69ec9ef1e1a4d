//! Plugins that the platform installs: zips that the operator configured, each with its pinned hash.

use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use bytes::Bytes;

use super::layout::join;
use crate::destination::files::{Meta, Workspace, remove_tree};
use crate::hex::sha256_hex;
use crate::model::SitePath;
use crate::slice::SliceError;

/// Largest zip, and largest contents of one.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
const ENTRIES_MAX: usize = 10_000;

/// A plugin of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformPlugin {
    /// The zip as WordPress takes it: one folder with the plugin in it.
    pub zip: PathBuf,
    /// Hex of the zip's SHA-256; any other zip is refused.
    pub sha256: String,
    /// The plugin's main file, `folder/file.php`: what WordPress activates.
    pub file: String,
}

/// One file of a plugin.
#[derive(Debug)]
pub(super) struct PluginFile {
    pub(super) path: SitePath,
    pub(super) contents: Bytes,
}

impl PlatformPlugin {
    /// Its folder's name.
    pub fn folder(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// Reads the zip and checks its hash.
    pub(super) async fn read(&self) -> Result<Vec<PluginFile>, SliceError> {
        let bad = |why: String| {
            SliceError::failed("worker.internal", format!("platform plugin {}: {why}", self.file))
        };
        let size = tokio::fs::metadata(&self.zip).await.map_err(|error| bad(error.to_string()))?.len();
        if size > BYTES_MAX {
            return Err(bad(format!("the zip has {size} bytes")));
        }
        let zip = tokio::fs::read(&self.zip).await.map_err(|error| bad(error.to_string()))?;
        let hash = sha256_hex(&zip);
        if !hash.eq_ignore_ascii_case(&self.sha256) {
            return Err(bad(format!("the zip has the hash {hash}, not the pinned one")));
        }
        let folder = self.folder().to_owned();
        let unzipped = tokio::task::spawn_blocking(move || unzip(&zip, &folder)).await;
        unzipped.map_err(|error| bad(error.to_string()))?.map_err(bad)
    }

    /// Puts the plugin into the staged site, in place of one of the same name that came along.
    pub(super) async fn install(&self, workspace: &Workspace, plugins: &str) -> Result<usize, SliceError> {
        let files = self.read().await?;
        let folder = path(&join(plugins, self.folder()))?;
        remove_tree(workspace.files(), &workspace.staged(&folder)).await?;
        for file in &files {
            let target = path_bytes(plugins, &file.path)?;
            let meta = Meta { mode: 0o644, mtime: 0 };
            workspace.write_staged(&target, file.contents.clone(), meta).await?;
        }
        Ok(files.len())
    }
}

/// Everything in the zip must lie within the plugin's one folder.
fn unzip(zip: &[u8], folder: &str) -> Result<Vec<PluginFile>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
    if archive.len() > ENTRIES_MAX {
        return Err(format!("the zip has {} entries", archive.len()));
    }
    let mut files = Vec::new();
    let mut left = BYTES_MAX;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|error| error.to_string())?;
        if entry.is_dir() {
            continue;
        }
        if !entry.is_file() {
            return Err(format!("entry {at} is no plain file"));
        }
        let path = SitePath::new(entry.name_raw()).map_err(|error| error.to_string())?;
        if !path.as_bytes().starts_with(format!("{folder}/").as_bytes()) {
            return Err(format!("{path:?} lies outside of {folder}/"));
        }
        let mut contents = Vec::new();
        entry.take(left + 1).read_to_end(&mut contents).map_err(|error| error.to_string())?;
        left = left
            .checked_sub(contents.len() as u64)
            .ok_or_else(|| "the zip's contents are too large".to_owned())?;
        files.push(PluginFile { path, contents: contents.into() });
    }
    Ok(files)
}

/// A path of the staged tree.
pub(super) fn path(text: &str) -> Result<SitePath, SliceError> {
    SitePath::new(text).map_err(|error| SliceError::failed("worker.internal", error.to_string()))
}

fn path_bytes(folder: &str, below: &SitePath) -> Result<SitePath, SliceError> {
    let bytes = [folder.as_bytes(), b"/", below.as_bytes()].concat();
    SitePath::new(bytes).map_err(|error| SliceError::failed("worker.internal", error.to_string()))
}
