//! Whole trees as values, to be compared.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is at a path: kind, mode, time and contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File { mode: u32, mtime: i64, hash: String },
    Folder { mode: u32 },
    Link { target: Vec<u8> },
}

/// Everything below a folder, by path.
pub(crate) fn tree(root: &Path) -> BTreeMap<Vec<u8>, Node> {
    let mut nodes = BTreeMap::new();
    let mut stack = vec![root.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let mode = meta.mode() & 0o7777;
            let node = if meta.is_dir() {
                stack.push(path.clone());
                Node::Folder { mode }
            } else if meta.is_symlink() {
                Node::Link { target: std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec() }
            } else {
                let hash = blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string();
                Node::File { mode, mtime: meta.mtime(), hash }
            };
            nodes.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), node);
        }
    }
    nodes
}
