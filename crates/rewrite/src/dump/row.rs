//! One row of `VALUES`, from its opening to its closing parenthesis. A pure function of the bytes, which finds the
//! strings of the row and does not look into them.

use std::ops::Range;

use memchr::{memchr, memmem};

/// A value that is written as a string or in hex, and where its content lies, without the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) column: usize,
    pub(super) spelling: Spelling,
    pub(super) content: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// A string in quotes of this kind.
    Text(u8),
    /// A string that `_binary` announced.
    Bytes(u8),
    /// The digits of `X'…'` or `0x…`.
    Hex,
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row {
    Whole {
        end: usize,
        /// How many values it has.
        width: usize,
    },
    /// It is not a row as dumps write them.
    Damaged,
    /// The bytes end before it does.
    Cut,
}

/// What was read of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Awaited,
    /// `_utf8mb4`, or another character set: a string follows.
    Introduced,
    /// `_binary`.
    Binary,
    /// `X`.
    Hex,
    /// A string, read to its end.
    Read,
    /// A number, a word or an expression.
    Other,
}

const SHORT_BYTES: usize = 8;

/// Why reading stops.
enum Stop {
    Damaged,
    Cut,
}

/// Reads the row whose parenthesis opens at `start`, and appends its literals. With `is_last` no more bytes follow, so a
/// row that is cut is damaged. Of a row that is not whole, `literals` holds nothing.
pub(super) fn read(text: &[u8], start: usize, is_last: bool, literals: &mut Vec<Literal>) -> Row {
    let before = literals.len();
    let mut reader = Reader { text, at: start + 1, column: 0, value: Value::Awaited, literals };
    let stop = match reader.values() {
        Ok(end) => return Row::Whole { end, width: reader.column + 1 },
        Err(stop) => stop,
    };
    literals.truncate(before);
    match stop {
        Stop::Cut if !is_last => Row::Cut,
        Stop::Cut | Stop::Damaged => Row::Damaged,
    }
}

struct Reader<'t, 'l> {
    text: &'t [u8],
    at: usize,
    column: usize,
    value: Value,
    literals: &'l mut Vec<Literal>,
}

impl Reader<'_, '_> {
    /// To the end of the row.
    fn values(&mut self) -> Result<usize, Stop> {
        loop {
            let start = self.at;
            match self.byte(start)? {
                quote @ (b'\'' | b'"') => self.string(quote)?,
                b',' => {
                    if self.value == Value::Awaited {
                        return Err(Stop::Damaged);
                    }
                    self.column += 1;
                    self.value = Value::Awaited;
                    self.at += 1;
                }
                b')' => {
                    if self.value == Value::Awaited && self.column > 0 {
                        return Err(Stop::Damaged);
                    }
                    return Ok(start + 1);
                }
                b';' => return Err(Stop::Damaged),
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if is_word(byte) => self.word()?,
                byte => {
                    self.sign(byte)?;
                }
            }
        }
    }

    fn byte(&self, at: usize) -> Result<u8, Stop> {
        self.text.get(at).copied().ok_or(Stop::Cut)
    }

    fn string(&mut self, quote: u8) -> Result<(), Stop> {
        let start = self.at + 1;
        let end = string_end(self.text, start, quote)?;
        let spelling = match self.value {
            Value::Read | Value::Other => return Err(Stop::Damaged),
            Value::Awaited | Value::Introduced => Spelling::Text(quote),
            Value::Binary => Spelling::Bytes(quote),
            Value::Hex => Spelling::Hex,
        };
        self.literals.push(Literal { column: self.column, spelling, content: start..end });
        self.value = Value::Read;
        self.at = end + 1;
        Ok(())
    }

    fn word(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let length = self.text[start..].iter().position(|byte| !is_word(*byte)).ok_or(Stop::Cut)?;
        self.at += length;
        let word = &self.text[start..self.at];
        self.value = match (self.value, word) {
            (Value::Read, _) => return Err(Stop::Damaged),
            (Value::Other, _) => Value::Other,
            (Value::Awaited, [b'x' | b'X']) => Value::Hex,
            (Value::Awaited, [b'n' | b'N']) => Value::Introduced,
            (Value::Awaited, [b'_', ..]) if word.eq_ignore_ascii_case(b"_binary") => Value::Binary,
            (Value::Awaited, [b'_', ..]) => Value::Introduced,
            (_, [b'0', b'x', _, ..]) => {
                let content = start + 2..self.at;
                self.literals.push(Literal { column: self.column, spelling: Spelling::Hex, content });
                Value::Read
            }
            _ => Value::Other,
        };
        Ok(())
    }

