//! Serialized data in string literals of JSON, where the lengths count the unescaped bytes.
//!
//! JSON as such needs no reading: an address in it is only spelled differently. What does need care is a
//! literal such as `"s:19:\"https:\/\/example.com\";"`. It is found in any text, be it JSON as a whole, a
//! block comment, or JSON in a string of JSON (then the quotes around it have backslashes themselves);
//! unescaped; rewritten; and each edit is carried back to the escaped text, which is not written anew.

use crate::edits::{Edit, Edits};
use crate::engine::{Outcome, Run};
use crate::literal::Rules;
use crate::spellings::{backslashes_before, hex_unit, surrogates};

/// A literal deeper in JSON than this is not looked for; its quotes have 31 backslashes each.
const LEVELS_MAX: usize = 6;
const HEX_QUOTE: &[u8] = b"u0022";

/// The literal cannot be unescaped.
pub(crate) struct Unreadable;

/// The content of a string literal that begins like serialized data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How often it must be unescaped; 1 for a literal of JSON that is not itself within a literal.
    levels: usize,
}

/// Walks over the quotes and braces of a text.
pub(crate) struct Literals<'v> {
    text: &'v [u8],
    /// Quotes may be written `\u0022`, as block comments do.
    has_hex_quotes: bool,
    /// Levels at which a literal was found not to end.
    unended: [bool; LEVELS_MAX + 1],
}

/// A quote and the backslashes before it: `"`, `\"`, `\\\"`, …, or `\u0022`, `\\u0022`, ….
#[derive(Debug, Clone, Copy)]
struct Quote {
    backslashes: usize,
    is_hex: bool,
    end: usize,
}

impl Quote {
    /// Whether it ends the literal that it stands in.
    fn is_end(self) -> bool {
        !self.is_hex && self.backslashes.is_multiple_of(2)
    }

    /// The same quote once the literal that it stands in is unescaped.
    fn unescaped(self) -> Self {
        let is_hex = self.is_hex && self.backslashes.is_multiple_of(2);
        Self { backslashes: self.backslashes / 2, is_hex, ..self }
    }

    /// How many literals it stands in; `None` if it is not the quote alone that remains.
    fn level(self) -> Option<usize> {
        let mut quote = self;
        for level in 0..LEVELS_MAX {
            if quote.is_end() {
                return (quote.backslashes == 0).then_some(level);
            }
            quote = quote.unescaped();
        }
        None
    }
}

impl<'v> Literals<'v> {
    pub(crate) fn new(text: &'v [u8], start: usize, end: usize) -> Self {
        let has_hex_quotes = memchr::memmem::find(&text[start..end], b"\\u0022").is_some();
        Self { text: &text[..end], has_hex_quotes, unended: [false; LEVELS_MAX + 1] }
    }

    /// The next quote, or brace, or `u` of `\u0022`, from `at` on.
    pub(crate) fn next_sign(&self, mut at: usize) -> Option<usize> {
        if !self.has_hex_quotes {
            return memchr::memchr2(b'"', b'{', &self.text[at..]).map(|offset| at + offset);
        }
        loop {
            let found = at + memchr::memchr3(b'"', b'{', b'u', &self.text[at..])?;
            if self.text[found] != b'u' || self.is_hex_quote(found) {
                return Some(found);
            }
            at = found + 1;
        }
    }

    /// The literal that is opened by the quote at `sign` and begins like serialized data.
    pub(crate) fn opened_at(&mut self, sign: usize) -> Option<Literal> {
        let quote = self.quote_at(sign)?;
        let (start, levels) = (quote.end, quote.level()? + 1);
        if levels > LEVELS_MAX || !is_announced(&self.text[start..]) {
            return None;
        }
        if self.unended[levels] {
            return None;
        }
        let Some(end) = self.end_of(start, levels) else {
            self.unended[levels] = true;
            return None;
        };
        // Without anything escaped it is a quotation of serialized data as it is.
        self.text[start..end].contains(&b'\\').then_some(Literal { start, end, levels })
    }

    /// The end of the content of a literal; `None` if a literal around it ends before.
    fn end_of(&self, start: usize, levels: usize) -> Option<usize> {
        let mut at = start;
        loop {
            let sign = self.next_sign(at)?;
            at = sign + 1;
            let Some(quote) = self.quote_at(sign) else { continue };
            let mut inner = quote;
            for _ in 1..levels {
                if inner.is_end() {
                    return None;
                }
                inner = inner.unescaped();
            }
            if inner.is_end() {
                // Backslashes that belong to the content stand before those of the quote.
                let of_content = inner.backslashes << (levels - 1);
                return Some(sign - quote.backslashes.saturating_sub(of_content));
            }
        }
    }

    fn quote_at(&self, sign: usize) -> Option<Quote> {
        let backslashes = backslashes_before(self.text, sign);
        match self.text[sign] {
            b'"' => Some(Quote { backslashes, is_hex: false, end: sign + 1 }),
            b'u' if self.is_hex_quote(sign) => {
                Some(Quote { backslashes, is_hex: true, end: sign + HEX_QUOTE.len() })
            }
            _ => None,
        }
    }

    fn is_hex_quote(&self, at: usize) -> bool {
        self.text[at..].starts_with(HEX_QUOTE) && backslashes_before(self.text, at) > 0
    }
}

