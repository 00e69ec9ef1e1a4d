//! Absolute paths at a destination.

use super::FilesError;
use crate::model::SitePath;

/// An absolute path as the destination's account sees it: raw bytes, no empty, `.` or `..` part.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestPath {
    /// The parts joined by `/`, with a `/` before; empty for the root folder itself.
    bytes: Vec<u8>,
}

impl DestPath {
    /// Reads a configured folder; doubled and trailing slashes are dropped.
    pub fn parse(text: &str) -> Result<Self, FilesError> {
        let bad = || FilesError::BadRoot { path: text.chars().take(200).collect() };
        let rest = text.strip_prefix('/').ok_or_else(bad)?;
        let mut bytes = Vec::with_capacity(text.len());
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            if part == "." || part == ".." || part.contains('\0') {
                return Err(bad());
            }
            bytes.push(b'/');
            bytes.extend_from_slice(part.as_bytes());
        }
        Ok(Self { bytes })
    }

    /// A path below this one.
    #[must_use]
    pub fn join(&self, path: &SitePath) -> Self {
        self.append(path.as_bytes())
    }

    /// A name in this folder. The name is one of ours, or one that a listing gave.
    #[must_use]
    pub fn child(&self, name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref();
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        self.append(name)
    }

    /// The folder that it is in; none for the root folder.
    pub fn parent(&self) -> Option<Self> {
        let at = self.bytes.iter().rposition(|b| *b == b'/')?;
        Some(Self { bytes: self.bytes[..at].to_vec() })
    }

    /// Its last part; none for the root folder.
    pub fn name(&self) -> Option<&[u8]> {
        let at = self.bytes.iter().rposition(|b| *b == b'/')?;
        Some(&self.bytes[at + 1..])
    }

    /// The whole path, `/` for the root folder.
    pub fn as_bytes(&self) -> &[u8] {
        if self.bytes.is_empty() { b"/" } else { &self.bytes }
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    fn append(&self, rest: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 1 + rest.len());
        bytes.extend_from_slice(&self.bytes);
        bytes.push(b'/');
        bytes.extend_from_slice(rest);
        Self { bytes }
    }
}

impl std::fmt::Display for DestPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl std::fmt::Debug for DestPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_absolute_and_does_not_climb() {
        assert_eq!(DestPath::parse("/var//www/").unwrap().to_string(), "/var/www");
        assert_eq!(DestPath::parse("/").unwrap().as_bytes(), b"/");
        for bad in ["", "www", "/a/../b", "/a/./b", "/a\0"] {
            assert!(DestPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_child_knows_its_parent() {
        let root = DestPath::parse("/").unwrap();
        let child = root.child("htdocs");
        assert_eq!(child.as_bytes(), b"/htdocs");
        assert_eq!(child.parent(), Some(root.clone()));
        assert_eq!(root.parent(), None);
        assert_eq!(child.name(), Some(&b"htdocs"[..]));
    }
}
