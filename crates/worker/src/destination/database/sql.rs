//! SQL text: the two functions through which every identifier and every value of a row goes.

use crate::model::Column;

/// An identifier between backticks, whatever it holds.
pub fn quote(identifier: &str) -> String {
    let mut quoted = String::with_capacity(identifier.len() + 2);
    quoted.push('`');
    for character in identifier.chars() {
        if character == '`' {
            quoted.push('`');
        }
        quoted.push(character);
    }
    quoted.push('`');
    quoted
}

/// How the values of a column are written into an INSERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// `_binary'…'`: the bytes go into the column as they are, whatever its character set.
    Raw,
    /// `'…'`: numbers, dates and other values whose text is ASCII, and types that refuse binary strings.
    Text,
    /// Digits without quotes: `BIT`, which takes a quoted text for its bytes.
    Digits,
}

impl Literal {
    /// How values of this column are written.
    pub fn of(column: &Column) -> Self {
        match column.data_type.as_str() {
            "bit" => Literal::Digits,
            // A native JSON column refuses binary strings; where JSON is a text column, the type says so.
            "json" => Literal::Text,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => {
                Literal::Raw
            }
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Literal::Raw,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => Literal::Raw,
            _ => Literal::Text,
        }
    }

    /// Appends the value. A BIT that is no number cannot come from a snapshot that was read rightly; it is
    /// written as text, which the verification then catches.
    ///
    /// The text is right for a session without `NO_BACKSLASH_ESCAPES` only: every connection of ours sets its
    /// `sql_mode` and checks it.
    pub fn push(self, sql: &mut Vec<u8>, value: Option<&[u8]>) {
        let Some(value) = value else {
            sql.extend_from_slice(b"NULL");
            return;
        };
        match self {
            Literal::Raw => {
                sql.extend_from_slice(b"_binary");
                push_quoted(sql, value);
            }
            Literal::Digits if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                sql.extend_from_slice(value);
            }
            Literal::Digits | Literal::Text => push_quoted(sql, value),
        }
    }

    /// Upper bound of what [`Literal::push`] appends.
    pub fn length_max(value: Option<&[u8]>) -> usize {
        value.map_or(4, |value| 2 * value.len() + 9)
    }
}

/// A string literal. Only what would end the literal or be altered on the way is escaped, and copied in runs.
pub fn push_quoted(sql: &mut Vec<u8>, value: &[u8]) {
    sql.push(b'\'');
    let mut from = 0;
    for (at, byte) in value.iter().enumerate() {
        let escaped = match byte {
            0 => b'0',
            b'\'' => b'\'',
            b'\\' => b'\\',
            0x1a => b'Z',
            _ => continue,
        };
        sql.extend_from_slice(&value[from..at]);
        sql.extend_from_slice(&[b'\\', escaped]);
        from = at + 1;
    }
    sql.extend_from_slice(&value[from..]);
    sql.push(b'\'');
}

/// A string literal for a statement that takes no parameters (DDL, SET).
pub fn quoted(value: &str) -> String {
    let mut sql = Vec::with_capacity(value.len() + 2);
    push_quoted(&mut sql, value.as_bytes());
    String::from_utf8(sql).expect("escaping ASCII keeps UTF-8 valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_cannot_leave_its_quotes() {
        assert_eq!(quote("a`; DROP TABLE b; -- "), "`a``; DROP TABLE b; -- `");
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let mut sql = Vec::new();
        Literal::Raw.push(&mut sql, Some(b"a'\\\0\x1a\xff\n"));
        assert_eq!(sql, b"_binary'a\\'\\\\\\0\\Z\xff\n'");
        sql.clear();
        Literal::Digits.push(&mut sql, Some(b"1); DROP"));
        assert_eq!(sql, b"'1); DROP'");
    }
}
