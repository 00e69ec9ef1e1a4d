//! Where the source's WordPress had its folders, as its preflight told, and where they are in the copied tree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::snapshot_format::{SnapshotReader, SourceFacts};

/// What the import needs of the plugin's preflight answer. Everything else in it is passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SourceSite {
    /// Folders.
    pub paths: Layout,
    /// Constants of `wp-config.php`, by name.
    pub(super) constants: serde_json::Map<String, serde_json::Value>,
    /// WordPress.
    pub wordpress: WordPressSite,
}

/// Facts of WordPress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WordPressSite {
    /// The site's title.
    pub title: String,
    /// Its version.
    pub version: String,
}

/// Folders of the source. `places` and `mounts` are relative to the copied tree's root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Layout {
    /// Real path of the folder that the home URL shows: the root of the tree.
    pub root: String,
    /// Real path of WordPress itself.
    pub abspath: String,
    /// Where `content`, `plugins`, `mu_plugins`, `uploads` are in the tree.
    pub places: BTreeMap<String, String>,
    /// Folders of the tree that lie elsewhere on disk.
    pub mounts: Vec<Mount>,
}

/// A folder of the tree and where it is on the source's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mount {
    /// Path in the tree; empty for the root.
    pub at: String,
    /// Real path.
    pub path: String,
}

impl SourceSite {
    /// Reads it out of the snapshot; what is missing there is filled from the snapshot's own facts.
    pub(super) async fn read(reader: &SnapshotReader) -> Result<Self, crate::snapshot_format::SnapshotError> {
        let mut site: SourceSite = reader.preflight().await?;
        site.paths.fill(&reader.manifest().source);
        Ok(site)
    }
}

impl Layout {
    fn fill(&mut self, facts: &SourceFacts) {
        if self.root.is_empty() {
            self.root = facts.paths.get("root").cloned().unwrap_or_default();
        }
        if self.abspath.is_empty() {
            self.abspath.clone_from(&self.root);
        }
    }

    /// Where WordPress itself is in the tree: empty for its root, else a path without slashes at its ends.
    pub(super) fn core(&self) -> &str {
        let root = self.root.trim_end_matches('/');
        let below =
            self.abspath.trim_end_matches('/').strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        below.unwrap_or("")
    }

    /// Where one of WordPress' folders is in the tree.
    pub(super) fn place(&self, name: &str) -> String {
        if let Some(place) = self.places.get(name) {
            return place.trim_matches('/').to_owned();
        }
        self.usual_place(name)
    }

    /// Where WordPress looks for a folder unless `wp-config.php` says otherwise.
    pub(super) fn usual_place(&self, name: &str) -> String {
        let below_content = |folder: &str| format!("{}/{folder}", self.place("content"));
        match name {
            "plugins" => below_content("plugins"),
            "mu_plugins" => below_content("mu-plugins"),
            "uploads" => below_content("uploads"),
            _ => join(self.core(), "wp-content"),
        }
    }
}

/// Two parts of a path, either of which may be empty.
pub(super) fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_core_is_found_below_the_root() {
        let mut layout =
            Layout { root: "/srv/old/".into(), abspath: "/srv/old/wp/".into(), ..Layout::default() };
        assert_eq!(layout.core(), "wp");
        assert_eq!(layout.place("content"), "wp/wp-content");
        layout.places.insert("content".into(), "app".into());
        assert_eq!(layout.place("plugins"), "app/plugins");
        layout.abspath = "/srv/old".into();
        assert_eq!(layout.core(), "");
        layout.abspath = "/srv/older".into();
        assert_eq!(layout.core(), "");
    }
}
