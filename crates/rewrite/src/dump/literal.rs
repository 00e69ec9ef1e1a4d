//! A string of SQL and the value that it stands for.

/// The value of one string, and where its bytes stand in the string. Kept from string to string for its memory.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    value: Vec<u8>,
    /// Of each byte that takes two in the string, where it stands in the value.
    escapes: Vec<usize>,
}

/// Walks from places in the value to places in the string, forwards.
#[derive(Debug)]
pub(super) struct Places<'u> {
    escapes: &'u [usize],
    passed: usize,
}

impl Unescaped {
    /// The value between the quotes, as the server reads it without `NO_BACKSLASH_ESCAPES`.
    pub(super) fn read(&mut self, inner: &[u8], quote: u8) -> &[u8] {
        self.value.clear();
        self.escapes.clear();
        self.value.reserve(inner.len());
        let mut rest = inner;
        while let Some(at) = memchr::memchr2(b'\\', quote, rest) {
            // The last byte of all escapes nothing.
            let Some(escaped) = rest.get(at + 1).copied() else { break };
            self.value.extend_from_slice(&rest[..at]);
            let byte = match (rest[at], escaped) {
                // Outside of patterns these keep their backslash.
                (b'\\', b'%' | b'_') => {
                    self.value.push(b'\\');
                    rest = &rest[at + 1..];
                    continue;
                }
                (b'\\', escaped) => unescaped(escaped),
                (quote, _) => quote,
            };
            self.escapes.push(self.value.len());
            self.value.push(byte);
            rest = &rest[at + 2..];
        }
        self.value.extend_from_slice(rest);
        &self.value
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places { escapes: &self.escapes, passed: 0 }
    }
}

fn unescaped(escaped: u8) -> u8 {
    match escaped {
        b'0' => 0,
        b'b' => 0x08,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 0x1A,
        other => other,
    }
}

impl Places<'_> {
    /// Where the byte at `place` of the value stands in the string; asked for in ascending order.
    pub(super) fn raw(&mut self, place: usize) -> usize {
        while self.escapes.get(self.passed).is_some_and(|escape| *escape < place) {
            self.passed += 1;
        }
        place + self.passed
    }
}

/// Appends a part of a value as it stands between quotes.
pub(super) fn escape(value: &[u8], quote: u8, out: &mut Vec<u8>) {
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'\\' || *byte == quote;
    if !value.iter().any(is_special) {
        out.extend_from_slice(value);
        return;
    }
    for byte in value {
        match *byte {
            0 => out.extend_from_slice(b"\\0"),
            0x1A => out.extend_from_slice(b"\\Z"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte if byte == b'\\' || byte == quote => out.extend_from_slice(&[b'\\', byte]),
            byte => out.push(byte),
        }
    }
}

/// None where it is not pairs of hex digits.
pub(super) fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

pub(super) fn encode_hex(bytes: &[u8], is_upper: bool, out: &mut Vec<u8>) {
    let digits = if is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let digit = |value: u8| digits[usize::from(value)];
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_read_as_the_server_reads_it() {
        let mut unescaped = Unescaped::default();
        assert_eq!(
            unescaped.read(br#"a\'b''c\"\\\n\r\t\0\Z\b\%\_\x"#, b'\''),
            b"a'b'c\"\\\n\r\t\0\x1A\x08\\%\\_x"
        );
        assert_eq!(unescaped.read(b"plain \"text\"", b'\''), b"plain \"text\"");
        assert_eq!(unescaped.read(b"cut\\", b'\''), b"cut\\");
    }

    #[test]
    fn hex_is_read_and_written() {
        let bytes = decode_hex(b"00ffA1").unwrap_or_default();
        assert_eq!(bytes, [0, 255, 0xA1]);
        let mut out = Vec::new();
        encode_hex(&bytes, true, &mut out);
        assert_eq!(out, b"00FFA1");
        assert_eq!((decode_hex(b"0"), decode_hex(b"0g")), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in proptest::collection::vec(any::<u8>(), 0..80), quote in prop_oneof![Just(b'\''), Just(b'"')]) {
            let mut out = Vec::new();
            escape(&value, quote, &mut out);
            let mut read = Unescaped::default();
            prop_assert_eq!(read.read(&out, quote), &value[..]);
        }

        #[test]
        fn places_are_those_of_the_string(inner in "[a-z'\\\\%\"]{0,30}", cut in 0_usize..30) {
            let inner = inner.replace('\'', "''");
            let mut unescaped = Unescaped::default();
            let whole = unescaped.read(inner.as_bytes(), b'\'').to_vec();
            let cut = cut.min(whole.len());
            let raw = unescaped.places().raw(cut);
            let head = Unescaped::default().read(&inner.as_bytes()[..raw], b'\'').to_vec();
            let tail = Unescaped::default().read(&inner.as_bytes()[raw..], b'\'').to_vec();
            prop_assert_eq!([head, tail].concat(), whole);
        }
    }
}
