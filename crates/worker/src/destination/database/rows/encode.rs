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

/// Turns the rows of a part into statements, one at a time: a part in memory once is enough.
#[derive(Debug)]
pub struct PartEncoder {
    /// The rows that are left.
    block: RowBlock,
    /// What the statements so far come to.
    done: PartDone,
}

impl PartEncoder {
    /// At the beginning of a part.
    pub fn new(block: RowBlock) -> Self {
        Self { block, done: PartDone::default() }
    }

    /// What all statements so far come to.
    pub fn done(&self) -> &PartDone {
        &self.done
    }

    /// The next statement; none at the end of the part. Takes some milliseconds of a core: not for a thread that has
    /// others to serve.
    pub fn next(
        &mut self,
        table: &LoadTable,
        rewriter: Option<&Rewriter>,
        rules: &dyn RowRules,
    ) -> Result<Option<Statement>, DatabaseError> {
        let block = self.block.clone();
        let mut draft = Draft { table, statement: None, open: Vec::new() };
        let mut stats = Stats::default();
        let mut frame = Vec::new();
        let (mut rows, mut at) = (0, 0);
        let walked = block.for_each_row::<Stop>(table.width, |row| {
            let mut values: Values<'_> =
                table.columns.iter().map(|column| row[column.at].map(Cow::Borrowed)).collect();
            if rules.keeps(&values) {
                let set = rules.set(&mut values);
                // A row that does not fit is looked at again for the next statement: its counts must not stay.
                let mut own = Stats::default();
                if let Some(rewriter) = rewriter {
                    rewrite(table, rewriter, &set, &mut values, &mut own);
                }
                frame.clear();
                for (column, value) in table.columns.iter().zip(&values) {
                    push_canonical(&mut frame, column.canon, value.as_deref());
                }
                let longest = values.iter().flatten().map(|value| value.len() as u64).max().unwrap_or(0);
                draft.push(&block, values)?;
                stats.merge(&own);
                self.done.hash.add_row(&frame);
                self.done.value_bytes_max = self.done.value_bytes_max.max(longest);
                self.done.rows += 1;
            } else {
                self.done.left_out += 1;
            }
            rows += 1;
            at += row.iter().map(|value| 4 + value.map_or(0, <[u8]>::len)).sum::<usize>();
            Ok(())
        });
        match walked {
            Ok(()) | Err(Stop::Full) => {}
            Err(Stop::Block(bad)) => return Err(DatabaseError::refused("staging.corrupt", bad.to_string())),
            Err(Stop::Refused(error)) => return Err(error),
        }
        self.block = RowBlock { rows: block.rows - rows, bytes: block.bytes.slice(at..) };
        self.done.rewrite.add(&RewriteCounts::from(&stats));
        Ok(draft.finish())
    }
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

/// Why a walk over rows ends before their end.
enum Stop {
    /// The statement takes no more.
    Full,
    /// The block is damaged.
    Block(BadBlock),
    /// A row cannot be sent.
    Refused(DatabaseError),
}

impl From<BadBlock> for Stop {
    fn from(error: BadBlock) -> Self {
        Stop::Block(error)
    }
}

/// A statement in the making.
struct Draft<'a> {
    table: &'a LoadTable,
    statement: Option<Statement>,
    /// The INSERT that rows are added to; empty where there is none.
    open: Vec<u8>,
}

impl Draft<'_> {
    fn push(&mut self, block: &RowBlock, values: Values<'_>) -> Result<(), Stop> {
        let length: usize = values.iter().map(|value| Literal::length_max(value.as_deref()) + 2).sum();
        let limits = self.table.limits;
        let packet = limits.packet_max.saturating_sub(PACKET_MARGIN + self.table.insert_head.len());
        let is_streamed = length > packet || (length > STREAMED_MIN && limits.local_infile);
        let is_full = !self.open.is_empty() && self.open.len() + length > STATEMENT_MAX.min(packet);
        if self.statement.is_some() || is_full || (is_streamed && !self.open.is_empty()) {
            return Err(Stop::Full);
        }
        if is_streamed && !limits.local_infile {
            return Err(Stop::Refused(self.too_large(length)));
        }
        if is_streamed {
            let owned = values.into_iter().map(|value| value.map(|value| into_bytes(block, value)));
            self.statement = Some(Statement::Streamed(owned.collect()));
        } else {
            self.append(&values, length);
        }
        Ok(())
    }

    fn finish(self) -> Option<Statement> {
        self.statement.or_else(|| (!self.open.is_empty()).then_some(Statement::Insert(self.open)))
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
