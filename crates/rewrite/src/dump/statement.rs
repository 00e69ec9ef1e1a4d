//! Which statement is being read, and where its rows are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::DumpOptions;
use super::batch::{Findings, Table};
use super::lexer::{Kind, Lexer, Token};
use super::row::{self, Row};
use super::schema::{Column, Definition, last_part, name, word};

/// The longest delimiter that a client takes.
const DELIMITER_MAX: usize = 16;
/// The longest beginning by which a statement is known.
const STATEMENT_LENGTH_MAX: usize = 24;

/// Where the reader is.
#[derive(Debug)]
enum Place {
    /// A statement may begin.
    Start,
    /// Within one that is none of the following, or behind its rows.
    Other,
    /// Behind the word `DELIMITER`, up to the end of the line.
    Delimiter,
    Create(Definition),
    Insert(InsertHead),
    Rows(Rows),
    /// Behind a damaged row of this table, on the way to the next line that is understood.
    Lost(Rows),
}

/// `INSERT INTO table (columns)`, up to `VALUES`.
#[derive(Debug, Default)]
struct InsertHead {
    table: Option<String>,
    columns: Option<Vec<String>>,
    depth: u32,
}

/// Behind `VALUES`.
#[derive(Debug, Clone)]
struct Rows {
    table: Arc<Table>,
    /// How many values each row has; none until the first row told.
    width: Option<usize>,
    /// So many bytes of the next row must be there before it is tried again; what grows is read a bounded number of times.
    awaited: usize,
}

/// How far one step went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    To(usize),
    /// All before this place is read, and the rest needs more bytes.
    More(usize),
}

/// Reads a dump, step by step.
#[derive(Debug)]
pub(super) struct Reader {
    place: Place,
    options: DumpOptions,
    delimiter: Vec<u8>,
    schema: BTreeMap<String, Vec<Column>>,
    lexer: Lexer,
}

impl Reader {
    pub(super) fn new(options: DumpOptions) -> Self {
        Self {
            place: Place::Start,
            options,
            delimiter: b";".to_vec(),
            schema: BTreeMap::new(),
            lexer: Lexer::default(),
        }
    }

    /// The buffer lost so many bytes at its front.
    pub(super) fn shift(&mut self, bytes: usize) {
        self.lexer.shift(bytes);
    }

    /// Reads one token or one row at `at`.
    pub(super) fn step(&mut self, text: &[u8], at: usize, is_last: bool, found: &mut Findings) -> Step {
        match &mut self.place {
            Place::Rows(_) => self.rows(text, at, is_last, found),
            Place::Lost(_) => self.seek_line(text, at, is_last),
            Place::Start | Place::Other | Place::Delimiter | Place::Create(_) | Place::Insert(_) => {
                self.token(text, at, is_last)
            }
        }
    }

    /// What is held is too long to be held: it is passed over unread.
    pub(super) fn give_up(&mut self, found: &mut Findings) {
        self.lose(found);
        self.lexer.reset();
    }

    fn token(&mut self, text: &[u8], at: usize, is_last: bool) -> Step {
        match self.delimiter_at(text, at, is_last) {
            Some(Some(end)) => return Step::To(end),
            Some(None) => return Step::More(at),
            None => {}
        }
        let Some(token) = self.lexer.token(text, at, is_last) else { return Step::More(at) };
        match &mut self.place {
            Place::Start => self.begin(text, token),
            Place::Delimiter => self.read_delimiter(text, token),
            Place::Create(definition) => definition.take(text, token),
            Place::Insert(head) => {
                if head.take(text, token) {
                    let rows = self.open_rows();
                    self.place = rows.map_or(Place::Other, Place::Rows);
                }
            }
            Place::Other | Place::Rows(_) | Place::Lost(_) => {}
        }
        Step::To(token.end)
    }

    /// Whether the delimiter stands at `at`: where it ends; an inner none where that cannot be told yet.
    fn delimiter_at(&mut self, text: &[u8], at: usize, is_last: bool) -> Option<Option<usize>> {
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
        let width = head.columns.as_ref().map(Vec::len).or((!known.is_empty()).then_some(known.len()));
        let table = Arc::new(Table::new(table, head.columns, known, &self.options));
        Some(Rows { table, width, awaited: 0 })
    }

    /// Reads a row, or what stands between rows.
    fn rows(&mut self, text: &[u8], at: usize, is_last: bool, found: &mut Findings) -> Step {
        let Place::Rows(rows) = &mut self.place else { return Step::To(at) };
        match text.get(at) {
            None => Step::More(at),
            Some(b'(') => {
                if text.len() - at < rows.awaited && !is_last {
                    return Step::More(at);
                }
                match rows.read(text, at, is_last, found) {
                    Row::Whole { end, .. } => Step::To(end),
                    Row::Cut => Step::More(at),
                    Row::Damaged => {
                        self.lose(found);
                        Step::To(at)
                    }
                }
            }
            Some(b',' | b'\n' | b' ') => Step::To(at + 1),
            Some(b'-' | b'#' | b'/' | b'\r' | b'\t') => self.token(text, at, is_last),
            Some(_) => {
                // The delimiter; or `ON DUPLICATE KEY UPDATE`, `AS new`: no rows any more.
                if self.delimiter_at(text, at, is_last).is_none() {
                    self.place = Place::Other;
                }
                self.token(text, at, is_last)
            }
        }
    }

    /// The row under way is damaged: it is left.
    fn lose(&mut self, found: &mut Findings) {
        if let Place::Rows(rows) = &self.place {
            found.damaged(&rows.table);
            self.place = Place::Lost(rows.clone());
        }
    }

    /// Passes over a damaged row, to the next line that begins like a row or like a statement.
    fn seek_line(&mut self, text: &[u8], at: usize, is_last: bool) -> Step {
        let mut from = at;
        while let Some(offset) = memchr::memchr(b'\n', text.get(from..).unwrap_or_default()) {
            let line = from + offset + 1;
            let rest = &text[line..];
            if rest.len() < STATEMENT_LENGTH_MAX && !is_last && memchr::memchr(b'\n', rest).is_none() {
                return Step::More(from);
            }
            let is_row = rest.first() == Some(&b'(');
            if is_row || begins_statement(rest) {
                let place = std::mem::replace(&mut self.place, Place::Start);
                if let (Place::Lost(mut rows), true) = (place, is_row) {
                    rows.awaited = 0;
                    self.place = Place::Rows(rows);
                }
                return Step::To(line);
            }
            from = line;
        }
        Step::More(text.len())
    }
}

impl Rows {
    fn read(&mut self, text: &[u8], at: usize, is_last: bool, found: &mut Findings) -> Row {
        let mark = found.mark();
        let row = row::read(text, at, is_last, found.literals(&self.table));
        match row {
            Row::Whole { width, .. } => {
                self.awaited = 0;
                if *self.width.get_or_insert(width) != width {
                    found.rewind(mark);
                    return Row::Damaged;
                }
                found.rows += 1;
            }
            Row::Cut => self.awaited = (text.len() - at) / 2 * 3,
            Row::Damaged => {}
        }
        row
    }
}

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
