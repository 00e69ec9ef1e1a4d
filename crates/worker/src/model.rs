//! What a WordPress site is made of, as the phases hand it to one another: entries of the file tree,
//! tables and their rows. These types are what the source client yields, what the snapshot stores (as JSON,
//! and rows in [`RowBlock`]s) and what the destination is fed with. The model does no I/O.

use serde::{Deserialize, Serialize};

/// A path below one of the site's roots: raw bytes, `/`-separated, never absolute, no `.` or `..` parts.
///
/// In JSON it is base64 of the bytes, because file names are bytes and need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SitePath(Vec<u8>);

/// Why a path was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("path {path:?} is not a plain relative path: {reason}")]
pub struct BadPath {
    /// The path, lossily decoded for display.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl SitePath {
    /// Longest path accepted, in bytes.
    pub const LEN_MAX: usize = 4096;

    /// Checks containment: relative, no empty, `.` or `..` part, no NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, BadPath> {
        let bytes = bytes.into();
        let bad = |reason| BadPath { path: String::from_utf8_lossy(&bytes).into_owned(), reason };
        if bytes.is_empty() || bytes.len() > Self::LEN_MAX {
            return Err(bad("empty or longer than 4096 bytes"));
        }
        if bytes.contains(&0) {
            return Err(bad("holds a NUL byte"));
        }
        if bytes.split(|b| *b == b'/').any(|part| part.is_empty() || part == b"." || part == b"..") {
            return Err(bad("absolute, or has an empty, `.` or `..` part"));
        }
        Ok(Self(bytes))
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path for people: invalid UTF-8 shown as replacement characters.
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl std::fmt::Debug for SitePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

impl Serialize for SitePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SitePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text.as_bytes())
            .map_err(serde::de::Error::custom)?;
        SitePath::new(bytes).map_err(serde::de::Error::custom)
    }
}

/// What kind of entry a path names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum EntryKind {
    /// A regular file of `size` bytes.
    File {
        /// Size in bytes when it was listed.
        size: u64,
    },
    /// A folder, empty or not.
    Folder,
    /// A symbolic link; recorded, never followed out of the root.
    Link {
        /// The link's target as the source gave it, base64 of its bytes.
        target: String,
    },
}

/// One entry of the source's file tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it is, relative to the WordPress root (relocated folders appear where WordPress shows them).
    pub path: SitePath,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Permission bits, e.g. `0o644`.
    pub mode: u32,
}

impl FileEntry {
    /// Bytes of its contents; 0 of folders and links.
    pub fn size(&self) -> u64 {
        match self.kind {
            EntryKind::File { size } => size,
            EntryKind::Folder | EntryKind::Link { .. } => 0,
        }
    }
}

/// One column of a table, as `information_schema.COLUMNS` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `DATA_TYPE` in lower case: `varchar`, `bigint`, `longblob`, `bit`, …
    pub data_type: String,
    /// `COLUMN_TYPE`: `varchar(191)`, `bigint(20) unsigned`, …
    pub column_type: String,
    /// The character set of text columns; none for binary and numeric ones.
    pub charset: Option<String>,
    /// Whether it is generated: read, never inserted.
    pub generated: bool,
}

/// One table of the source, with everything needed to make it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name at the source.
    pub name: String,
    /// `SHOW CREATE TABLE`.
    pub create_sql: String,
    /// Its engine, lower case.
    pub engine: String,
    /// Columns in their order. Rows hold their values in this order, generated ones included.
    pub columns: Vec<Column>,
    /// The columns of the key that pages follow; empty: no usable key, read once and verified as a multiset.
    pub key: Vec<String>,
    /// The server's estimate; for progress only, never a check.
    pub rows_estimate: u64,
    /// Data bytes by the server's estimate; for progress only.
    pub bytes_estimate: u64,
}

/// A view, trigger, routine or event: made again from its SQL, never copied as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaObject {
    /// Its name at the source.
    pub name: String,
    /// The table that a trigger belongs to.
    pub table: Option<String>,
    /// `SHOW CREATE …`, with the definer still in it.
    pub create_sql: String,
    /// The `sql_mode` it was created under; empty where the server has none.
    pub sql_mode: String,
}

