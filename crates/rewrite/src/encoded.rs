//! Serialized strings whose quotes are spelled as entities or with per cent signs: `s:19:&quot;https://…&quot;;` in an
//! attribute of HTML, `s%3A19%3A%22…%22%3B` in a query.
//!
//! Their lengths count bytes as they were before that spelling, so what they should become cannot be said here.
//! A plain replacement would make them wrong for good; what occurs in them is left, and counted as damaged.

use std::ops::Range;

use crate::spellings::starts_with_any_case;

const QUOTES: [&[u8]; 6] = [b"&quot;", b"&#34;", b"&#034;", b"&#x22;", b"%22", b"%2522"];
const COLONS: [&[u8]; 3] = [b":", b"%3a", b"%253a"];
const ENDS: [&[u8]; 3] = [b";", b"%3b", b"%253b"];
/// More digits than any length in memory has.
const DIGITS_MAX: usize = 19;

/// The contents of such strings in a text, in their order. One pass.
pub(crate) fn strings(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &[u8])> = None;
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| memchr::memchr2(b'&', b'%', rest)) {
        at += offset;
        let rest = &text[at..];
        let Some(quote) = QUOTES.into_iter().find(|quote| starts_with_any_case(rest, quote)) else {
            at += 1;
            continue;
        };
        let end = at + quote.len();
        match open {
            None if is_announced(&text[..at]) => open = Some((end, quote)),
            Some((start, opening)) if opening == quote && is_end(&text[end..]) => {
                found.push(start..at);
                open = None;
            }
            None | Some(_) => {}
        }
        at = end;
    }
    // One that never ends may have been cut off: all that follows is doubtful.
    found.extend(open.map(|(start, _)| start..text.len()));
    found
}

/// Whether a text holds any quote in such a spelling.
pub(crate) fn has_quotes(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'&', b'%', text).any(|at| {
        // Most are `&amp;`, or the per cent sign of a number.
        let may_be = matches!(text.get(at + 1), Some(b'q' | b'Q' | b'#' | b'2'));
        may_be && QUOTES.into_iter().any(|quote| starts_with_any_case(&text[at..], quote))
    })
}

/// Whether `s:19:` stands at the end of a text.
fn is_announced(head: &[u8]) -> bool {
    let before_colon = |head: &[u8]| {
        let colon = COLONS.into_iter().find(|colon| ends_with(head, colon))?;
        Some(head.len() - colon.len())
    };
    let Some(digits_end) = before_colon(head) else { return false };
    let digits = head[..digits_end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    // `%3A19`: the digits of a per cent sign are not those of the length.
    (1..=digits.min(DIGITS_MAX)).any(|count| {
        let Some(kind_end) = before_colon(&head[..digits_end - count]) else { return false };
        let Some((kind, before)) = head[..kind_end].split_last() else { return false };
        matches!(kind, b's' | b'S') && !before.last().is_some_and(|byte| byte.is_ascii_alphabetic())
    })
}

fn is_end(rest: &[u8]) -> bool {
    ENDS.into_iter().any(|end| starts_with_any_case(rest, end))
}

fn ends_with(text: &[u8], suffix: &[u8]) -> bool {
    crate::spellings::ends_with_any_case(text, suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(text: &str) -> Vec<&str> {
        strings(text.as_bytes()).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn strings_are_found_in_both_spellings_and_nothing_else_is() {
        assert_eq!(contents("a:1:{s:1:&quot;k&quot;;s:3:&quot;a&quot;b&quot;;}"), ["k", "a&quot;b"]);
        assert_eq!(contents("x=s%3A3%3A%22a+b%22%3B&y=1"), ["a+b"]);
        assert_eq!(contents("s:3:&#034;abc&#034;; s%253A1%253A%2522z%2522%253B"), ["abc", "z"]);
        assert!(contents("{&quot;url&quot;:&quot;x&quot;} class:3:&quot;x&quot;; 100%22").is_empty());
        assert_eq!(contents("s:99:&quot;cut off"), ["cut off"]);
    }
}