/// Whether a literal's content begins like serialized data, whose own quotes are escaped.
fn is_announced(text: &[u8]) -> bool {
    let digits_end = 2 + text.iter().skip(2).take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let (Some(head), Some(rest)) = (text.get(..digits_end), text.get(digits_end..)) else { return false };
    match head {
        [b'a', b':', _, ..] => rest.starts_with(b":{"),
        [b's' | b'O' | b'C', b':', _, ..] => rest.starts_with(b":\\"),
        _ => false,
    }
}

/// Rewrites the serialized data in a literal of what `run` reads.
pub(crate) fn rewrite(run: &mut Run<'_, '_>, literal: &Literal) -> Result<(), Unreadable> {
    let escaped = &run.text[literal.start..literal.end];
    let Outcome { edits, damaged } = rewrite_layer(run.rules, escaped, literal.levels, run.layers)?;
    run.damaged += damaged;
    let (list, text) = edits.into_parts();
    for edit in list {
        let range = edit.range.start + literal.start..edit.range.end + literal.start;
        run.edits.push(range, edit.cause, &text[edit.text]);
    }
    Ok(())
}

/// The edits of an escaped text, found by unescaping it `levels` times.
fn rewrite_layer(rules: &Rules, escaped: &[u8], levels: usize, layers: u32) -> Result<Outcome, Unreadable> {
    let plain = unescape(escaped)?;
    let outcome = if levels > 1 {
        rewrite_layer(rules, &plain, levels - 1, layers)?
    } else {
        let none = || Outcome { edits: Edits::default(), damaged: 0 };
        Run::start(rules, &plain, layers).map_or_else(none, Run::finish)
    };
    let edits = carry_back(escaped, outcome.edits)?;
    Ok(Outcome { edits, damaged: outcome.damaged })
}

/// Turns edits of the unescaped text into edits of the escaped one.
fn carry_back(escaped: &[u8], edits: Edits) -> Result<Edits, Unreadable> {
    let (list, text) = edits.into_parts();
    let mut carried = Edits::default();
    let mut walk = Walk { escaped, at: 0, plain_at: 0 };
    for Edit { range, text: new, cause } in list {
        let start = walk.to(range.start)?;
        let end = walk.to(range.end)?;
        let new = escape(&text[new], &escaped[start..end]);
        carried.push(start..end, cause, &new);
    }
    Ok(carried)
}

/// A place in the escaped text, and the same place in the plain one.
struct Walk<'e> {
    escaped: &'e [u8],
    at: usize,
    plain_at: usize,
}

impl Walk<'_> {
    /// Goes forward to a place of the plain text; an error if that is within one character.
    fn to(&mut self, plain_at: usize) -> Result<usize, Unreadable> {
        while self.plain_at < plain_at {
            let unit = unit_at(self.escaped, self.at)?;
            self.at = unit.end;
            self.plain_at += unit.bytes().len();
        }
        if self.plain_at == plain_at { Ok(self.at) } else { Err(Unreadable) }
    }
}

/// One byte, or one character that was escaped.
struct Unit {
    buffer: [u8; 4],
    length: usize,
    end: usize,
}

impl Unit {
    fn byte(byte: u8, end: usize) -> Self {
        Self { buffer: [byte, 0, 0, 0], length: 1, end }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

fn unescape(escaped: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut plain = Vec::with_capacity(escaped.len());
    let mut at = 0;
    while at < escaped.len() {
        let run = memchr::memchr(b'\\', &escaped[at..]).unwrap_or(escaped.len() - at);
        plain.extend_from_slice(&escaped[at..at + run]);
        at += run;
        if at < escaped.len() {
            let unit = unit_at(escaped, at)?;
            plain.extend_from_slice(unit.bytes());
            at = unit.end;
        }
    }
    Ok(plain)
}

fn unit_at(escaped: &[u8], at: usize) -> Result<Unit, Unreadable> {
    let byte = *escaped.get(at).ok_or(Unreadable)?;
    if byte != b'\\' {
        return Ok(Unit::byte(byte, at + 1));
    }
    let plain = match escaped.get(at + 1).ok_or(Unreadable)? {
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return wide_unit_at(escaped, at),
        _ => return Err(Unreadable),
    };
    Ok(Unit::byte(plain, at + 2))
}

fn wide_unit_at(escaped: &[u8], at: usize) -> Result<Unit, Unreadable> {
    let unit = |at: usize| {
        let escape = escaped.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
        hex_unit(&escape[2..])
    };
    let first = unit(at).ok_or(Unreadable)?;
    let (char, end) = match char::from_u32(u32::from(first)) {
        Some(char) => (char, at + 6),
        None => (unit(at + 6).and_then(|second| surrogates(first, second)).ok_or(Unreadable)?, at + 12),
    };
    let mut buffer = [0; 4];
    let length = char.encode_utf8(&mut buffer).len();
    Ok(Unit { buffer, length, end })
}

/// Writes `plain` as a part of a literal, with slashes and letters beyond ASCII as in `like`, the part
/// that it takes the place of.
fn escape(plain: &[u8], like: &[u8]) -> Vec<u8> {
    let slash: &[u8] = [&b"\\/"[..], b"\\u002f", b"\\u002F"]
        .into_iter()
        .find(|slash| memchr::memmem::find(like, slash).is_some())
        .unwrap_or(b"/");
    let is_wide_escaped = like.is_ascii() && memchr::memmem::find(like, b"\\u").is_some();
    let mut out = Vec::with_capacity(plain.len() * 2);
    for chunk in plain.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '/' => out.extend_from_slice(slash),
                '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
                char if char.is_control() || (!char.is_ascii() && is_wide_escaped) => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                    }
                }
                char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}
