//! Listings: zstd-compressed NDJSON, one entry a line.

use std::io::Write as _;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SnapshotError, ZSTD_LEVEL, decompress};

/// Writes a listing, compressing as it goes.
pub struct ListingWriter {
    encoder: zstd::stream::Encoder<'static, Vec<u8>>,
    entries: u64,
}

impl ListingWriter {
    /// An empty listing.
    pub fn new() -> Result<Self, SnapshotError> {
        let encoder = zstd::stream::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(SnapshotError::encoder)?;
        Ok(Self { encoder, entries: 0 })
    }

    /// Adds one line.
    pub fn push(&mut self, entry: &impl Serialize) -> Result<(), SnapshotError> {
        let mut line = serde_json::to_vec(entry).map_err(SnapshotError::encoder)?;
        line.push(b'\n');
        self.encoder.write_all(&line).map_err(SnapshotError::encoder)?;
        self.entries += 1;
        Ok(())
    }

    /// Its lines so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The object's bytes and its number of lines.
    pub fn finish(self) -> Result<(Bytes, u64), SnapshotError> {
        let bytes = self.encoder.finish().map_err(SnapshotError::encoder)?;
        Ok((bytes.into(), self.entries))
    }
}

/// The entries of a listing whose object's key is `key`.
pub fn read_listing<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<Vec<T>, SnapshotError> {
    let plain = decompress(key, bytes, 0)?;
    plain
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(|e| SnapshotError::corrupt(key, e)))
        .collect()
}
