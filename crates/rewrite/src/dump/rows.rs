//! The rows behind `VALUES`.

use std::ops::Range;

use super::lexer::{Kind, Token};
use super::literal::{Style, unescape};
use super::schema::Column;
use super::{DumpOptions, DumpReport};
use crate::column::{ColumnRule, column_rule};
use crate::engine::Rewriter;
use crate::stats::Stats;

/// What came of a token.
pub(super) enum RowEnd {
    Fine,
    /// The row that begins here cannot be read.
    Damaged {
        row: usize,
    },
}

/// What stands before a value and says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Nothing was read of it.
    Awaited,
    /// `_utf8mb4`, or another character set.
    Introduced,
    /// `_binary`, `X`: what follows is bytes.
    Binary,
    /// `X'…'`: what follows is hex digits.
    Hex,
    /// Read to its end.
    Read,
    /// A number, a word or an expression.
    Other,
}

/// A change that waits for the end of its row.
#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: Vec<u8>,
}

/// The rows of one statement.
#[derive(Debug)]
pub(super) struct Rows {
    table: String,
    names: Vec<String>,
    rules: Vec<ColumnRule>,
    is_binary_asked: bool,
    /// How many values each row has; none until the first row told.
    width: Option<usize>,
    depth: u32,
    start: Option<usize>,
    column: usize,
    value: Value,
    /// The changes of the row under way, and its counters by column.
    edits: Vec<Edit>,
    stats: Vec<(usize, Stats)>,
    /// Changes of rows that were read to their end.
    ready: Vec<Edit>,
}

impl Rows {
    pub(super) fn open(
        table: String,
        named: Option<Vec<String>>,
        known: &[Column],
        options: &DumpOptions,
    ) -> Self {
        let width = match (&named, known) {
            (Some(named), _) => Some(named.len()),
            (None, []) => None,
            (None, known) => Some(known.len()),
        };
        let names = named.unwrap_or_else(|| known.iter().map(|column| column.name.clone()).collect());
        let rule = |name: &String| {
            let is_binary = known.iter().any(|column| column.name == *name && column.is_binary);
            rule(&table, name, is_binary, options)
        };
        let rules = names.iter().map(rule).collect();
        Self {
            table,
            names,
            rules,
            is_binary_asked: options.binary,
            width,
            depth: 0,
            start: None,
            column: 0,
            value: Value::Awaited,
            edits: Vec::new(),
            stats: Vec::new(),
            ready: Vec::new(),
        }
    }

    pub(super) fn table(&self) -> &str {
        &self.table
    }

    pub(super) fn start(&self) -> Option<usize> {
        self.start
    }

    pub(super) fn shift(&mut self, bytes: usize) {
        self.start = self.start.map(|start| start - bytes);
        for edit in &mut self.edits {
            edit.range = edit.range.start - bytes..edit.range.end - bytes;
        }
    }

    pub(super) fn forget_row(&mut self) {
        self.depth = 0;
        self.start = None;
        self.edits.clear();
        self.stats.clear();
    }

    /// Appends the text with the changes of the rows that ended.
    pub(super) fn write_ready(&mut self, text: &[u8], mut written: usize, out: &mut Vec<u8>) -> usize {
        for edit in self.ready.drain(..) {
            out.extend_from_slice(&text[written..edit.range.start]);
            out.extend_from_slice(&edit.text);
            written = edit.range.end;
        }
        written
    }

    pub(super) fn take(
        &mut self,
        text: &[u8],
        token: Token,
        rewriter: &Rewriter,
        report: &mut DumpReport,
    ) -> RowEnd {
        let damaged = |rows: &Self| RowEnd::Damaged { row: rows.start.unwrap_or(token.start) };
        match (token.kind, self.depth) {
            (Kind::Endless, _) => return damaged(self),
            (Kind::Blank | Kind::Comment, _) => {}
            (Kind::Sign(b'('), 0) => self.begin(token.start),
            (Kind::Sign(b','), 0) => {}
            // `ON DUPLICATE KEY UPDATE`, `AS new`: no rows any more.
            (_, 0) => {}
            (Kind::Sign(b'('), _) => {
                self.depth += 1;
                self.value = Value::Other;
            }
            (Kind::Sign(b')'), 1) => {
                if !self.end_row(report) {
                    return damaged(self);
                }
            }
            (Kind::Sign(b')'), _) => self.depth -= 1,
            (Kind::Sign(b','), 1) => {
                if self.value == Value::Awaited {
                    return damaged(self);
                }
                self.column += 1;
                self.value = Value::Awaited;
            }
            (Kind::Text(quote), 1) => {
                if matches!(self.value, Value::Read | Value::Other) {
                    return damaged(self);
                }
                self.text(text, token, quote, rewriter);
            }
            (Kind::Word | Kind::Name, 1) => {
                if self.value == Value::Read {
                    return damaged(self);
                }
                self.word(&text[token.start..token.end], token, rewriter);
            }
            (Kind::Sign(_), 1) if self.value == Value::Read => return damaged(self),
            (Kind::Sign(_), 1) => self.value = Value::Other,
            (Kind::Sign(_) | Kind::Text(_) | Kind::Word | Kind::Name, _) => {}
        }
        RowEnd::Fine
    }

