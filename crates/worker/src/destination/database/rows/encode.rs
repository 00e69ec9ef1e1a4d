//! Rows of the snapshot into statements: rewritten, hashed, written.

use std::borrow::Cow;

use bytes::Bytes;
use landfall_rewrite::{ColumnRule, Rewriter, Stats};

use super::{
    LoadTable, PACKET_MARGIN, PartDone, RewriteCounts, STATEMENT_MAX, STREAMED_MIN, Statement, push_canonical,
};
use crate::destination::database::DatabaseError;
use crate::destination::database::sql::Literal;
use crate::model::{BadBlock, RowBlock};

/// A row's values in the order of the loaded columns, as they will be written.
type Values<'a> = Vec<Option<Cow<'a, [u8]>>>;

/// What is done with the values of a row before the general rewriting.
pub trait RowRules: Send + Sync {
    /// Whether the row goes in at all. `values` are as the snapshot has them.
    fn keeps(&self, values: &[Option<Cow<'_, [u8]>>]) -> bool;

    /// Sets values that have a rule of their own; those set are not rewritten any further.
    fn set(&self, values: &mut [Option<Cow<'_, [u8]>>]) -> Vec<usize>;
}

/// A part of a table, ready to be sent.
#[derive(Debug)]
pub struct EncodedPart {
    /// The statements, in any order.
    pub statements: Vec<Statement>,
    /// What they come to.
    pub done: PartDone,
}

/// Encodes a part. Takes some milliseconds of a core for each MiB: not for a thread that has others to serve.
pub fn encode(
    table: &LoadTable,
    block: &RowBlock,
    rewriter: Option<&Rewriter>,
    rules: &dyn RowRules,
) -> Result<EncodedPart, DatabaseError> {
    let mut encoder = Encoder { table, statements: Vec::new(), open: Vec::new(), done: PartDone::default() };
    let mut stats = Stats::default();
    let mut frame = Vec::new();
    block.for_each_row::<EncodeError>(table.width, |row| {
        let mut values: Values<'_> =
            table.columns.iter().map(|column| row[column.at].map(Cow::Borrowed)).collect();
        if !rules.keeps(&values) {
            encoder.done.left_out += 1;
            return Ok(());
        }
        let set = rules.set(&mut values);
        if let Some(rewriter) = rewriter {
            rewrite(table, rewriter, &set, &mut values, &mut stats);
        }
        frame.clear();
        for (column, value) in table.columns.iter().zip(&values) {
            push_canonical(&mut frame, column.canon, value.as_deref());
        }
        encoder.done.hash.add_row(&frame);
        encoder.done.rows += 1;
        encoder.push(block, values).map_err(EncodeError::Refused)
    })?;
    encoder.close();
    encoder.done.rewrite = RewriteCounts::from(&stats);
    Ok(EncodedPart { statements: encoder.statements, done: encoder.done })
}

fn rewrite<'a>(
    table: &LoadTable,
    rewriter: &Rewriter,
    set: &[usize],
    values: &mut Values<'a>,
    stats: &mut Stats,
) {
    for (at, (column, value)) in table.columns.iter().zip(values.iter_mut()).enumerate() {
        if column.rule == ColumnRule::Skip || set.contains(&at) {
            continue;
        }
        if let Some(Cow::Borrowed(bytes)) = value {
            *value = Some(rewriter.rewrite(bytes, column.rule, stats));
        }
    }
}

enum EncodeError {
    Block(BadBlock),
    Refused(DatabaseError),
}

impl From<BadBlock> for EncodeError {
    fn from(error: BadBlock) -> Self {
        EncodeError::Block(error)
    }
}

impl From<EncodeError> for DatabaseError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Block(bad) => DatabaseError::refused("staging.corrupt", bad.to_string()),
            EncodeError::Refused(error) => error,
        }
    }
}

struct Encoder<'a> {
    table: &'a LoadTable,
    statements: Vec<Statement>,
    /// The INSERT that rows are still added to; empty where there is none.
    open: Vec<u8>,
    done: PartDone,
}

impl Encoder<'_> {
    fn push(&mut self, block: &RowBlock, values: Values<'_>) -> Result<(), DatabaseError> {
        let length: usize = values.iter().map(|value| Literal::length_max(value.as_deref()) + 2).sum();
        let limits = self.table.limits;
        let packet = limits.packet_max.saturating_sub(PACKET_MARGIN + self.table.insert_head.len());
        if length > packet || (length > STREAMED_MIN && limits.local_infile) {
            if !limits.local_infile {
                return Err(self.too_large(length));
            }
            let owned = values.into_iter().map(|value| value.map(|value| into_bytes(block, value)));
            self.statements.push(Statement::Streamed(owned.collect()));
            return Ok(());
        }
        if !self.open.is_empty() && self.open.len() + length > STATEMENT_MAX.min(packet) {
            self.close();
        }
        self.append(&values, length);
        Ok(())
    }

    fn append(&mut self, values: &Values<'_>, length: usize) {
        if self.open.is_empty() {
            self.open.reserve(length + self.table.insert_head.len());
            self.open.extend_from_slice(&self.table.insert_head);
        } else {
            self.open.extend_from_slice(b",\n");
        }
        self.open.push(b'(');
        for (at, (column, value)) in self.table.columns.iter().zip(values).enumerate() {
            if at > 0 {
                self.open.push(b',');
            }
            column.literal.push(&mut self.open, value.as_deref());
        }
        self.open.push(b')');
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.statements.push(Statement::Insert(std::mem::take(&mut self.open)));
        }
    }

    fn too_large(&self, length: usize) -> DatabaseError {
        let packet = self.table.limits.packet_max;
        let detail = format!(
            "table {} has a row that needs a packet of up to {length} bytes; the server takes {packet} and refuses \
             LOAD DATA LOCAL",
            self.table.target
        );
        DatabaseError::refused("destination.row_too_large", detail)
    }
}

/// A value that was not changed stays a part of the block's buffer.
fn into_bytes(block: &RowBlock, value: Cow<'_, [u8]>) -> Bytes {
    match value {
        Cow::Borrowed(part) => block.bytes.slice_ref(part),
        Cow::Owned(bytes) => bytes.into(),
    }
}
