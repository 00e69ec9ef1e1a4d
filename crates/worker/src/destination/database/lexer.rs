//! A lexer for the statements that `SHOW CREATE …` prints: enough to find identifiers, words, strings and
//! brackets and to leave everything else as it is.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bare word or number: keyword, type, charset, digits.
    Word,
    /// `` `…` ``.
    Identifier,
    /// `'…'` or `"…"`.
    Text,
    /// Any other single byte.
    Sign(u8),
}

/// One token: its kind and where it is in the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// Past its last byte.
    pub end: usize,
}

/// Splits a statement. Comments are skipped; what executable comments (`/*!50100 … */`) hold is read as if the
/// comment's marks were not there. A quote that is never closed runs to the end.
pub fn tokens(sql: &str) -> Vec<Token> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        let kind = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'/' if bytes[at..].starts_with(b"/*!") || bytes[at..].starts_with(b"/*M!") => {
                at += if bytes[at + 2] == b'M' { 4 } else { 3 };
                at += bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
                continue;
            }
            b'/' if bytes[at..].starts_with(b"/*") => {
                at = find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2);
                continue;
            }
            b'*' if bytes[at..].starts_with(b"*/") => {
                at += 2;
                continue;
            }
            b'`' => {
                at = quoted_end(bytes, at, b'`', false);
                Kind::Identifier
            }
            quote @ (b'\'' | b'"') => {
                at = quoted_end(bytes, at, *quote, true);
                Kind::Text
            }
            byte if is_word(*byte) => {
                at += bytes[at..].iter().take_while(|b| is_word(**b)).count();
                Kind::Word
            }
            other => {
                at += 1;
                Kind::Sign(*other)
            }
        };
        tokens.push(Token { kind, start, end: at });
    }
    tokens
}

/// Bytes above 127 are parts of words: identifiers without quotes may hold them.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at)
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8, backslash: bool) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        if *byte == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 2;
        } else if *byte == b'\\' && backslash {
            at += 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

impl Token {
    /// The token as it is written.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        sql.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether it is this word, in any case.
    pub fn is(&self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// The name that an identifier, with or without backticks, stands for; none for other tokens.
    pub fn name(&self, sql: &str) -> Option<String> {
        match self.kind {
            Kind::Identifier => {
                let text = self.text(sql);
                let inner = text.strip_prefix('`').unwrap_or(text);
                Some(inner.strip_suffix('`').unwrap_or(inner).replace("``", "`"))
            }
            Kind::Word => Some(self.text(sql).to_owned()),
            Kind::Text | Kind::Sign(_) => None,
        }
    }
}

/// A replacement of a part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The part's first byte.
    pub start: usize,
    /// Past its last byte.
    pub end: usize,
    /// What comes in its place.
    pub text: String,
}

/// Applies edits that do not overlap; one that begins within an earlier one is left out.
pub fn apply(sql: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let mut output = String::with_capacity(sql.len());
    let mut at = 0;
    for edit in edits {
        if edit.start >= at {
            output.push_str(sql.get(at..edit.start).unwrap_or_default());
            output.push_str(&edit.text);
            at = edit.end;
        }
    }
    output.push_str(sql.get(at..).unwrap_or_default());
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).iter().map(|token| token.text(sql)).collect()
    }

    #[test]
    fn quotes_and_comments_hide_what_they_hold() {
        let sql = "CREATE `a``b(` /* x */ COMMENT='it''s \\' (' /*!50100 PARTITION BY */ \"y\")";
        assert_eq!(
            texts(sql),
            ["CREATE", "`a``b(`", "COMMENT", "=", "'it''s \\' ('", "PARTITION", "BY", "\"y\"", ")"]
        );
        assert_eq!(tokens(sql)[1].name(sql).as_deref(), Some("a`b("));
    }

    #[test]
    fn broken_statements_end_where_they_end() {
        for sql in ["`abc", "'abc\\", "/*", "/*!", "/*!5", "a /* b", "*/"] {
            let _ = texts(sql);
        }
    }

    #[test]
    fn edits_replace_their_parts() {
        let edit = |start, end, text: &str| Edit { start, end, text: text.to_owned() };
        assert_eq!(apply("abcdef", vec![edit(4, 5, ""), edit(0, 1, "XY"), edit(4, 6, "Q")]), "XYbcdf");
    }
}
