//! Rewriting a dump of mysqldump, mariadb-dump or mydumper while it streams by, in memory that does not grow with it.
//!
//! Only the values of `INSERT` and `REPLACE` are looked at; all else, and every value that does not change, comes out
//! byte for byte. A row is the unit: its changes are written once it was read to its end. A row that is damaged (a quote
//! too many, a wrong number of values) is left as it is, and reading goes on at the next line that begins like a row or a
//! statement, so that it does not spoil what follows.

mod lexer;
mod literal;
mod rows;
mod schema;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Rewriter;
use crate::stats::Stats;
use lexer::Lexer;
use statement::Reader;

/// The longest row and the longest token, in bytes. What is longer is passed through unread, and counted.
const HELD_MAX: usize = 1 << 30;

/// What is asked for beside the rules that always hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// Columns that are left, as `column` or `table.column`.
    pub skip: BTreeSet<String>,
    /// Columns that are rewritten although a rule would leave them (`guid`), as `column` or `table.column`.
    pub include: BTreeSet<String>,
    /// Whether binary columns and hex literals are rewritten too.
    pub binary: bool,
}

/// What was done with one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpReport {
    /// Counters by table and column, as the dump names them; columns that the dump does not name have numbers.
    pub columns: BTreeMap<(String, String), Stats>,
    /// Rows of `INSERT` and `REPLACE`.
    pub rows: u64,
    /// Rows that are damaged and were left as they are, by table.
    pub damaged_rows: BTreeMap<String, u64>,
    /// Bytes read.
    pub bytes: u64,
}

impl DumpReport {
    /// All columns together.
    #[must_use]
    pub fn total(&self) -> Stats {
        let mut total = Stats::default();
        self.columns.values().for_each(|stats| total.merge(stats));
        total
    }
}

/// Rewrites one dump.
#[derive(Debug)]
pub struct DumpRewriter {
    rewriter: Rewriter,
    reader: Reader,
    lexer: Lexer,
    /// What came and is not written yet: the token or the row under way.
    held: Vec<u8>,
    /// Where in `held` the next token begins.
    at: usize,
    report: DumpReport,
}

impl DumpRewriter {
    /// At the beginning of a dump.
    #[must_use]
    pub fn new(rewriter: Rewriter, options: DumpOptions) -> Self {
        Self {
            rewriter,
            reader: Reader::new(options),
            lexer: Lexer::default(),
            held: Vec::new(),
            at: 0,
            report: DumpReport::default(),
        }
    }

    /// Takes the next bytes of the dump, of any number, and appends what is ready to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.report.bytes += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        self.advance(false, out);
        if self.held.len() > HELD_MAX {
            self.let_go(out);
        }
    }

    /// The dump has ended: appends the rest, and says what was done.
    #[must_use]
    pub fn finish(mut self, out: &mut Vec<u8>) -> DumpReport {
        self.advance(true, out);
        out.extend_from_slice(&self.held);
        self.reader.finish(&mut self.report);
        self.report
    }

    fn advance(&mut self, is_last: bool, out: &mut Vec<u8>) {
        let mut written = 0;
        loop {
            match self.reader.lost_at(&self.held, self.at, is_last) {
                statement::Lost::No => {}
                statement::Lost::Resume(at) => self.go_to(at),
                statement::Lost::More(at) => {
                    self.go_to(at);
                    break;
                }
            }
            if let Some(end) = self.reader.delimiter_at(&self.held, self.at, is_last) {
                let Some(end) = end else { break };
                self.go_to(end);
                continue;
            }
            let Some(token) = self.lexer.token(&self.held, self.at, is_last) else { break };
            self.at = token.end;
            if let Some(back) = self.reader.take(&self.held, token, &self.rewriter, &mut self.report) {
                self.go_to(back);
            }
            written = self.reader.write_ready(&self.held, written, out);
        }
        // All before the row under way, or before the token under way, is done with.
        let keep = self.reader.row_start().unwrap_or(self.at).min(self.held.len());
        if keep > written {
            out.extend_from_slice(&self.held[written..keep]);
        }
        let done = keep.max(written);
        self.held.drain(..done);
        self.at -= done;
        self.lexer.shift(done);
        self.reader.shift(done);
    }

    fn go_to(&mut self, at: usize) {
        self.at = at;
        self.lexer.reset();
    }

    /// Passes through what is longer than anything that may be held.
    fn let_go(&mut self, out: &mut Vec<u8>) {
        self.reader.give_up_row(&mut self.report);
        out.append(&mut self.held);
        self.at = 0;
        self.lexer.reset();
    }
}
