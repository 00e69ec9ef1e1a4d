//! The hashes of a snapshot: of contents, of files too large for one piece, of tables as multisets.

use blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Serialize};

use super::CHUNK_BYTES;
use crate::model::{BadBlock, RowBlock};

/// A BLAKE3 hash; 64 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(blake3::Hash);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes))
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<blake3::Hash> for ContentHash {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash)
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for ContentHash {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        blake3::Hash::from_hex(text).map(Self)
    }
}

/// The hash of a file that arrives in chunks of [`CHUNK_BYTES`], small enough for a checkpoint.
///
/// BLAKE3 is a tree, and a chunk is one of its subtrees, so the state between two chunks is one chaining value for each
/// set bit of the number of chunks seen. The last chunk (shorter or full) is kept apart, because the root is made
/// differently from the nodes below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeFileHash {
    /// Chunks merged into `nodes`.
    merged: u64,
    /// Chaining values of complete subtrees, largest first, as hex.
    nodes: Vec<ContentHash>,
    /// The chaining value of the newest chunk.
    newest: Option<ContentHash>,
    /// The hash as it is if the first chunk is the whole file.
    alone: Option<ContentHash>,
    /// Whether a chunk shorter than [`CHUNK_BYTES`] was seen: nothing may follow it.
    is_closed: bool,
}

/// A chunk that cannot be the next one of a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a chunk of {bytes} bytes is empty, too long, or follows a short one")]
pub struct BadChunk {
    /// Its length.
    pub bytes: usize,
}

impl LargeFileHash {
    /// Adds the next chunk: [`CHUNK_BYTES`] long, the last one shorter or as long, none empty.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), BadChunk> {
        if chunk.is_empty() || chunk.len() as u64 > CHUNK_BYTES || self.is_closed {
            return Err(BadChunk { bytes: chunk.len() });
        }
        self.is_closed = (chunk.len() as u64) < CHUNK_BYTES;
        if let Some(newest) = self.newest.take() {
            self.merge(newest);
        }
        if self.merged == 0 {
            self.alone = Some(ContentHash::of(chunk));
        } else {
            self.alone = None;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(self.merged * CHUNK_BYTES);
        hasher.update(chunk);
        self.newest = Some(ContentHash(blake3::Hash::from_bytes(hasher.finalize_non_root())));
        Ok(())
    }

    /// The hash of all chunks so far.
    pub fn finish(&self) -> ContentHash {
        if let Some(alone) = self.alone {
            return alone;
        }
        let Some(newest) = self.newest else { return ContentHash::of(b"") };
        let mut right: ChainingValue = *newest.as_bytes();
        let mut nodes = self.nodes.iter().rev().peekable();
        while let Some(left) = nodes.next() {
            if nodes.peek().is_none() {
                return ContentHash(merge_subtrees_root(left.as_bytes(), &right, Mode::Hash));
            }
            right = merge_subtrees_non_root(left.as_bytes(), &right, Mode::Hash);
        }
        newest
    }

    /// Like a binary counter: as many merges as the new number of chunks has trailing zero bits.
    fn merge(&mut self, chunk: ContentHash) {
        self.merged += 1;
        let mut node: ChainingValue = *chunk.as_bytes();
        for _ in 0..self.merged.trailing_zeros() {
            let Some(left) = self.nodes.pop() else { break };
            node = merge_subtrees_non_root(left.as_bytes(), &node, Mode::Hash);
        }
        self.nodes.push(ContentHash(blake3::Hash::from_bytes(node)));
    }
}

/// A hash of a multiset of rows: the sum, modulo 2^128, of the first 16 bytes (little-endian) of each row's BLAKE3. It
/// does not depend on the rows' order, counts duplicates, and sums of parts add up; 32 hex digits in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowsHash(u128);

impl RowsHash {
    /// Adds one row as a [`RowBlock`] frames it: for each column its length and its bytes.
    pub fn add_row(&mut self, row: &[u8]) {
        let hash = blake3::hash(row);
        let head: [u8; 16] = hash.as_bytes()[..16].try_into().expect("a BLAKE3 hash has 32 bytes");
        self.0 = self.0.wrapping_add(u128::from_le_bytes(head));
    }

    /// Adds every row of a block of a table of so many columns.
    pub fn add_block(&mut self, columns: usize, block: &RowBlock) -> Result<(), BadBlock> {
        let mut at = 0;
        block.for_each_row::<BadBlock>(columns, |row| {
            let length: usize = row.iter().map(|value| 4 + value.map_or(0, <[u8]>::len)).sum();
            self.add_row(&block.bytes[at..at + length]);
            at += length;
            Ok(())
        })
    }

    /// Adds the sum of other rows.
    pub fn add(&mut self, other: RowsHash) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl std::fmt::Display for RowsHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<RowsHash> for String {
    fn from(hash: RowsHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for RowsHash {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}
