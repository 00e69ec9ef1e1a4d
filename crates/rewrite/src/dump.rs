//! Rewriting a dump of mysqldump, mariadb-dump or mydumper while it streams by, in memory that does not grow with it.
//!
//! Only the values of `INSERT` and `REPLACE` are looked at; all else, and every value that does not change, comes out
//! byte for byte. A row is the unit: its changes are written once it was read to its end. A row that is damaged (a quote
//! too many, a wrong number of values) is left as it is, and reading goes on at the next line that begins like a row or a
//! statement, so that it does not spoil what follows.

mod batch;
mod lexer;
mod literal;
mod row;
mod schema;
mod statement;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Rewriter;
use crate::stats::Stats;
use batch::Findings;
use statement::{Reader, Step};

pub use batch::DumpBatch;
pub(crate) use window::is_border;

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

/// What was done with a dump, or with a stretch of one.
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
    /// Adds what was done with another stretch.
    pub fn merge(&mut self, other: &Self) {
        for (column, stats) in &other.columns {
            self.columns.entry(column.clone()).or_default().merge(stats);
        }
        for (table, rows) in &other.damaged_rows {
            *self.damaged_rows.entry(table.clone()).or_default() += rows;
        }
        self.rows += other.rows;
        self.bytes += other.bytes;
    }

    /// All columns together.
    #[must_use]
    pub fn total(&self) -> Stats {
        let mut total = Stats::default();
        self.columns.values().for_each(|stats| total.merge(stats));
        total
    }
}

/// Cuts a dump into stretches that can be rewritten one by one.
///
/// Bytes come in pieces of any size; what is held is the row or the token under way.
#[derive(Debug)]
pub struct DumpSplitter {
    reader: Reader,
    found: Findings,
    held: Vec<u8>,
    /// All before is read.
    at: usize,
    /// Batches that were done with, for their memory.
    spare: Vec<DumpBatch>,
}

impl DumpSplitter {
    /// At the beginning of a dump.
    #[must_use]
    pub fn new(options: DumpOptions) -> Self {
        Self {
            reader: Reader::new(options),
            found: Findings::default(),
            held: Vec::new(),
            at: 0,
            spare: Vec::new(),
        }
    }

    /// The bytes that were not cut off yet: the next ones of the dump are appended here.
    pub fn input(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// Cuts off what can be rewritten of the bytes so far. `is_last`: no more follow, and nothing is held back.
    pub fn cut(&mut self, is_last: bool) -> DumpBatch {
        self.read(is_last);
        if self.held.len() - self.at > HELD_MAX {
            self.reader.give_up(&mut self.found);
            self.at = self.held.len();
        } else if is_last {
            self.at = self.held.len();
        }
        let mut batch = self.spare.pop().unwrap_or_default();
        batch.bytes.extend_from_slice(&self.held[self.at..]);
        self.held.truncate(self.at);
        self.reader.shift(self.at);
        self.at = 0;
        std::mem::swap(&mut batch.bytes, &mut self.held);
        std::mem::swap(&mut batch.found, &mut self.found);
        batch
    }

    /// Takes back a batch that is done with, so that the next one needs no memory of its own.
    pub fn recycle(&mut self, mut batch: DumpBatch) {
        batch.clear();
        self.spare.push(batch);
    }

    fn read(&mut self, is_last: bool) {
        loop {
            match self.reader.step(&self.held, self.at, is_last, &mut self.found) {
                Step::To(at) => self.at = at,
                Step::More(at) => {
                    self.at = at;
                    return;
                }
            }
        }
    }
}

/// Rewrites one dump on one thread.
#[derive(Debug)]
pub struct DumpRewriter {
    rewriter: Rewriter,
    splitter: DumpSplitter,
    report: DumpReport,
    space: Vec<u8>,
}

impl DumpRewriter {
    /// At the beginning of a dump.
    #[must_use]
    pub fn new(rewriter: Rewriter, options: DumpOptions) -> Self {
        Self {
            rewriter,
            splitter: DumpSplitter::new(options),
            report: DumpReport::default(),
            space: Vec::new(),
        }
    }

    /// Takes the next bytes of the dump, of any number, and appends what is ready to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.splitter.input().extend_from_slice(bytes);
        self.advance(false, out);
    }

    /// The dump has ended: appends the rest, and says what was done.
    #[must_use]
    pub fn finish(mut self, out: &mut Vec<u8>) -> DumpReport {
        self.advance(true, out);
        self.report
    }

    fn advance(&mut self, is_last: bool, out: &mut Vec<u8>) {
        let batch = self.splitter.cut(is_last);
        let (bytes, report) = batch.rewrite(&self.rewriter, &mut self.space);
        out.extend_from_slice(bytes);
        self.report.merge(&report);
        self.splitter.recycle(batch);
    }
}
