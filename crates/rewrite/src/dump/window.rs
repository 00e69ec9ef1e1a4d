//! Addresses and paths in plain text, rewritten where they stand in a string of a dump without reading the rest of it.
//!
//! All that decides about an occurrence, its spelling and its boundaries, lies between two signs that no address holds.
//! That holds for text only: where lengths may count its bytes, the whole value is read.

use std::ops::Range;

use crate::encoded;
use crate::engine::Rewriter;

/// Whether a string can be rewritten window by window: it holds no serialized data, in whatever spelling.
pub(super) fn is_possible(rewriter: &Rewriter, raw: &[u8]) -> bool {
    rewriter.sources_fit_windows()
        && !begins_serialized(raw)
        && !rewriter.may_embed(raw)
        && !encoded::has_quotes(raw)
}

/// The window around a place in a string. It does not begin within an escape, and does not end within one.
pub(super) fn around(raw: &[u8], place: usize) -> Range<usize> {
    let start = raw[..place].iter().rposition(|byte| is_border(*byte)).map_or(0, |border| border + 1);
    let length = raw[place..].iter().position(|byte| is_border(*byte));
    let end = length.map_or(raw.len(), |length| place + length);
    let backslashes = raw[start..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    start..end - backslashes % 2
}

/// What neither an address nor a path holds, and what does not continue either: at a border both begin and end as they do
/// at the border of a text.
pub(crate) fn is_border(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b',')
}

/// Whether a string may begin like serialized data, behind blanks and escapes of blanks.
fn begins_serialized(raw: &[u8]) -> bool {
    let mut rest = raw;
    loop {
        rest = match rest {
            [blank, tail @ ..] if *blank <= b' ' => tail,
            [b'\\', _, tail @ ..] => tail,
            _ => break,
        };
    }
    matches!(rest, [b'a' | b'O' | b'C' | b's' | b'S' | b'E', b':' | b'\\', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reaches_from_border_to_border() {
        let window = |raw: &str, place: &str| {
            let at = raw.find(place).unwrap_or_default();
            raw[around(raw.as_bytes(), at)].to_owned()
        };
        assert_eq!(window(r#"<a href=\"https://old.example/x\">"#, "old"), "https://old.example/x");
        assert_eq!(
            window(r"see\nhttps:\\/\\/old.example\\, it''s", "old"),
            r"see\nhttps:\\/\\/old.example\\"
        );
        assert_eq!(window("//old.example", "old"), "//old.example");
    }

    #[test]
    fn serialized_data_is_seen_behind_blanks() {
        for raw in ["a:1:{", r#"\n s:3:\"x"#, r"\tO:8:"] {
            assert!(begins_serialized(raw.as_bytes()), "{raw}");
        }
        assert!(!begins_serialized(b"an https://old.example"));
    }
}
