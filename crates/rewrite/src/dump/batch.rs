//! A stretch of a dump that ends between two rows, and the literals in it: what can be rewritten on its own, on any
//! thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::literal::{self, Unescaped};
use super::row::{Literal, Spelling};
use super::schema::Column;
use super::{DumpOptions, DumpReport, window};
use crate::column::{ColumnRule, column_rule};
use crate::edits::Edits;
use crate::engine::Rewriter;
use crate::literal::{Suspect, Suspects};
use crate::stats::Stats;

/// A table as one statement names it.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    columns: Vec<(String, ColumnRule)>,
    is_binary_asked: bool,
}

/// What was found in a stretch.
#[derive(Debug, Default)]
pub(super) struct Findings {
    tables: Vec<TableLiterals>,
    pub(super) rows: u64,
    damaged_rows: BTreeMap<String, u64>,
    /// An empty list, for its memory.
    spare: Option<Vec<Literal>>,
}

/// The literals of consecutive rows of one statement.
#[derive(Debug)]
struct TableLiterals {
    table: Arc<Table>,
    literals: Vec<Literal>,
}

/// A state to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    tables: usize,
    literals: usize,
}

/// A stretch of a dump, ready to be rewritten; stretches do not depend on each other.
#[derive(Debug, Default)]
pub struct DumpBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) found: Findings,
}

impl Table {
    pub(super) fn new(
        name: String,
        named: Option<Vec<String>>,
        known: &[Column],
        options: &DumpOptions,
    ) -> Self {
        let names = named.unwrap_or_else(|| known.iter().map(|column| column.name.clone()).collect());
        let with_rule = |column: String| {
            let is_binary = known.iter().any(|known| known.name == column && known.is_binary);
            let rule = rule(&name, &column, is_binary, options);
            (column, rule)
        };
        let columns = names.into_iter().map(with_rule).collect();
        Self { name, columns, is_binary_asked: options.binary }
    }

    fn rule(&self, literal: &Literal) -> Option<ColumnRule> {
        let of_column = self.columns.get(literal.column).map_or(ColumnRule::Text, |(_, rule)| *rule);
        match literal.spelling {
            Spelling::Hex => self.is_binary_asked.then_some(of_column),
            Spelling::Bytes(_) if !self.is_binary_asked => Some(ColumnRule::Skip),
            Spelling::Bytes(_) | Spelling::Text(_) => Some(of_column),
        }
    }

    fn column(&self, number: usize) -> String {
        self.columns.get(number).map_or_else(|| (number + 1).to_string(), |(name, _)| name.clone())
    }
}

fn rule(table: &str, column: &str, is_binary: bool, options: &DumpOptions) -> ColumnRule {
    let full = format!("{table}.{column}");
    let names = |set: &std::collections::BTreeSet<String>| set.contains(column) || set.contains(&full);
    if names(&options.skip) {
        ColumnRule::Skip
    } else if names(&options.include) {
        ColumnRule::Text
    } else {
        column_rule(table, column, is_binary && !options.binary)
    }
}

impl Findings {
    /// Forgets all but the memory.
    fn clear(&mut self) {
        let mut spare = self.spare.take();
        for TableLiterals { mut literals, .. } in self.tables.drain(..) {
            literals.clear();
            spare = spare.filter(|known| known.capacity() >= literals.capacity()).or(Some(literals));
        }
        *self = Self { tables: std::mem::take(&mut self.tables), spare, ..Self::default() };
    }

    /// The list for literals of a table.
    pub(super) fn literals(&mut self, table: &Arc<Table>) -> &mut Vec<Literal> {
        let is_known = self.tables.last().is_some_and(|last| Arc::ptr_eq(&last.table, table));
        if !is_known {
            let literals = self.spare.take().unwrap_or_default();
            self.tables.push(TableLiterals { table: Arc::clone(table), literals });
        }
        let last = self.tables.len() - 1;
        &mut self.tables[last].literals
    }

    pub(super) fn damaged(&mut self, table: &Table) {
        *self.damaged_rows.entry(table.name.clone()).or_default() += 1;
    }

    pub(super) fn mark(&self) -> Mark {
        let literals = self.tables.last().map_or(0, |last| last.literals.len());
        Mark { tables: self.tables.len(), literals }
    }

    pub(super) fn rewind(&mut self, mark: Mark) {
        self.tables.truncate(mark.tables);
        if let Some(last) = self.tables.last_mut() {
            last.literals.truncate(mark.literals);
        }
    }
}

impl DumpBatch {
    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.found.clear();
    }

    /// The stretch as it came.
    #[must_use]
    pub fn original(&self) -> &[u8] {
        &self.bytes
    }

    /// The rewritten stretch, and what was done in it. It lies in `space`; one in which nothing changes is not copied.
    pub fn rewrite<'b>(&'b self, rewriter: &Rewriter, space: &'b mut Vec<u8>) -> (&'b [u8], DumpReport) {
        space.clear();
        let mut report = DumpReport {
            rows: self.found.rows,
            damaged_rows: self.found.damaged_rows.clone(),
            bytes: self.bytes.len() as u64,
            ..DumpReport::default()
        };
        let mut writing = Writing::new(&self.bytes, space);
        let mut suspects = rewriter.suspects(&self.bytes);
        for TableLiterals { table, literals } in &self.found.tables {
            let mut columns: Vec<Stats> = Vec::new();
            for literal in literals {
                let Some(rule) = table.rule(literal) else { continue };
                if columns.len() <= literal.column {
                    columns.resize(literal.column + 1, Stats::default());
                }
                let stats = &mut columns[literal.column];
                if rule == ColumnRule::Skip {
                    stats.values += 1;
                    stats.values_skipped += 1;
                } else if literal.spelling == Spelling::Hex {
                    writing.hex(literal, rewriter, stats);
                } else {
                    writing.text(literal, rewriter, suspects.as_mut(), stats);
                }
            }
            let counted = columns.iter().enumerate().filter(|(_, stats)| stats.values > 0);
            for (number, stats) in counted {
                let key = (table.name.clone(), table.column(number));
                report.columns.entry(key).or_default().merge(stats);
            }
        }
        (writing.finish(), report)
    }
}

