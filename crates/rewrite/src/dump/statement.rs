//! Which statement is being read, and what its tokens mean.

use std::collections::BTreeMap;

use super::lexer::{Kind, Token};
use super::rows::{RowEnd, Rows};
use super::schema::{Column, Definition, last_part, name, word};
use super::{DumpOptions, DumpReport};
use crate::engine::Rewriter;

/// The longest delimiter that a client takes.
const DELIMITER_MAX: usize = 16;

/// Where the reader is.
#[derive(Debug)]
enum Place {
    /// A statement may begin.
    Start,
    /// Within one that is none of the following.
    Other,
    /// Behind the word `DELIMITER`, up to the end of the line.
    Delimiter,
    Create(Definition),
    Insert(InsertHead),
    Rows(Rows),
}

/// `INSERT INTO table (columns)`, up to `VALUES`.
#[derive(Debug, Default)]
struct InsertHead {
    table: Option<String>,
    columns: Option<Vec<String>>,
    depth: u32,
}

/// Whether the reader seeks the next line that it understands.
pub(super) enum Lost {
    No,
    /// Here it goes on.
    Resume(usize),
    /// Nothing up to here; more may come.
    More(usize),
}

/// Reads a dump, token by token.
#[derive(Debug)]
pub(super) struct Reader {
    place: Place,
    options: DumpOptions,
    delimiter: Vec<u8>,
    schema: BTreeMap<String, Vec<Column>>,
    /// The table whose damaged row is passed over; rows may follow.
    lost: Option<Rows>,
}

impl Reader {
    pub(super) fn new(options: DumpOptions) -> Self {
        Self { place: Place::Start, options, delimiter: b";".to_vec(), schema: BTreeMap::new(), lost: None }
    }

    /// Where the row under way begins; it is held until its end.
    pub(super) fn row_start(&self) -> Option<usize> {
        match &self.place {
            Place::Rows(rows) => rows.start(),
            Place::Start | Place::Other | Place::Delimiter | Place::Create(_) | Place::Insert(_) => None,
        }
    }

    /// The buffer lost so many bytes at its front.
    pub(super) fn shift(&mut self, bytes: usize) {
        if let Place::Rows(rows) = &mut self.place {
            rows.shift(bytes);
        }
    }

    /// Appends what is ready of the buffer from `written` on; returns up to where it is written.
    pub(super) fn write_ready(&mut self, text: &[u8], written: usize, out: &mut Vec<u8>) -> usize {
        match &mut self.place {
            Place::Rows(rows) => rows.write_ready(text, written, out),
            Place::Start | Place::Other | Place::Delimiter | Place::Create(_) | Place::Insert(_) => written,
        }
    }

    /// Whether the delimiter stands at `at`: where it ends; an inner none where that cannot be told yet.
    pub(super) fn delimiter_at(&mut self, text: &[u8], at: usize, is_last: bool) -> Option<Option<usize>> {
        if matches!(self.place, Place::Delimiter) {
            return None;
        }
        let rest = text.get(at..).unwrap_or_default();
        let length = self.delimiter.len();
        if rest.len() < length && !is_last && !rest.is_empty() && self.delimiter.starts_with(rest) {
            return Some(None);
        }
        if !rest.starts_with(&self.delimiter) {
            return None;
        }
        self.end_statement();
        Some(Some(at + length))
    }

    fn end_statement(&mut self) {
        let place = std::mem::replace(&mut self.place, Place::Start);
        if let Place::Create(Definition { table: Some(table), columns, .. }) = place
            && !columns.is_empty()
        {
            self.schema.insert(table, columns);
        }
    }

