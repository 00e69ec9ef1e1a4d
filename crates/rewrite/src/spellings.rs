//! How one character of an address may be written, and how to write it so again.
//!
//! A slash may stand as `/`, `\/`, `\\\/`, `\u002f`, `%2F`, `%252F`, `&#x2F;`, `&#47;`; the colon likewise;
//! a dash as `\u002d` (block comments have no `--`); letters beyond ASCII as `\u00fc` or `%C3%BC`.

use std::char;

/// The deepest nesting of JSON in JSON that is understood: five levels write `"` with 31 backslashes.
pub(crate) const BACKSLASHES_MAX: usize = 31;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start..self.end]
    }
}

struct Sign {
    plain: u8,
    words: &'static [&'static [u8]],
    /// After one or more backslashes.
    json: &'static [u8],
}

const SLASH: Sign = Sign {
    plain: b'/',
    words: &[b"%2f", b"%252f", b"&#x2f;", b"&#47;", b"&#047;", b"&sol;"],
    json: b"u002f",
};

const COLON: Sign = Sign {
    plain: b':',
    words: &[b"%3a", b"%253a", b"&#x3a;", b"&#58;", b"&#058;", b"&colon;"],
    json: b"u003a",
};

/// The slash that ends at `end`, with the backslashes before it.
pub(crate) fn slash_before(text: &[u8], end: usize) -> Option<Span> {
    let start = sign_before(text, end, &SLASH)?;
    let start = if text[end - 1] == b'/' { start - backslashes_before(text, start) } else { start };
    Some(Span { start, end })
}

/// The colon that ends at `end`.
pub(crate) fn colon_before(text: &[u8], end: usize) -> Option<Span> {
    Some(Span { start: sign_before(text, end, &COLON)?, end })
}

/// The end of the colon that starts at `start`.
pub(crate) fn colon_at(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    match *rest.first()? {
        b':' => Some(start + 1),
        b'%' | b'&' => {
            COLON.words.iter().find(|word| starts_with_any_case(rest, word)).map(|word| start + word.len())
        }
        b'\\' => {
            let run = backslashes_at(text, start);
            starts_with_any_case(&rest[run..], COLON.json).then(|| start + run + COLON.json.len())
        }
        _ => None,
    }
}

fn sign_before(text: &[u8], end: usize, sign: &Sign) -> Option<usize> {
    let head = &text[..end];
    let last = *head.last()?;
    if last == sign.plain {
        return Some(end - 1);
    }
    if last != b';' && !last.is_ascii_hexdigit() {
        return None;
    }
    if let Some(word) = sign.words.iter().find(|word| ends_with_any_case(head, word)) {
        return Some(end - word.len());
    }
    let run = ends_with_any_case(head, sign.json).then(|| backslashes_before(text, end - sign.json.len()))?;
    (run > 0).then(|| end - sign.json.len() - run)
}

/// The number of backslashes that end at `end`, at most [`BACKSLASHES_MAX`].
pub(crate) fn backslashes_before(text: &[u8], end: usize) -> usize {
    text[..end].iter().rev().take(BACKSLASHES_MAX).take_while(|byte| **byte == b'\\').count()
}

/// The number of backslashes that start at `start`, at most [`BACKSLASHES_MAX`].
pub(crate) fn backslashes_at(text: &[u8], start: usize) -> usize {
    text[start..].iter().take(BACKSLASHES_MAX).take_while(|byte| **byte == b'\\').count()
}

pub(crate) fn starts_with_any_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

