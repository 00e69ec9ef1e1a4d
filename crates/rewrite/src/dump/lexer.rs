//! The tokens of a dump outside of its rows. Only what is needed to know where a value begins and ends: quotes of every kind, comments, words.

use memchr::{memchr, memchr2, memmem};

use super::row::is_word;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space.
    Blank,
    /// `-- …`, `# …` and `/* … */`, the executable `/*! … */` included.
    Comment,
    /// A keyword, a bare name or a number.
    Word,
    /// A name in backticks.
    Name,
    /// A string in quotes of this kind.
    Text(u8),
    /// A string or comment that does not end.
    Endless,
    /// Any other byte.
    Sign(u8),
}

/// A token and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads tokens from a buffer that grows. What was searched of a long token is not searched again when more arrives.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    /// Up to here the token under way holds nothing that ends it.
    searched: usize,
}

impl Lexer {
    /// The token at `start`; none where the buffer does not hold all of it and more may come.
    pub(super) fn token(&mut self, text: &[u8], start: usize, is_last: bool) -> Option<Token> {
        let kind = self.kind(text, start, is_last)?;
        let found = match kind {
            Kind::Blank => self.while_true(text, start, is_last, |byte| byte.is_ascii_whitespace()),
            Kind::Word => self.while_true(text, start, is_last, is_word),
            Kind::Name => self.quoted(text, start, is_last, b'`', b'`'),
            Kind::Text(quote) => self.quoted(text, start, is_last, quote, b'\\'),
            Kind::Comment => self.comment(text, start, is_last),
            Kind::Sign(_) | Kind::Endless => Some((kind, start + 1)),
        };
        let (ended, end) = found?;
        self.searched = 0;
        let kind = if ended == Kind::Endless { ended } else { kind };
        Some(Token { kind, start, end })
    }

    /// The buffer lost so many bytes at its front.
    pub(super) fn shift(&mut self, bytes: usize) {
        self.searched = self.searched.saturating_sub(bytes);
    }

    /// Forgets the token under way.
    pub(super) fn reset(&mut self) {
        self.searched = 0;
    }

    fn kind(&self, text: &[u8], start: usize, is_last: bool) -> Option<Kind> {
        let rest = &text[start..];
        let byte = *rest.first()?;
        Some(match byte {
            b'\'' | b'"' => Kind::Text(byte),
            b'`' => Kind::Name,
            b'#' => Kind::Comment,
            b'-' | b'/' if rest.len() < 3 && !is_last => return None,
            b'/' if rest.starts_with(b"/*") => Kind::Comment,
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(|next| *next <= b' ') => Kind::Comment,
            byte if byte.is_ascii_whitespace() => Kind::Blank,
            byte if is_word(byte) => Kind::Word,
            byte => Kind::Sign(byte),
        })
    }

    fn while_true(
        &mut self,
        text: &[u8],
        start: usize,
        is_last: bool,
        belongs: impl Fn(u8) -> bool,
    ) -> Option<(Kind, usize)> {
        let from = self.searched.max(start);
        let length = text[from..].iter().position(|byte| !belongs(*byte));
        match length {
            Some(length) => Some((Kind::Word, from + length)),
            None if is_last => Some((Kind::Word, text.len())),
            None => {
                self.searched = text.len();
                None
            }
        }
    }

    /// To the closing quote. A doubled quote does not close; behind `escape` (another sign than the quote) neither.
    fn quoted(
        &mut self,
        text: &[u8],
        start: usize,
        is_last: bool,
        quote: u8,
        escape: u8,
    ) -> Option<(Kind, usize)> {
        let mut at = self.searched.max(start + 1);
        loop {
            let found =
                text.get(at..).and_then(|rest| memchr2(quote, escape, rest)).map(|offset| at + offset);
            let Some(found) = found else {
                self.searched = text.len().max(at);
                return is_last.then_some((Kind::Endless, text.len()));
            };
            if found + 1 >= text.len() && !is_last {
                self.searched = found;
                return None;
            }
            let is_escape = escape != quote && text[found] == escape;
            if !is_escape && text.get(found + 1) != Some(&quote) {
                return Some((Kind::Word, found + 1));
            }
            at = found + 2;
        }
    }

    fn comment(&mut self, text: &[u8], start: usize, is_last: bool) -> Option<(Kind, usize)> {
        let is_block = text[start] == b'/';
        let from = self.searched.max(start + if is_block { 2 } else { 1 });
        let rest = text.get(from..).unwrap_or_default();
        let end = if is_block {
            memmem::find(rest, b"*/").map(|offset| from + offset + 2)
        } else {
            memchr(b'\n', rest).map(|offset| from + offset + 1)
        };
        match end {
            Some(end) => Some((Kind::Comment, end)),
            None if is_last && !is_block => Some((Kind::Comment, text.len())),
            None if is_last => Some((Kind::Endless, text.len())),
            None => {
                // The star may be the last byte that is there.
                self.searched = text.len().saturating_sub(1).max(start + 1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let mut lexer = Lexer::default();
        let mut at = 0;
        let mut found = Vec::new();
        while let Some(token) = lexer.token(text.as_bytes(), at, true) {
            found.push((token.kind, &text[token.start..token.end]));
            at = token.end;
        }
        found
    }

    #[test]
    fn quotes_escapes_and_comments_end_where_the_server_ends_them() {
        use Kind::{Blank, Comment, Endless, Name, Sign, Text, Word};
        assert_eq!(kinds(r"'a''b\'c' `x``y`"), [(Text(b'\''), r"'a''b\'c'"), (Blank, " "), (Name, "`x``y`")]);
        assert_eq!(kinds(r#""a'b\\",0xAF"#), [(Text(b'"'), r#""a'b\\""#), (Sign(b','), ","), (Word, "0xAF")]);
        assert_eq!(
            kinds("-- it's\n--x/* ' */"),
            [(Comment, "-- it's\n"), (Sign(b'-'), "-"), (Sign(b'-'), "-"), (Word, "x"), (Comment, "/* ' */")]
        );
        assert_eq!(kinds("'abc"), [(Endless, "'abc")]);
    }

    #[test]
    fn a_token_in_pieces_is_the_same_token() {
        let text = r"'a\\''b' /* it's * / */ wo";
        let whole = kinds(text);
        for cut in 1..text.len() {
            let mut lexer = Lexer::default();
            let mut at = 0;
            let mut found = Vec::new();
            for (end, is_last) in [(cut, false), (text.len(), true)] {
                while let Some(token) = lexer.token(&text.as_bytes()[..end], at, is_last) {
                    found.push((token.kind, &text[token.start..token.end]));
                    at = token.end;
                }
            }
            assert_eq!(found, whole, "cut at {cut}");
        }
    }
}
