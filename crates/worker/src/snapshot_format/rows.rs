//! Rows parts: a documented header line, then rows in the framing of [`RowBlock`], compressed with zstd.

use std::io::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ROWS_BYTES, RowsHash, SnapshotError, ZSTD_LEVEL, decompress};
use crate::model::{RowBlock, Table};

/// The first bytes of a rows part.
const MAGIC: &[u8] = b"LANDFALL-ROWS 1\n";

/// The header: one line of JSON after the magic, so that a part explains itself.
#[derive(Debug, Serialize, Deserialize)]
struct RowsHeader {
    table: String,
    part: u32,
    columns: Vec<String>,
}

/// A closed rows part.
#[derive(Debug, Clone)]
pub struct FinishedRows {
    /// The object.
    pub bytes: Bytes,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their frames.
    pub row_bytes: u64,
    /// Their hash.
    pub rows_hash: RowsHash,
}

/// Writes a rows part, compressing and hashing as it goes.
pub struct RowsWriter {
    encoder: zstd::stream::Encoder<'static, Vec<u8>>,
    columns: usize,
    rows: u64,
    row_bytes: u64,
    rows_hash: RowsHash,
}

impl RowsWriter {
    /// An empty part of that number of a table.
    pub fn new(table: &Table, part: u32) -> Result<Self, SnapshotError> {
        let mut encoder =
            zstd::stream::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(SnapshotError::encoder)?;
        let columns = table.columns.iter().map(|c| c.name.clone()).collect();
        let header = RowsHeader { table: table.name.clone(), part, columns };
        encoder.write_all(MAGIC).map_err(SnapshotError::encoder)?;
        serde_json::to_writer(&mut encoder, &header).map_err(SnapshotError::encoder)?;
        encoder.write_all(b"\n").map_err(SnapshotError::encoder)?;
        let columns = table.columns.len();
        Ok(Self { encoder, columns, rows: 0, row_bytes: 0, rows_hash: RowsHash::default() })
    }

    /// Adds the rows of a block; a block that is not whole rows is refused.
    pub fn push(&mut self, block: &RowBlock) -> Result<(), SnapshotError> {
        self.rows_hash.add_block(self.columns, block).map_err(SnapshotError::encoder)?;
        self.encoder.write_all(&block.bytes).map_err(SnapshotError::encoder)?;
        self.rows += block.rows;
        self.row_bytes += block.bytes.len() as u64;
        Ok(())
    }

    /// Whether it is time to close it.
    pub fn is_full(&self) -> bool {
        self.row_bytes >= ROWS_BYTES
    }

    /// Bytes of frames so far.
    pub fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Closes it.
    pub fn finish(self) -> Result<FinishedRows, SnapshotError> {
        let bytes = self.encoder.finish().map_err(SnapshotError::encoder)?.into();
        Ok(FinishedRows { bytes, rows: self.rows, row_bytes: self.row_bytes, rows_hash: self.rows_hash })
    }
}

/// Room for the header of a part.
const HEADER_BYTES: u64 = 4096;

/// The rows of a part; `rows` and `row_bytes` are what the ledger says of it. Returns the columns' names as well.
pub fn read_rows(
    key: &str,
    bytes: &[u8],
    rows: u64,
    row_bytes: u64,
) -> Result<(Vec<String>, RowBlock), SnapshotError> {
    let plain = Bytes::from(decompress(key, bytes, row_bytes.saturating_add(HEADER_BYTES))?);
    let rest = plain.strip_prefix(MAGIC).ok_or_else(|| SnapshotError::corrupt(key, "it is no rows part"))?;
    let line =
        rest.iter().position(|b| *b == b'\n').ok_or_else(|| SnapshotError::corrupt(key, "no header"))?;
    let header: RowsHeader =
        serde_json::from_slice(&rest[..line]).map_err(|e| SnapshotError::corrupt(key, e))?;
    let start = MAGIC.len() + line + 1;
    Ok((header.columns, RowBlock { rows, bytes: plain.slice(start..) }))
}
