//! The parts of a CREATE TABLE: its definitions and what follows them.

use std::collections::BTreeSet;

use crate::destination::database::lexer::{self, Kind, Token};

/// One definition between the outer brackets: a column, a key or a constraint.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) tokens: Vec<Token>,
}

/// A statement cut into its parts.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) sql: &'a str,
    pub(super) definitions: Vec<Definition>,
    pub(super) tail: Vec<Token>,
}

/// A foreign key as it is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its columns.
    pub columns: Vec<String>,
    /// The database that it refers to, where that is another.
    pub schema: Option<String>,
    /// The table that it refers to.
    pub table: String,
    /// The columns that it refers to.
    pub referenced: Vec<String>,
    /// `ON DELETE …`, `ON UPDATE …`, `MATCH …`.
    pub actions: String,
}

impl<'a> Parts<'a> {
    /// None for a statement that is not `CREATE TABLE name (…) …`.
    pub(super) fn of(sql: &'a str) -> Option<Self> {
        let tokens = lexer::tokens(sql);
        let open = tokens.iter().position(|token| token.kind == Kind::Sign(b'('))?;
        let is_create =
            tokens.first()?.is(sql, "CREATE") && tokens[..open].iter().any(|t| t.is(sql, "TABLE"));
        if !is_create {
            return None;
        }
        let mut definitions = vec![Definition { tokens: Vec::new() }];
        let mut depth = 1_u32;
        for (at, token) in tokens.iter().enumerate().skip(open + 1) {
            match token.kind {
                Kind::Sign(b'(') => depth += 1,
                Kind::Sign(b')') if depth == 1 => {
                    definitions.retain(|definition| !definition.tokens.is_empty());
                    return Some(Self { sql, definitions, tail: tokens[at + 1..].to_vec() });
                }
                Kind::Sign(b')') => depth -= 1,
                Kind::Sign(b',') if depth == 1 => {
                    definitions.push(Definition { tokens: Vec::new() });
                    continue;
                }
                Kind::Sign(_) | Kind::Word | Kind::Identifier | Kind::Text => {}
            }
            definitions.last_mut()?.tokens.push(*token);
        }
        None
    }

    /// Where a definition is in the statement.
    pub(super) fn span(&self, definition: &Definition) -> (usize, usize) {
        let start = definition.tokens.first().map_or(0, |token| token.start);
        (start, definition.tokens.last().map_or(start, |token| token.end))
    }

    /// Whether it is a key other than a foreign one.
    pub(super) fn is_key(&self, definition: &Definition) -> bool {
        let Some(first) = definition.tokens.first() else { return false };
        ["PRIMARY", "UNIQUE", "KEY", "INDEX"].iter().any(|word| first.is(self.sql, word))
    }

    /// Names of `char` and `varchar` columns of more than `length_max` characters.
    pub(super) fn long_text_columns(&self, length_max: u32) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for definition in &self.definitions {
            let [name, kind, _, length, ..] = definition.tokens.as_slice() else { continue };
            let is_text = kind.is(self.sql, "varchar") || kind.is(self.sql, "char");
            if is_text && length.text(self.sql).parse::<u32>().is_ok_and(|length| length > length_max) {
                names.extend(name.name(self.sql));
            }
        }
        names
    }

    /// The foreign key that the definition is; none for any other.
    pub(super) fn foreign_key(&self, definition: &Definition) -> Option<ForeignKey> {
        let mut rest = definition.tokens.as_slice();
        let mut name = None;
        if rest.first()?.is(self.sql, "CONSTRAINT") {
            rest = &rest[1..];
            if rest.first()?.kind == Kind::Identifier {
                name = rest.first()?.name(self.sql);
                rest = &rest[1..];
            }
        }
        if !(rest.first()?.is(self.sql, "FOREIGN") && rest.get(1)?.is(self.sql, "KEY")) {
            return None;
        }
        rest = &rest[2..];
        let open = rest.iter().position(|token| token.kind == Kind::Sign(b'('))?;
        let (columns, after) = self.names(&rest[open..])?;
        rest = after;
        if !rest.first()?.is(self.sql, "REFERENCES") {
            return None;
        }
        let mut table = rest.get(1)?.name(self.sql)?;
        let mut schema = None;
        rest = &rest[2..];
        if rest.first()?.kind == Kind::Sign(b'.') {
            schema = Some(table);
            table = rest.get(1)?.name(self.sql)?;
            rest = &rest[2..];
        }
        let (referenced, rest) = self.names(rest)?;
        let actions = match (rest.first(), rest.last()) {
            (Some(first), Some(last)) => self.sql.get(first.start..last.end)?.to_owned(),
            _ => String::new(),
        };
        Some(ForeignKey { name, columns, schema, table, referenced, actions })
    }

    /// The names of a bracketed list, and what follows it.
    fn names<'t>(&self, tokens: &'t [Token]) -> Option<(Vec<String>, &'t [Token])> {
        if tokens.first()?.kind != Kind::Sign(b'(') {
            return None;
        }
        let close = tokens.iter().position(|token| token.kind == Kind::Sign(b')'))?;
        let names = tokens[1..close].iter().filter_map(|token| token.name(self.sql)).collect();
        Some((names, &tokens[close + 1..]))
    }
}