    /// A comment, a name, an expression in parentheses, or an operator.
    fn sign(&mut self, byte: u8) -> Result<(), Stop> {
        let start = self.at;
        if let Some(end) = comment_end(self.text, start)? {
            self.at = end;
            return Ok(());
        }
        if self.value == Value::Read {
            return Err(Stop::Damaged);
        }
        self.value = Value::Other;
        self.at = match byte {
            b'`' => memchr(b'`', &self.text[start + 1..]).ok_or(Stop::Cut)? + start + 2,
            b'(' => self.expression_end()?,
            _ => start + 1,
        };
        Ok(())
    }

    /// The end of the expression in parentheses that opens here; strings in it are not values.
    fn expression_end(&self) -> Result<usize, Stop> {
        let (mut at, mut depth) = (self.at, 0_usize);
        loop {
            match self.byte(at)? {
                b'(' => depth += 1,
                b')' if depth == 1 => return Ok(at + 1),
                b')' => depth -= 1,
                b';' => return Err(Stop::Damaged),
                quote @ (b'\'' | b'"') => at = string_end(self.text, at + 1, quote)?,
                _ => {}
            }
            at += 1;
        }
    }
}

/// Where the closing quote of the string stands whose content begins at `start`. A doubled quote does not close, nor does
/// one behind an odd number of backslashes.
fn string_end(text: &[u8], start: usize, quote: u8) -> Result<usize, Stop> {
    let mut at = start;
    loop {
        at += next_quote(quote, text.get(at..).unwrap_or_default()).ok_or(Stop::Cut)?;
        let backslashes = text[start..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 1 {
            at += 1;
        } else if text.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Ok(at);
        }
    }
}

/// Most strings of a row are short, and a search in vectors does not pay for them.
fn next_quote(quote: u8, text: &[u8]) -> Option<usize> {
    let head = text.iter().take(SHORT_BYTES).position(|byte| *byte == quote);
    head.or_else(|| Some(memchr(quote, text.get(SHORT_BYTES..)?)? + SHORT_BYTES))
}

/// The end of the comment that begins at `start`, if one does.
fn comment_end(text: &[u8], start: usize) -> Result<Option<usize>, Stop> {
    let rest = &text[start..];
    let end = match rest {
        [b'/', b'*', body @ ..] => memmem::find(body, b"*/").ok_or(Stop::Cut)? + 4,
        [b'-', b'-', next, ..] if *next <= b' ' => memchr(b'\n', rest).ok_or(Stop::Cut)? + 1,
        [b'#', ..] => memchr(b'\n', rest).ok_or(Stop::Cut)? + 1,
        [b'/'] | [b'-'] | [b'-', b'-'] => return Err(Stop::Cut),
        _ => return Ok(None),
    };
    Ok(Some(start + end))
}

/// Whether a byte belongs to a keyword, a bare name or a number.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'@') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(row: &str) -> Option<Vec<(usize, Spelling, &str)>> {
        let mut literals = Vec::new();
        let read = read(row.as_bytes(), 0, true, &mut literals);
        let found = |literal: &Literal| (literal.column, literal.spelling, &row[literal.content.clone()]);
        matches!(read, Row::Whole { .. }).then(|| literals.iter().map(found).collect())
    }

    #[test]
    fn every_spelling_of_a_value_is_read() {
        use Spelling::{Bytes, Hex, Text};
        let row = r#"(1,-2.5e3 , NULL,'it''s \'x\' \\',"a'b\"c" /* ' */,_binary 'b',_utf8mb4'u',N'n',X'4A',0x4b,('x'),CONVERT('a' USING utf8),'')"#;
        let expected = vec![
            (3, Text(b'\''), r"it''s \'x\' \\"),
            (4, Text(b'"'), r#"a'b\"c"#),
            (5, Bytes(b'\''), "b"),
            (6, Text(b'\''), "u"),
            (7, Text(b'\''), "n"),
            (8, Hex, "4A"),
            (9, Hex, "4b"),
            (12, Text(b'\''), ""),
        ];
        assert_eq!(whole(row), Some(expected));
        assert_eq!(whole("()"), Some(vec![]));
    }

    #[test]
    fn what_is_no_row_is_damaged() {
        for row in [
            "(1,,2)",
            "(1,)",
            "('a' 'b')",
            "('a'b)",
            "(b'a''c' 'd')",
            "(1;2)",
            "('a",
            "(1,2",
            "((1)",
            "(1 /* )",
        ] {
            assert_eq!(whole(row), None, "{row}");
        }
    }

    #[test]
    fn a_row_that_is_cut_is_read_when_the_rest_is_there() {
        let row = r"(1,'a''b\'',0x4b,-- it's
        'c')";
        for cut in 1..row.len() {
            let mut literals = Vec::new();
            assert_eq!(read(&row.as_bytes()[..cut], 0, false, &mut literals), Row::Cut, "{cut}");
            assert!(literals.is_empty());
        }
    }
}