pub(crate) fn ends_with_any_case(text: &[u8], suffix: &[u8]) -> bool {
    text.len() >= suffix.len() && text[text.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// A character read from a text, whichever way it was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) char: char,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) is_percent: bool,
}

/// The character at `start`; `None` at the end of the text.
pub(crate) fn char_at(text: &[u8], start: usize) -> Option<Read> {
    let plain = |char, end| Read { char, start, end, is_percent: false };
    match *text.get(start)? {
        b'\\' => Some(json_char_at(text, start).unwrap_or_else(|| plain('\\', start + 1))),
        b'%' => Some(match percent_char_at(text, start) {
            Some((char, end)) => Read { char, start, end, is_percent: true },
            None => plain('%', start + 1),
        }),
        b'&' => Some(entity_at(text, start).map_or_else(|| plain('&', start + 1), |(c, end)| plain(c, end))),
        byte if byte.is_ascii() => Some(plain(char::from(byte), start + 1)),
        byte => {
            let (char, length) = utf8_at(&text[start..]).unwrap_or((stray(byte), 1));
            Some(plain(char, start + length))
        }
    }
}

/// The character that ends at `end`; `None` at the start of the text.
pub(crate) fn char_before(text: &[u8], end: usize) -> Option<Read> {
    let last = *text[..end].last()?;
    let plain = |char, start| Read { char, start, end, is_percent: false };
    if last.is_ascii_hexdigit() {
        if let Some(read) = json_char_before(text, end) {
            return Some(read);
        }
        if let Some(read) = percent_char_before(text, end) {
            return Some(read);
        }
    }
    // What stands before a line feed of JSON is not the letter n.
    if matches!(last, b'n' | b'r' | b't' | b'b' | b'f') && backslashes_before(text, end - 1) > 0 {
        return Some(plain(' ', end - 2));
    }
    if last == b';' {
        let tail = end.saturating_sub(12);
        let entity = memchr::memrchr(b'&', &text[tail..end]).and_then(|back| {
            let (char, entity_end) = entity_at(text, tail + back)?;
            (entity_end == end).then(|| plain(char, tail + back))
        });
        if entity.is_some() {
            return entity;
        }
    }
    if last.is_ascii() {
        return Some(plain(char::from(last), end - 1));
    }
    let lead = (2..=4.min(end)).find_map(|back| {
        utf8_at(&text[end - back..end])
            .filter(|(_, length)| *length == back)
            .map(|(char, _)| (char, end - back))
    });
    let (char, start) = lead.unwrap_or((stray(last), end - 1));
    Some(plain(char, start))
}

/// A byte that is not UTF-8 is taken for Latin-1, where letters begin at 0xC0.
fn stray(byte: u8) -> char {
    if byte >= 0xC0 { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
}

fn utf8_at(text: &[u8]) -> Option<(char, usize)> {
    let length = match *text.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let char = std::str::from_utf8(text.get(..length)?).ok()?.chars().next()?;
    Some((char, length))
}

fn json_char_at(text: &[u8], start: usize) -> Option<Read> {
    let run = backslashes_at(text, start);
    let after = start + run;
    match *text.get(after)? {
        b'/' => Some(Read { char: '/', start, end: after + 1, is_percent: false }),
        b'u' => {
            let unit = hex_unit(text.get(after + 1..after + 5)?)?;
            let end = after + 5;
            let second = || {
                let next = end + run;
                let is_escape = backslashes_at(text, end) == run && text.get(next) == Some(&b'u');
                is_escape
                    .then(|| hex_unit(text.get(next + 1..next + 5)?))
                    .flatten()
                    .map(|low| (low, next + 5))
            };
            let (char, end) = match char::from_u32(u32::from(unit)) {
                Some(char) => (char, end),
                None => second().and_then(|(low, end)| Some((surrogates(unit, low)?, end)))?,
            };
            Some(Read { char, start, end, is_percent: false })
        }
        _ => None,
    }
}

fn json_char_before(text: &[u8], end: usize) -> Option<Read> {
    let unit_before = |end: usize| {
        let digits = end.checked_sub(4)?;
        let letter = digits.checked_sub(1).filter(|at| text[*at] == b'u')?;
        let run = backslashes_before(text, letter);
        (run > 0).then(|| Some((hex_unit(&text[digits..end])?, letter - run))).flatten()
    };
    let (unit, start) = unit_before(end)?;
    if let Some(char) = char::from_u32(u32::from(unit)) {
        return Some(Read { char, start, end, is_percent: false });
    }
    let (high, start) = unit_before(start)?;
    Some(Read { char: surrogates(high, unit)?, start, end, is_percent: false })
}

pub(crate) fn surrogates(high: u16, low: u16) -> Option<char> {
    char::decode_utf16([high, low]).next()?.ok()
}

pub(crate) fn hex_unit(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |unit: u16, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

/// One byte written as `%XX` or `%25XX`.
fn percent_byte_at(text: &[u8], start: usize) -> Option<(u8, usize)> {
    let read = |at: usize| {
        let digits = text.get(at..at + 2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u8::try_from(hex_unit(digits)?).ok()
    };
    if text.get(start) != Some(&b'%') {
        return None;
    }
    let byte = read(start + 1)?;
    match (byte, read(start + 3)) {
        (b'%', Some(inner)) => Some((inner, start + 5)),
        (_, Some(_) | None) => Some((byte, start + 3)),
    }
}

fn percent_char_at(text: &[u8], start: usize) -> Option<(char, usize)> {
    let (first, mut end) = percent_byte_at(text, start)?;
    if first.is_ascii() {
        return Some((char::from(first), end));
    }
    let mut bytes = [first, 0, 0, 0];
    for length in 1..=4 {
        if let Some((char, _)) = utf8_at(&bytes[..length]) {
            return Some((char, end));
        }
        let Some((next, next_end)) = percent_byte_at(text, end).filter(|_| length < 4) else { break };
        bytes[length] = next;
        end = next_end;
    }
    Some((stray(first), percent_byte_at(text, start)?.1))
}

fn percent_char_before(text: &[u8], end: usize) -> Option<Read> {
    let single = [3, 5].into_iter().find_map(|length| {
        let start = end.checked_sub(length)?;
        percent_byte_at(text, start)
            .filter(|(_, read_end)| *read_end == end)
            .map(|(byte, _)| (byte, start, length))
    });
    let (last, start, length) = single?;
    let read = |char, start| Read { char, start, end, is_percent: true };
    if last.is_ascii() {
        return Some(read(char::from(last), start));
    }
    (2..=4).find_map(|bytes| {
        let start = end.checked_sub(bytes * length)?;
        let (char, read_end) = percent_char_at(text, start)?;
        (read_end == end).then(|| read(char, start))
    })
}

fn entity_at(text: &[u8], start: usize) -> Option<(char, usize)> {
    let rest = &text[start..];
    for (name, char) in [(&b"&amp;"[..], '&'), (b"&sol;", '/'), (b"&colon;", ':'), (b"&period;", '.')] {
        if rest.starts_with(name) {
            return Some((char, start + name.len()));
        }
    }
    let body = rest.strip_prefix(b"&#")?;
    let end = memchr::memchr(b';', &body[..body.len().min(9)])?;
    let digits = std::str::from_utf8(&body[..end]).ok()?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    Some((char::from_u32(code.ok()?)?, start + 2 + end + 1))
}

pub(crate) fn lower(char: char) -> char {
    if char.is_ascii() { char.to_ascii_lowercase() } else { char.to_lowercase().next().unwrap_or(char) }
}

/// Whether letter case matters where characters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Any,
    Exact,
}

fn equal(read: char, expected: char, case: Case) -> bool {
    read == expected || (case == Case::Any && lower(read) == expected)
}

/// The end of `expected` if it stands at `start`. `slash` is how a slash must be spelled.
pub(crate) fn chars_at(
    text: &[u8],
    start: usize,
    expected: &[char],
    slash: &[u8],
    case: Case,
) -> Option<usize> {
    expected.iter().try_fold(start, |at, char| {
        if *char == '/' {
            return starts_with_any_case(text.get(at..)?, slash).then_some(at + slash.len());
        }
        // First as it stands: a source may itself hold a per cent sign.
        if char.is_ascii() && text.get(at).is_some_and(|byte| equal(char::from(*byte), *char, case)) {
            return Some(at + 1);
        }
        char_at(text, at).filter(|read| equal(read.char, *char, case)).map(|read| read.end)
    })
}

/// The start of `expected` if it ends at `end`. The slashes in it are spelled like the last of them, and
/// that spelling is returned.
pub(crate) fn chars_before(
    text: &[u8],
    end: usize,
    expected: &[char],
    case: Case,
) -> Option<(usize, Option<Span>)> {
    let mut slash: Option<Span> = None;
    let start = expected.iter().rev().try_fold(end, |at, char| {
        if *char == '/' {
            let span = match slash {
                None => slash_before(text, at)?,
                Some(known) => same_slash_before(text, at, known)?,
            };
            slash = Some(span);
            return Some(span.start);
        }
        let last = *text[..at].last()?;
        if char.is_ascii() && equal(char::from(last), *char, case) {
            return Some(at - 1);
        }
        char_before(text, at).filter(|read| equal(read.char, *char, case)).map(|read| read.start)
    })?;
    Some((start, slash))
}

/// The slash that ends at `end`, if it is spelled like `known`.
pub(crate) fn same_slash_before(text: &[u8], end: usize, known: Span) -> Option<Span> {
    let spelling = known.of(text);
    ends_with_any_case(&text[..end], spelling).then(|| Span { start: end - spelling.len(), end })
}
