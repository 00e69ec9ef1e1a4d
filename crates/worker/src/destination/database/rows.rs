//! Rows on their way into a shadow table: which columns go in, how their values are written, and the hash by
//! which what was written is compared with what is there.

mod encode;
mod load_data;
mod read_back;

use bytes::Bytes;
use landfall_rewrite::{ColumnRule, column_rule};
use serde::{Deserialize, Serialize};

use super::sql::{Literal, quote};
use crate::hex::sha256_hex;
use crate::model::{Column, RowBlock, Table};
use crate::snapshot_format::RowsHash;

pub use encode::{PartEncoder, RowRules};
pub(crate) use load_data::roll_back;
pub use read_back::read_back;

/// The largest INSERT, in bytes: 256 KB to 1 MB are as fast as the server gets.
const STATEMENT_MAX: usize = 768 * 1024;
/// Rows from this size on go by LOAD DATA LOCAL, which streams them, where the server allows it.
const STREAMED_MIN: usize = 1024 * 1024;
/// Kept free of a packet for the statement around a row.
const PACKET_MARGIN: usize = 16 * 1024;

/// How a column's value enters the hash: some types have several texts for one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Canon {
    /// As it is.
    Raw,
    /// A float of 32 bits.
    Single,
    /// A float of 64 bits.
    Double,
    /// A native JSON column, which the server spells in its own way.
    Json,
}

/// A column that goes into the shadow table.
#[derive(Debug, Clone)]
pub struct LoadColumn {
    /// Its place in the snapshot's rows.
    at: usize,
    name: String,
    literal: Literal,
    canon: Canon,
    rule: ColumnRule,
}

/// A table that is being loaded.
#[derive(Debug, Clone)]
pub struct LoadTable {
    /// The shadow table, quoted.
    target: String,
    /// Columns of the snapshot's rows, those included that are not loaded.
    width: usize,
    columns: Vec<LoadColumn>,
    insert_head: Vec<u8>,
    limits: PacketLimits,
}

/// What one statement may hold at this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketLimits {
    /// The server's largest packet.
    pub packet_max: usize,
    /// Whether LOAD DATA LOCAL is allowed.
    pub local_infile: bool,
}

/// What the rewriting of a table's values did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteCounts {
    /// Values that came out with other bytes.
    pub values_changed: u64,
    /// Replacements of addresses and paths.
    pub replacements: u64,
    /// Values in which lengths of serialized data were counted anew.
    pub serialized: u64,
    /// Damaged or unsafe pieces that hold an old address and were left byte-identical.
    pub damaged_left: u64,
    /// Base64 that holds an old address and was left.
    pub base64_left: u64,
}

/// What one part of a table came to; kept in the journal, committed with its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDone {
    /// Rows written.
    pub rows: u64,
    /// Rows left out.
    pub left_out: u64,
    /// The hash of the rows written.
    pub hash: RowsHash,
    /// Bytes of the longest value written.
    #[serde(default)]
    pub value_bytes_max: u64,
    /// Rewriting.
    pub rewrite: RewriteCounts,
}

/// One statement of a part.
#[derive(Debug)]
pub enum Statement {
    /// A multi-row INSERT.
    Insert(Vec<u8>),
    /// One large row for LOAD DATA LOCAL, its values in the order of the loaded columns.
    Streamed(Vec<Option<Bytes>>),
}

impl LoadTable {
    /// The table of the snapshot, loaded into `target`; `prefix` is the site's at the source.
    pub fn new(table: &Table, target: &str, prefix: &str, limits: PacketLimits) -> Self {
        let bare = table.name.strip_prefix(prefix).unwrap_or(&table.name);
        let loaded = table.columns.iter().enumerate().filter(|(_, column)| !column.generated);
        let columns: Vec<LoadColumn> = loaded.map(|(at, column)| LoadColumn::new(at, bare, column)).collect();
        let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
        let target = quote(target);
        let insert_head = format!("INSERT INTO {target} ({}) VALUES ", names.join(", ")).into_bytes();
        Self { target, width: table.columns.len(), columns, insert_head, limits }
    }

    /// The place of a column among those that are loaded.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|loaded| loaded.name.eq_ignore_ascii_case(column))
    }
}

impl LoadColumn {
    fn new(at: usize, table: &str, column: &Column) -> Self {
        let literal = Literal::of(column);
        let is_text = literal == Literal::Raw && column.charset.is_some() || column.data_type == "json";
        let canon = match column.data_type.as_str() {
            "float" => Canon::Single,
            "double" | "real" => Canon::Double,
            "json" => Canon::Json,
            _ => Canon::Raw,
        };
        Self {
            at,
            name: column.name.clone(),
            literal,
            canon,
            rule: column_rule(table, &column.name, !is_text),
        }
    }
}

impl RewriteCounts {
    /// Adds what another part's rewriting did.
    pub fn add(&mut self, other: &Self) {
        self.values_changed += other.values_changed;
        self.replacements += other.replacements;
        self.serialized += other.serialized;
        self.damaged_left += other.damaged_left;
        self.base64_left += other.base64_left;
    }
}

impl From<&landfall_rewrite::Stats> for RewriteCounts {
    fn from(stats: &landfall_rewrite::Stats) -> Self {
        Self {
            values_changed: stats.values_changed,
            replacements: stats.replaced_total(),
            serialized: stats.serialized_rewritten,
            damaged_left: stats.damaged_left,
            base64_left: stats.base64_left,
        }
    }
}

impl PartDone {
    /// Adds another part of the same table.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.left_out += other.left_out;
        self.hash.add(other.hash);
        self.value_bytes_max = self.value_bytes_max.max(other.value_bytes_max);
        self.rewrite.add(&other.rewrite);
    }
}

/// Values from this size on enter the frame by their SHA-256, which the server makes as well: a value of many MiB does not
/// travel back, where it would be in memory several times.
const LONG_VALUE: usize = 256 * 1024;

/// Appends a value to the frame of its row, in the spelling that the hash is made of.
fn push_canonical(frame: &mut Vec<u8>, canon: Canon, value: Option<&[u8]>) {
    let mut push = |value: &[u8]| RowBlock::push_value(frame, Some(value));
    let Some(bytes) = value else { return RowBlock::push_value(frame, None) };
    let number = || std::str::from_utf8(bytes).ok()?.trim().parse::<f64>().ok();
    match canon {
        Canon::Raw if bytes.len() >= LONG_VALUE => push(sha256_hex(bytes).as_bytes()),
        Canon::Raw => push(bytes),
        Canon::Single => {
            // Adding zero makes one of both zeros.
            let single = number().map(|number| (number as f32 + 0.0).to_bits().to_le_bytes());
            push(single.as_ref().map_or(bytes, |bits| bits));
        }
        Canon::Double => {
            let double = number().map(|number| (number + 0.0).to_bits().to_le_bytes());
            push(double.as_ref().map_or(bytes, |bits| bits));
        }
        Canon::Json => {
            let json = serde_json::from_slice::<serde_json::Value>(bytes).map(|json| json.to_string());
            push(json.as_ref().map_or(bytes, |json| json.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests;