    /// Takes the next token. Returns where to go back to when a row turns out to be damaged.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        token: Token,
        rewriter: &Rewriter,
        report: &mut DumpReport,
    ) -> Option<usize> {
        match &mut self.place {
            Place::Start => self.begin(text, token),
            Place::Other => {}
            Place::Delimiter => self.read_delimiter(text, token),
            Place::Create(definition) => definition.take(text, token),
            Place::Insert(head) => {
                if head.take(text, token) {
                    let rows = self.open_rows();
                    self.place = rows.map_or(Place::Other, Place::Rows);
                }
            }
            Place::Rows(rows) => {
                if let RowEnd::Damaged { row } = rows.take(text, token, rewriter, report) {
                    return Some(self.lose(row, report));
                }
            }
        }
        None
    }

    fn begin(&mut self, text: &[u8], token: Token) {
        self.place = match token.kind {
            Kind::Blank | Kind::Comment => return,
            Kind::Word => match word(text, token).to_ascii_lowercase().as_str() {
                "insert" | "replace" => Place::Insert(InsertHead::default()),
                "create" => Place::Create(Definition::default()),
                "delimiter" => {
                    self.delimiter.clear();
                    Place::Delimiter
                }
                _ => Place::Other,
            },
            Kind::Name | Kind::Text(_) | Kind::Endless | Kind::Sign(_) => Place::Other,
        };
    }

    fn read_delimiter(&mut self, text: &[u8], token: Token) {
        let bytes = &text[token.start..token.end];
        if token.kind == Kind::Blank {
            if bytes.contains(&b'\n') && !self.delimiter.is_empty() {
                self.place = Place::Start;
            }
        } else if self.delimiter.len() + bytes.len() <= DELIMITER_MAX {
            self.delimiter.extend_from_slice(bytes);
        }
    }

    fn open_rows(&mut self) -> Option<Rows> {
        let Place::Insert(head) = std::mem::replace(&mut self.place, Place::Other) else { return None };
        let table = head.table?;
        let known = self.schema.get(&table).map_or(&[][..], Vec::as_slice);
        Some(Rows::open(table, head.columns, known, &self.options))
    }

    /// The row that begins at `row` is damaged: it is left, and the next line that is understood is sought.
    fn lose(&mut self, row: usize, report: &mut DumpReport) -> usize {
        if let Place::Rows(mut rows) = std::mem::replace(&mut self.place, Place::Other) {
            *report.damaged_rows.entry(rows.table().to_owned()).or_default() += 1;
            rows.forget_row();
            self.lost = Some(rows);
        }
        row
    }

    /// Passes over a damaged row, to the next line that begins like a row or like a statement.
    pub(super) fn lost_at(&mut self, text: &[u8], at: usize, is_last: bool) -> Lost {
        if self.lost.is_none() {
            return Lost::No;
        }
        let mut from = at;
        while let Some(offset) = memchr::memchr(b'\n', text.get(from..).unwrap_or_default()) {
            let line = from + offset + 1;
            let rest = &text[line..];
            if rest.len() < STATEMENT_LENGTH_MAX && !is_last && memchr::memchr(b'\n', rest).is_none() {
                return Lost::More(from);
            }
            if rest.first() == Some(&b'(') {
                self.place = self.lost.take().map_or(Place::Other, Place::Rows);
                return Lost::Resume(line);
            }
            if begins_statement(rest) {
                self.lost = None;
                self.place = Place::Start;
                return Lost::Resume(line);
            }
            from = line;
        }
        Lost::More(text.len())
    }

    /// What is held is too long to be held.
    pub(super) fn give_up_row(&mut self, report: &mut DumpReport) {
        if matches!(self.place, Place::Rows(_)) {
            self.lose(0, report);
        }
    }

    /// A row that has no end was left.
    pub(super) fn finish(&mut self, report: &mut DumpReport) {
        if self.row_start().is_some() {
            self.lose(0, report);
        }
    }
}

const STATEMENT_LENGTH_MAX: usize = 24;

/// Whether a line begins as dumps begin their statements.
fn begins_statement(line: &[u8]) -> bool {
    const STARTS: [&[u8]; 13] = [
        b"insert ",
        b"replace ",
        b"create ",
        b"drop ",
        b"alter ",
        b"lock ",
        b"unlock ",
        b"set ",
        b"delimiter ",
        b"commit",
        b"use ",
        b"/*",
        b"-- ",
    ];
    STARTS.iter().any(|start| line.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

impl InsertHead {
    /// Takes a token; true at `VALUES`.
    fn take(&mut self, text: &[u8], token: Token) -> bool {
        match token.kind {
            Kind::Sign(b'(') => {
                self.depth += 1;
                self.columns.get_or_insert_default();
            }
            Kind::Sign(b')') => self.depth = self.depth.saturating_sub(1),
            Kind::Name | Kind::Word if self.depth > 0 => {
                self.columns.get_or_insert_default().push(name(text, token));
            }
            // Behind a dot comes the table of the database that was named first.
            Kind::Name => self.table = Some(name(text, token)),
            Kind::Word => {
                let word = word(text, token);
                match word.to_ascii_lowercase().as_str() {
                    "values" | "value" => return true,
                    "into" | "ignore" | "low_priority" | "high_priority" | "delayed" | "." => {}
                    _ if self.table.is_none() => self.table = Some(last_part(&word)),
                    _ => {}
                }
            }
            Kind::Blank | Kind::Comment | Kind::Text(_) | Kind::Endless | Kind::Sign(_) => {}
        }
        false
    }
}
