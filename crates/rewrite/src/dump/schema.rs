//! What the dump itself says of its tables: the columns of `CREATE TABLE`, and which of them are binary.

use super::lexer::{Kind, Token};

/// A column as it was defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_binary: bool,
}

/// Types whose values are bytes, not text.
const BINARY: [&str; 17] = [
    "binary",
    "varbinary",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "bit",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "uuid",
    "vector",
];

/// A `CREATE TABLE` that is being read.
#[derive(Debug, Default)]
pub(super) struct Definition {
    pub(super) table: Option<String>,
    pub(super) columns: Vec<Column>,
    depth: u32,
    /// Tokens of the present line of the definition.
    words: usize,
    is_column: bool,
}

impl Definition {
    /// Takes the next token of the statement behind `CREATE`.
    pub(super) fn take(&mut self, text: &[u8], token: Token) {
        match token.kind {
            Kind::Blank | Kind::Comment | Kind::Endless => {}
            Kind::Sign(b'(') => {
                self.depth += 1;
                if self.depth == 1 {
                    self.words = 0;
                }
            }
            Kind::Sign(b')') => self.depth = self.depth.saturating_sub(1),
            Kind::Sign(b',') if self.depth == 1 => self.words = 0,
            Kind::Name if self.depth == 0 => self.table = Some(name(text, token)),
            Kind::Word if self.depth == 0 => self.bare_table(&word(text, token)),
            Kind::Name | Kind::Word if self.depth == 1 => self.in_definition(text, token),
            Kind::Name | Kind::Word | Kind::Text(_) | Kind::Sign(_) => {}
        }
    }

    fn bare_table(&mut self, word: &str) {
        let is_keyword =
            ["table", "temporary", "if", "not", "exists"].contains(&word.to_ascii_lowercase().as_str());
        if self.table.is_none() && self.columns.is_empty() && !is_keyword {
            self.table = Some(last_part(word));
        }
    }

    fn in_definition(&mut self, text: &[u8], token: Token) {
        let word = name(text, token);
        match self.words {
            0 => {
                let is_key = token.kind == Kind::Word && is_key_word(&word);
                self.is_column = !is_key;
                if self.is_column {
                    self.columns.push(Column { name: word, is_binary: false });
                }
            }
            1 if self.is_column => self.set_binary(BINARY.contains(&word.to_ascii_lowercase().as_str())),
            // `CHARACTER SET binary`, `COLLATE binary`.
            _ if self.is_column && word.eq_ignore_ascii_case("binary") => self.set_binary(true),
            _ => {}
        }
        self.words += 1;
    }

    fn set_binary(&mut self, is_binary: bool) {
        if let Some(column) = self.columns.last_mut() {
            column.is_binary |= is_binary;
        }
    }
}

fn is_key_word(word: &str) -> bool {
    const WORDS: [&str; 10] = [
        "primary",
        "key",
        "unique",
        "index",
        "fulltext",
        "spatial",
        "constraint",
        "foreign",
        "check",
        "period",
    ];
    WORDS.contains(&word.to_ascii_lowercase().as_str())
}

/// A name as it is meant, without backticks.
pub(super) fn name(text: &[u8], token: Token) -> String {
    let bytes = &text[token.start..token.end];
    match token.kind {
        Kind::Name => String::from_utf8_lossy(&bytes[1..bytes.len() - 1]).replace("``", "`"),
        Kind::Blank | Kind::Comment | Kind::Word | Kind::Text(_) | Kind::Endless | Kind::Sign(_) => {
            word(text, token)
        }
    }
}

pub(super) fn word(text: &[u8], token: Token) -> String {
    String::from_utf8_lossy(&text[token.start..token.end]).into_owned()
}

/// `database.table` names the table.
pub(super) fn last_part(word: &str) -> String {
    word.rsplit('.').next().unwrap_or(word).to_owned()
}
