//! A string of SQL and the value that it stands for.

use std::borrow::Cow;

/// The value between the quotes, as the server reads it without `NO_BACKSLASH_ESCAPES`.
pub(super) fn unescape(inner: &[u8], quote: u8) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'\\', quote, inner) else { return Cow::Borrowed(inner) };
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        value.extend_from_slice(&rest[..at]);
        let (sign, escaped) = (rest[at], rest.get(at + 1).copied());
        match (sign, escaped) {
            (b'\\', Some(escaped)) => match escaped {
                b'0' => value.push(0),
                b'b' => value.push(0x08),
                b'n' => value.push(b'\n'),
                b'r' => value.push(b'\r'),
                b't' => value.push(b'\t'),
                b'Z' => value.push(0x1A),
                // Outside of patterns these keep their backslash.
                b'%' | b'_' => value.extend_from_slice(&[b'\\', escaped]),
                other => value.push(other),
            },
            (sign, _) => value.push(sign),
        }
        rest = rest.get(at + 2..).unwrap_or_default();
        next = memchr::memchr2(b'\\', quote, rest);
    }
    value.extend_from_slice(rest);
    Cow::Owned(value)
}

/// How a string was written: its rewritten value is written likewise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    quote: u8,
    doubles_quotes: bool,
    /// The other kind of quote has a backslash too.
    escapes_other_quote: bool,
    has_raw_breaks: bool,
    escapes_tabs: bool,
}

impl Style {
    pub(super) fn of(inner: &[u8], quote: u8) -> Self {
        let has = |needle: &[u8]| memchr::memmem::find(inner, needle).is_some();
        let other = if quote == b'"' { b'\'' } else { b'"' };
        Self {
            quote,
            doubles_quotes: has(&[quote, quote]),
            escapes_other_quote: has(&[b'\\', other]),
            has_raw_breaks: memchr::memchr2(b'\n', b'\r', inner).is_some(),
            escapes_tabs: has(b"\\t"),
        }
    }

    /// Appends the string with its quotes.
    pub(super) fn write(self, value: &[u8], out: &mut Vec<u8>) {
        out.reserve(value.len() + value.len() / 16 + 2);
        out.push(self.quote);
        for byte in value {
            match *byte {
                0 => out.extend_from_slice(b"\\0"),
                0x1A => out.extend_from_slice(b"\\Z"),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' if !self.has_raw_breaks => out.extend_from_slice(b"\\n"),
                b'\r' if !self.has_raw_breaks => out.extend_from_slice(b"\\r"),
                b'\t' if self.escapes_tabs => out.extend_from_slice(b"\\t"),
                byte if byte == self.quote && self.doubles_quotes => out.extend_from_slice(&[byte, byte]),
                byte if byte == self.quote => out.extend_from_slice(&[b'\\', byte]),
                byte @ (b'"' | b'\'') if self.escapes_other_quote => out.extend_from_slice(&[b'\\', byte]),
                byte => out.push(byte),
            }
        }
        out.push(self.quote);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_read_as_the_server_reads_it() {
        assert_eq!(
            unescape(br#"a\'b''c\"\\\n\r\t\0\Z\b\%\_\x"#, b'\'').as_ref(),
            b"a'b'c\"\\\n\r\t\0\x1A\x08\\%\\_x"
        );
        assert!(matches!(unescape(b"plain \"text\"", b'\''), Cow::Borrowed(_)));
    }

    #[test]
    fn a_value_is_written_as_it_was() {
        for (quote, inner) in [
            (b'\'', &br#"it\'s \"x\"\n\\ \0"#[..]),
            (b'\'', b"it''s \"x\"\nraw"),
            (b'"', br#"it's \"x\"\ta"#),
        ] {
            let mut out = Vec::new();
            Style::of(inner, quote).write(&unescape(inner, quote), &mut out);
            assert_eq!(out, [&[quote][..], inner, &[quote]].concat());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in proptest::collection::vec(any::<u8>(), 0..80), inner in "[a-z'\\\\\"]{0,8}", quote in prop_oneof![Just(b'\''), Just(b'"')]) {
            let mut out = Vec::new();
            Style::of(inner.as_bytes(), quote).write(&value, &mut out);
            let read = unescape(&out[1..out.len() - 1], quote);
            prop_assert_eq!(read.as_ref(), &value[..]);
        }
    }
}
