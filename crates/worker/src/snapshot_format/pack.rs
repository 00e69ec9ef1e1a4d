//! Packs: tars of small files, folders and links, compressed with zstd, each with a listing of its entries.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use base64::Engine as _;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ndjson::{ListingWriter, read_listing};
use super::{ContentHash, PACK_BYTES, PACK_ENTRIES, SnapshotError, ZSTD_LEVEL, decompress};
use crate::model::{EntryKind, FileEntry};

/// One entry of a pack's listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedEntry {
    /// What it is, as it was when it was read.
    #[serde(flatten)]
    pub entry: FileEntry,
    /// The hash of a file's contents; none for folders and links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<ContentHash>,
}

/// A closed pack: the two objects to store, and their counts.
#[derive(Debug, Clone)]
pub struct Pack {
    /// The tar.
    pub tar: Bytes,
    /// The listing.
    pub index: Bytes,
    /// Entries.
    pub entries: u64,
    /// Regular files among them.
    pub files: u64,
    /// Bytes of their contents.
    pub file_bytes: u64,
}

/// Writes a pack, compressing as it goes, so that it holds no more than the compressed bytes.
pub struct PackWriter {
    tar: tar::Builder<zstd::stream::Encoder<'static, Vec<u8>>>,
    index: ListingWriter,
    files: u64,
    file_bytes: u64,
}

impl PackWriter {
    /// An empty pack.
    pub fn new() -> Result<Self, SnapshotError> {
        let encoder = zstd::stream::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(SnapshotError::encoder)?;
        Ok(Self { tar: tar::Builder::new(encoder), index: ListingWriter::new()?, files: 0, file_bytes: 0 })
    }

    /// Adds an entry; `contents` are a file's whole contents and nothing otherwise.
    pub fn push(&mut self, entry: &FileEntry, contents: &[u8]) -> Result<(), SnapshotError> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode & 0o7777);
        header.set_mtime(u64::try_from(entry.mtime).unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let path = OsStr::from_bytes(entry.path.as_bytes());
        let mut packed = PackedEntry { entry: entry.clone(), blake3: None };
        match &entry.kind {
            EntryKind::File { .. } => {
                let size = contents.len() as u64;
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(size);
                self.tar.append_data(&mut header, path, contents).map_err(SnapshotError::encoder)?;
                packed.entry.kind = EntryKind::File { size };
                packed.blake3 = Some(ContentHash::of(contents));
                self.files += 1;
                self.file_bytes += size;
            }
            EntryKind::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                self.tar.append_data(&mut header, path, &[][..]).map_err(SnapshotError::encoder)?;
            }
            EntryKind::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                let target = base64::engine::general_purpose::STANDARD.decode(target).unwrap_or_default();
                let target = OsStr::from_bytes(&target);
                self.tar.append_link(&mut header, path, target).map_err(SnapshotError::encoder)?;
            }
        }
        self.index.push(&packed)
    }

    /// Whether it is time to close it.
    pub fn is_full(&self) -> bool {
        self.file_bytes >= PACK_BYTES || self.index.entries() >= PACK_ENTRIES
    }

    /// Bytes of contents so far.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.index.entries()
    }

    /// Closes it.
    pub fn finish(self) -> Result<Pack, SnapshotError> {
        let encoder = self.tar.into_inner().map_err(SnapshotError::encoder)?;
        let tar = encoder.finish().map_err(SnapshotError::encoder)?.into();
        let (index, entries) = self.index.finish()?;
        Ok(Pack { tar, index, entries, files: self.files, file_bytes: self.file_bytes })
    }
}

/// The entries of a pack with their contents (slices of one buffer), each file checked against its hash.
pub fn read_pack(key: &str, tar: &[u8], index: &[u8]) -> Result<Vec<(PackedEntry, Bytes)>, SnapshotError> {
    let listed: Vec<PackedEntry> = read_listing(key, index)?;
    let expected = listed.iter().map(tar_bytes).fold(0, u64::saturating_add);
    let plain = Bytes::from(decompress(key, tar, expected)?);
    let bad = |why: &dyn std::fmt::Display| SnapshotError::corrupt(key, why);
    let mut archive = tar::Archive::new(plain.as_ref());
    let mut found = archive.entries().map_err(|e| bad(&e))?;
    let mut out = Vec::with_capacity(listed.len());
    for packed in listed {
        let entry = found.next().ok_or_else(|| bad(&"the tar has fewer entries than its listing"))?;
        let entry = entry.map_err(|e| bad(&e))?;
        if *entry.path_bytes() != *packed.entry.path.as_bytes() && !is_folder_of(&entry, &packed) {
            return Err(bad(&"the tar's entries are not those of its listing"));
        }
        let contents = match &packed.entry.kind {
            EntryKind::File { size } => {
                let start = usize::try_from(entry.raw_file_position()).map_err(|e| bad(&e))?;
                let end = usize::try_from(*size).ok().and_then(|size| start.checked_add(size));
                let end = end.filter(|end| *end <= plain.len() && entry.size() == *size);
                let contents = plain.slice(start..end.ok_or_else(|| bad(&"a file's size differs"))?);
                if packed.blake3 != Some(ContentHash::of(&contents)) {
                    return Err(bad(&"a file's hash differs"));
                }
                contents
            }
            EntryKind::Folder | EntryKind::Link { .. } => Bytes::new(),
        };
        out.push((packed, contents));
    }
    Ok(out)
}

/// At most what an entry takes in a tar, long names apart: its head, and its contents in blocks.
fn tar_bytes(packed: &PackedEntry) -> u64 {
    const BLOCK: u64 = 512;
    match packed.entry.kind {
        EntryKind::File { size } => size.saturating_add(2 * BLOCK),
        EntryKind::Folder | EntryKind::Link { .. } => BLOCK,
    }
}

/// A tar names a folder with a slash at its end.
fn is_folder_of(entry: &tar::Entry<'_, &[u8]>, packed: &PackedEntry) -> bool {
    packed.entry.kind == EntryKind::Folder
        && entry.path_bytes().strip_suffix(b"/") == Some(packed.entry.path.as_bytes())
}