    fn begin(&mut self, start: usize) {
        self.depth = 1;
        self.start = Some(start);
        self.column = 0;
        self.value = Value::Awaited;
    }

    /// False where the row has another number of values than it should.
    fn end_row(&mut self, report: &mut DumpReport) -> bool {
        let values = self.column + 1;
        if *self.width.get_or_insert(values) != values {
            return false;
        }
        report.rows += 1;
        for (column, stats) in self.stats.drain(..) {
            let name = self.names.get(column).cloned().unwrap_or_else(|| (column + 1).to_string());
            report.columns.entry((self.table.clone(), name)).or_default().merge(&stats);
        }
        self.ready.append(&mut self.edits);
        self.depth = 0;
        self.start = None;
        true
    }

    fn word(&mut self, word: &[u8], token: Token, rewriter: &Rewriter) {
        self.value = match word {
            _ if self.value == Value::Other => Value::Other,
            [b'x' | b'X'] => Value::Hex,
            [b'n' | b'N'] => Value::Introduced,
            [b'_', ..] if word.eq_ignore_ascii_case(b"_binary") => Value::Binary,
            [b'_', ..] => Value::Introduced,
            [b'0', b'x', digits @ ..] if self.is_binary_asked => {
                self.hex(digits, token.start..token.end, rewriter, |hex| format!("0x{hex}"));
                Value::Read
            }
            _ => Value::Other,
        };
    }

    fn text(&mut self, text: &[u8], token: Token, quote: u8, rewriter: &Rewriter) {
        let inner = &text[token.start + 1..token.end - 1];
        let before = std::mem::replace(&mut self.value, Value::Read);
        if before == Value::Hex {
            if self.is_binary_asked {
                let range = token.start + 1..token.end - 1;
                self.hex(inner, range, rewriter, |hex| hex);
            }
            return;
        }
        let rule = match before {
            Value::Binary if !self.is_binary_asked => ColumnRule::Skip,
            Value::Awaited | Value::Introduced | Value::Binary | Value::Hex | Value::Read | Value::Other => {
                self.rules.get(self.column).copied().unwrap_or(ColumnRule::Text)
            }
        };
        let mut stats = Stats::default();
        if rule == ColumnRule::Skip {
            rewriter.rewrite(inner, rule, &mut stats);
        } else {
            let value = unescape(inner, quote);
            let moved = rewriter.rewrite(&value, rule, &mut stats);
            if stats.values_changed > 0 {
                let mut written = Vec::new();
                Style::of(inner, quote).write(&moved, &mut written);
                self.edits.push(Edit { range: token.start..token.end, text: written });
            }
        }
        self.stats.push((self.column, stats));
    }

    /// Hex digits, where they are asked for: decoded, rewritten, written as digits again.
    fn hex(
        &mut self,
        digits: &[u8],
        range: Range<usize>,
        rewriter: &Rewriter,
        spell: impl Fn(String) -> String,
    ) {
        let Some(value) = decode_hex(digits) else { return };
        let rule = self.rules.get(self.column).copied().unwrap_or(ColumnRule::Text);
        let mut stats = Stats::default();
        let moved = rewriter.rewrite(&value, rule, &mut stats);
        if stats.values_changed > 0 {
            let is_upper = digits.iter().any(u8::is_ascii_uppercase);
            let text = spell(encode_hex(&moved, is_upper)).into_bytes();
            self.edits.push(Edit { range, text });
        }
        self.stats.push((self.column, stats));
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

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

fn encode_hex(bytes: &[u8], is_upper: bool) -> String {
    let digits = if is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let digit = |value: u8| char::from(digits[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
