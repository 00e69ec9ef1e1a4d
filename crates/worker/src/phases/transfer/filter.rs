//! What of a snapshot has no place at another host.

use crate::destination::files::Probe;
use crate::model::{EntryKind, FileEntry, SitePath};
use base64::Engine as _;

/// Drop-ins that belong to the old host's servers: an object cache that is not there takes the site down.
const DROP_INS: [&str; 3] = ["object-cache.php", "advanced-cache.php", "db.php"];

/// Decides what is placed.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    drop_ins: Vec<Vec<u8>>,
    source_root: Vec<u8>,
    takes_links: bool,
}

impl Filter {
    /// `content` is the path of `wp-content` in the tree, `source_root` the absolute folder of the tree at the source.
    pub(super) fn new(content: &str, source_root: &str, probe: &Probe) -> Self {
        let drop_ins = DROP_INS.map(|name| format!("{}/{name}", content.trim_matches('/')).into_bytes());
        Self {
            drop_ins: drop_ins.into(),
            source_root: source_root.trim_end_matches('/').as_bytes().to_vec(),
            takes_links: probe.takes_links,
        }
    }

    /// Why an entry is not placed; none: it is.
    pub(super) fn refusal(&self, entry: &FileEntry) -> Option<&'static str> {
        let path = entry.path.as_bytes();
        if path == b"wp-config.php" {
            return Some("wp_config");
        }
        if path == b".maintenance" {
            return Some("maintenance");
        }
        if path.starts_with(b".landfall-") {
            return Some("landfall");
        }
        if path == b".user.ini" || path.ends_with(b"/.user.ini") {
            return Some("user_ini");
        }
        if self.drop_ins.iter().any(|drop_in| drop_in == path) {
            return Some("drop_in");
        }
        match &entry.kind {
            EntryKind::Link { .. } if !self.takes_links => Some("links_unsupported"),
            EntryKind::Link { target } if self.link_target(&entry.path, target).is_none() => {
                Some("link_outside")
            }
            EntryKind::File { .. } | EntryKind::Folder | EntryKind::Link { .. } => None,
        }
    }

    /// The target that a link gets: none where it leads out of the tree. Absolute ones into the tree become relative.
    pub(super) fn link_target(&self, path: &SitePath, target: &str) -> Option<Vec<u8>> {
        let target = base64::engine::general_purpose::STANDARD.decode(target).ok()?;
        if target.is_empty() || target.contains(&0) {
            return None;
        }
        let depth = path.as_bytes().split(|b| *b == b'/').count() - 1;
        if target.starts_with(b"/") {
            let inside = target.strip_prefix(self.source_root.as_slice())?;
            let inside = inside.strip_prefix(b"/").filter(|_| !self.source_root.is_empty())?;
            let inside = SitePath::new(inside).ok()?;
            return Some([b"../".repeat(depth).as_slice(), inside.as_bytes()].concat());
        }
        // Lexically: a `..` behind a name that is itself a link could still climb, but names no more than its tree does.
        let mut level = depth;
        for part in target.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => level = level.checked_sub(1)?,
                _name => level += 1,
            }
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::files::SwapMode;

    fn filter() -> Filter {
        let probe = Probe {
            mode: SwapMode::Root,
            occupied_by: Vec::new(),
            free: None,
            folds_case: false,
            folds_forms: false,
            takes_bytes: true,
            takes_links: true,
            name_bytes_max: 255,
        };
        Filter::new("wp-content", "/srv/old/", &probe)
    }

    fn link(path: &str, target: &str) -> Option<String> {
        let target = base64::engine::general_purpose::STANDARD.encode(target);
        let target = filter().link_target(&SitePath::new(path).unwrap(), &target)?;
        Some(String::from_utf8(target).unwrap())
    }

    #[test]
    fn links_stay_in_the_tree_or_are_refused() {
        assert_eq!(link("a/b", "../c").as_deref(), Some("../c"));
        assert_eq!(link("a/b", "/srv/old/wp-content/x").as_deref(), Some("../wp-content/x"));
        for (path, target) in [
            ("a/b", "../../c"),
            ("a", ".."),
            ("a", "/etc/passwd"),
            ("a", "/srv/older/x"),
            ("a", "x/../../y"),
            ("a", ""),
        ] {
            assert_eq!(link(path, target), None, "{path} -> {target}");
        }
        assert_eq!(link("a", "/srv/old/../x"), None);
    }

    #[test]
    fn what_belongs_to_the_old_host_is_not_placed() {
        let why = |path: &str| {
            let kind = EntryKind::File { size: 1 };
            filter().refusal(&FileEntry { path: SitePath::new(path).unwrap(), kind, mtime: 0, mode: 0o644 })
        };
        assert_eq!(why("wp-config.php"), Some("wp_config"));
        assert_eq!(why("wp-content/object-cache.php"), Some("drop_in"));
        assert_eq!(why("a/.user.ini"), Some("user_ini"));
        assert_eq!(why("wp-content/plugins/x/db.php"), None);
        assert_eq!(why("sub/wp-config.php"), None);
    }
}