/// The whole schema of a source database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Base tables, by name.
    pub tables: Vec<Table>,
    /// Views.
    pub views: Vec<SchemaObject>,
    /// Triggers.
    pub triggers: Vec<SchemaObject>,
    /// Stored procedures and functions.
    pub routines: Vec<SchemaObject>,
    /// Events of the event scheduler.
    pub events: Vec<SchemaObject>,
}

/// Rows of one table in the framed format that travels from the plugin into the snapshot unchanged.
///
/// Each row: for each column in the table's order, a little-endian `u32` length, then that many raw bytes;
/// the length `0xFFFF_FFFF` stands for NULL. `BIT` travels as its unsigned decimal, `FLOAT` with all digits of the
/// `DOUBLE` that it widens to (the server shows only six: compare with `column * 1e0`), `TIMESTAMP` in UTC (load it
/// under `time_zone = '+00:00'`), all other values as the bytes that the server returns for them. A block holds
/// whole rows only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowBlock {
    /// How many rows `bytes` holds.
    pub rows: u64,
    /// The encoded rows.
    pub bytes: bytes::Bytes,
}

/// The length that marks NULL in a [`RowBlock`].
pub const NULL_LENGTH: u32 = u32::MAX;

/// A block that does not hold what it says.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a row block is cut off or has a wrong column count at byte {at}")]
pub struct BadBlock {
    /// Offset of the value that could not be read.
    pub at: usize,
}

impl RowBlock {
    /// Calls `visit` with the values of each row, in order; `None` is NULL. Nothing is copied.
    pub fn for_each_row<'a, E: From<BadBlock>>(
        &'a self,
        columns: usize,
        mut visit: impl FnMut(&[Option<&'a [u8]>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut values: Vec<Option<&'a [u8]>> = Vec::with_capacity(columns);
        let mut at = 0;
        for _ in 0..self.rows {
            values.clear();
            for _ in 0..columns {
                values.push(read_value(&self.bytes, &mut at)?);
            }
            visit(&values)?;
        }
        if at == self.bytes.len() { Ok(()) } else { Err(BadBlock { at }.into()) }
    }

    /// Appends one value to a row that is being built.
    pub fn push_value(buffer: &mut Vec<u8>, value: Option<&[u8]>) {
        match value {
            None => buffer.extend_from_slice(&NULL_LENGTH.to_le_bytes()),
            Some(bytes) => {
                let length = u32::try_from(bytes.len()).expect("a value is smaller than 4 GiB");
                buffer.extend_from_slice(&length.to_le_bytes());
                buffer.extend_from_slice(bytes);
            }
        }
    }
}

fn read_value<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<&'a [u8]>, BadBlock> {
    let bad = BadBlock { at: *at };
    let Some(head) = bytes.get(*at..*at + 4) else { return Err(bad) };
    let length = u32::from_le_bytes(head.try_into().expect("four bytes"));
    *at += 4;
    if length == NULL_LENGTH {
        return Ok(None);
    }
    let end = at.checked_add(length as usize).filter(|end| *end <= bytes.len()).ok_or(bad)?;
    let value = &bytes[*at..end];
    *at = end;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\0b"] {
            assert!(SitePath::new(bad).is_err(), "{bad:?}");
        }
        assert!(SitePath::new(&b"wp-content/\xff.txt"[..]).is_ok());
    }

    #[test]
    fn a_block_gives_back_its_rows_and_refuses_a_cut_one() {
        let mut buffer = Vec::new();
        for value in [Some(&b"1"[..]), None, Some(b""), Some(b"x")] {
            RowBlock::push_value(&mut buffer, value);
        }
        let mut seen = Vec::new();
        let block = RowBlock { rows: 2, bytes: buffer.into() };
        block
            .for_each_row::<BadBlock>(2, |row| {
                seen.push(row.iter().map(|v| v.map(<[u8]>::to_vec)).collect::<Vec<_>>());
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [vec![Some(b"1".to_vec()), None], vec![Some(vec![]), Some(b"x".to_vec())]]);
        let cut = RowBlock { rows: 2, bytes: block.bytes.slice(..block.bytes.len() - 1) };
        assert!(cut.for_each_row::<BadBlock>(2, |_| Ok(())).is_err());
    }
}