/// The writing of a stretch.
struct Writing<'t, 'o> {
    text: &'t [u8],
    /// All before is written.
    written: usize,
    out: &'o mut Vec<u8>,
    /// Kept for their memory.
    unescaped: Unescaped,
    edits: Edits,
}

impl<'t, 'o> Writing<'t, 'o> {
    fn new(text: &'t [u8], out: &'o mut Vec<u8>) -> Self {
        Self { text, written: 0, out, unescaped: Unescaped::default(), edits: Edits::default() }
    }

    fn text(
        &mut self,
        literal: &Literal,
        rewriter: &Rewriter,
        suspects: Option<&mut Suspects<'_, '_>>,
        stats: &mut Stats,
    ) {
        let (Spelling::Text(quote) | Spelling::Bytes(quote)) = literal.spelling else { return };
        let Some(suspects) = suspects else { return self.whole(literal, quote, true, rewriter, stats) };
        match suspects.first_in(&literal.content) {
            None => stats.values += 1,
            Some(first) if window::is_possible(rewriter, &self.text[literal.content.clone()]) => {
                self.windows(literal, quote, first, rewriter, suspects, stats);
            }
            Some(first) => {
                let has_base64 = suspects.is_base64_until(first, literal.content.end);
                self.whole(literal, quote, has_base64, rewriter, stats);
            }
        }
    }

    /// Reads the value from end to end.
    fn whole(
        &mut self,
        literal: &Literal,
        quote: u8,
        has_base64: bool,
        rewriter: &Rewriter,
        stats: &mut Stats,
    ) {
        let value = self.unescaped.read(&self.text[literal.content.clone()], quote);
        let edits = if has_base64 {
            rewriter.edits(value, stats)
        } else {
            rewriter.edits_beside_base64(value, stats)
        };
        if let Some(edits) = edits {
            self.write(&edits, literal.content.start, quote);
        }
    }

    /// Rewrites a plain text around its suspicious places.
    fn windows(
        &mut self,
        literal: &Literal,
        quote: u8,
        first: Suspect,
        rewriter: &Rewriter,
        suspects: &mut Suspects<'_, '_>,
        stats: &mut Stats,
    ) {
        let Range { start, end } = literal.content;
        let raw = &self.text[start..end];
        let (mut is_changed, mut has_base64) = (false, false);
        let mut done = start;
        let mut next = Some(first);
        while let Some(Suspect { place, is_base64 }) = next {
            next = suspects.first_in(&(place + 1..end));
            has_base64 |= is_base64;
            if is_base64 || place < done {
                continue;
            }
            let window = window::around(raw, place - start);
            done = start + window.end;
            let value = self.unescaped.read(&raw[window.clone()], quote);
            let mut edits = std::mem::take(&mut self.edits);
            edits.clear();
            rewriter.plain_edits(value, &mut edits);
            edits.count(stats);
            is_changed |= !edits.is_empty();
            self.write(&edits, start + window.start, quote);
            self.edits = edits;
        }
        stats.values += 1;
        stats.values_changed += u64::from(is_changed);
        if has_base64 {
            stats.base64_left += rewriter.base64_left(self.unescaped.read(raw, quote));
        }
    }

    /// Writes the changes to the string, or the part of one, that was unescaped last and begins at `start`.
    fn write(&mut self, edits: &Edits, start: usize, quote: u8) {
        let mut places = self.unescaped.places();
        for (range, new) in edits.replacements() {
            let raw = places.raw(range.start)..places.raw(range.end);
            self.out.extend_from_slice(&self.text[self.written..start + raw.start]);
            literal::escape(new, quote, self.out);
            self.written = start + raw.end;
        }
    }

    /// Hex digits, where they are asked for: decoded, rewritten, written as digits again.
    fn hex(&mut self, literal: &Literal, rewriter: &Rewriter, stats: &mut Stats) {
        let digits = &self.text[literal.content.clone()];
        let Some(value) = literal::decode_hex(digits) else { return };
        let moved = rewriter.rewrite(&value, ColumnRule::Text, stats);
        if let std::borrow::Cow::Owned(moved) = moved {
            self.out.extend_from_slice(&self.text[self.written..literal.content.start]);
            literal::encode_hex(&moved, digits.iter().any(u8::is_ascii_uppercase), self.out);
            self.written = literal.content.end;
        }
    }

    fn finish(self) -> &'o [u8]
    where
        't: 'o,
    {
        if self.written == 0 {
            return self.text;
        }
        self.out.extend_from_slice(&self.text[self.written..]);
        self.out
    }
}
