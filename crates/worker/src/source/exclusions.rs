//! What is left out of a source's files. The list travels with each request, so the owner sees and can change it; the
//! plugin itself leaves out only `wp-config.php`.

use serde::{Deserialize, Serialize};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Short stable name, shown in the report: `cache`, `backups`, …
    pub id: String,
    /// How `value` is compared.
    #[serde(rename = "match")]
    pub matches: ExclusionMatch,
    /// A path of the tree (`{content}` and `{uploads}` stand for WordPress' folders), a name, or a name with `*` and `?`.
    pub value: String,
}

/// How a rule is compared with the tree. A folder that matches is left out with all that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionMatch {
    /// Exactly this path of the tree.
    Path,
    /// This name in any folder.
    Name,
    /// This pattern of a name in any folder.
    Glob,
}

/// What is left out unless the owner says otherwise: caches, other tools' backups, logs, version control, packages that
/// are built anew, and leftovers of desktops.
pub fn default_exclusions() -> Vec<Exclusion> {
    let paths = CACHES.iter().map(|path| ("cache", path)).chain(BACKUPS.iter().map(|path| ("backups", path)));
    let names = [
        ("version_control", ".git"),
        ("version_control", ".svn"),
        ("version_control", ".hg"),
        ("node_modules", "node_modules"),
        ("desktop", ".DS_Store"),
        ("desktop", "Thumbs.db"),
        ("desktop", "__MACOSX"),
    ];
    let globs = [("logs", "error_log"), ("logs", "*.log"), ("logs", "php_errorlog"), ("backups", "*.wpress")];
    let rule =
        |id: &str, matches, value: &str| Exclusion { id: id.to_owned(), matches, value: value.to_owned() };
    paths
        .map(|(id, path)| rule(id, ExclusionMatch::Path, path))
        .chain(names.map(|(id, name)| rule(id, ExclusionMatch::Name, name)))
        .chain(globs.map(|(id, glob)| rule(id, ExclusionMatch::Glob, glob)))
        .collect()
}

const CACHES: [&str; 13] = [
    "{content}/cache",
    "{content}/litespeed",
    "{content}/wphb-cache",
    "{content}/et-cache",
    "{content}/endurance-page-cache",
    "{content}/upgrade",
    "{content}/upgrade-temp-backup",
    "{content}/wflogs",
    "{content}/w3tc-config",
    "{uploads}/cache",
    "{uploads}/wpcf7_captcha",
    "{uploads}/wp-file-manager-pro/fm_backup",
    ".maintenance",
];

const BACKUPS: [&str; 14] = [
    "{content}/ai1wm-backups",
    "{content}/backups",
    "{content}/backups-dup-lite",
    "{content}/backups-dup-pro",
    "{content}/updraft",
    "{content}/backupwordpress",
    "{content}/managewp",
    "{content}/wpvividbackups",
    "{content}/backuply",
    "{content}/migrate-guru",
    "{uploads}/backupbuddy_backups",
    "{uploads}/wp-migrate-db",
    "{uploads}/snapshots",
    "wp-snapshots",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_list_travels_as_the_plugin_reads_it() {
        let rules = default_exclusions();
        assert!(rules.len() < 500, "the plugin takes 500 rules");
        let text = serde_json::to_string(&rules[0]).unwrap();
        assert_eq!(text, r#"{"id":"cache","match":"path","value":"{content}/cache"}"#);
    }
}
