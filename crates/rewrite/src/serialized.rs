//! PHP's serialization format, read token by token and rewritten only in its string leaves.
//!
//! The grammar is that of `ext/standard/var_unserializer.re`. Nothing is built from what is read: tokens
//! are passed over, the nesting is a stack of our own, and claimed lengths and counts are only compared.

use std::ops::Range;

use crate::edits::OpenLength;
use crate::engine::{Plain, Run};

/// The deepest nesting; PHP itself stops at 4,096 unless told otherwise.
const DEPTH_MAX: usize = 65_536;
/// More digits than any length or count in memory has.
const DIGITS_MAX: usize = 19;

/// It is not what PHP writes.
struct Malformed;

/// What is open around the place that is read.
enum Frame {
    /// The pairs of an array or the properties of an object; `left` values are still to come.
    Items { left: usize, is_key: bool },
    /// A string or payload whose content is serialized data.
    Content(Content),
}

struct Content {
    open: OpenLength,
    range: Range<usize>,
    /// Bytes that close it.
    close: usize,
    outer_end: usize,
    damaged_before: u64,
}

struct Reader {
    stack: Vec<Frame>,
    at: usize,
    end: usize,
}

/// Whether a value was read to its end, or something was opened whose first value comes next.
#[derive(PartialEq, Eq)]
enum Value {
    Complete,
    Opened,
}

/// A length or count, and where its digits stand.
struct Number {
    value: usize,
    digits: Range<usize>,
}

/// What `trim()` of PHP takes away, as WordPress does before it unserializes.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\0' | 0x0B)
}

/// Whether a text begins like serialized data that can hold text. Scalars such as `i:5;` hold none.
pub(crate) fn is_announced(text: &[u8]) -> bool {
    let opening = match text.first() {
        Some(b'a') => b'{',
        Some(b'O' | b'C' | b's' | b'S' | b'E') => b'"',
        Some(_) | None => return false,
    };
    let end = text.len();
    sized(text, 1, end).is_ok_and(|(_, at)| text.get(at) == Some(&opening))
}

/// Where the damage ends at which reading stopped: of a string with a wrong length, at the next quote.
pub(crate) fn damage_end(text: &[u8], failed: usize) -> usize {
    let is_string = text.get(failed) == Some(&b's') && is_announced(&text[failed..]);
    let opening = is_string.then(|| memchr::memchr(b'"', &text[failed..])).flatten();
    let Some(opening) = opening.map(|offset| failed + offset) else { return failed };
    memchr::memchr(b'"', &text[opening + 1..]).map_or(text.len(), |offset| opening + 1 + offset)
}

/// Where serialized data begins that is announced by the `{` or `"` at the end of `text`, not before `floor`.
pub(crate) fn announced_before(text: &[u8], floor: usize) -> Option<usize> {
    let (sign, head) = text.split_last()?;
    let head = head.strip_suffix(b":")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let head = head[..head.len() - digits].strip_suffix(b":")?;
    let (kind, head) = head.split_last()?;
    let is_kind = match sign {
        b'{' => *kind == b'a',
        _ => matches!(kind, b's' | b'O' | b'C'),
    };
    let is_word = head.last().is_some_and(u8::is_ascii_alphanumeric);
    let is_announced = is_kind && !is_word && (1..=DIGITS_MAX).contains(&digits) && head.len() >= floor;
    is_announced.then_some(head.len())
}

impl Run<'_, '_> {
    /// Rewrites the one serialized value that begins at `start`, and says where it ends. What stands
    /// behind it is left to the caller. If the value is damaged, nothing in it is edited, and the error
    /// says how far it was read.
    pub(crate) fn serialized(&mut self, start: usize, end: usize) -> Result<usize, usize> {
        let (mark, damaged) = (self.edits.mark(), self.damaged);
        let mut reader = Reader { stack: Vec::new(), at: start, end };
        let mut step = self.step(&mut reader);
        loop {
            step = match step {
                Ok(true) => return Ok(reader.at),
                Ok(false) => self.step(&mut reader),
                Err(Malformed) if self.give_up_content(&mut reader) => self.close(&mut reader),
                Err(Malformed) => {
                    self.edits.rewind(mark);
                    self.damaged = damaged;
                    return Err(reader.at);
                }
            }
        }
    }

    /// Reads one key or value; `true` when the outermost value is complete.
    fn step(&mut self, reader: &mut Reader) -> Result<bool, Malformed> {
        if let Some(Frame::Items { left, is_key }) = reader.stack.last_mut() {
            if *is_key {
                *is_key = false;
                reader.at = key_end(self.text, reader.at, reader.end)?;
                return Ok(false);
            }
            *is_key = true;
            *left -= 1;
        }
        match self.value(reader)? {
            Value::Opened => Ok(false),
            Value::Complete => self.close(reader),
        }
    }

    /// Closes everything that is complete once a value is.
    fn close(&mut self, reader: &mut Reader) -> Result<bool, Malformed> {
        loop {
            match reader.stack.last() {
                None => return Ok(true),
                Some(Frame::Items { left: 0, .. }) => {
                    reader.at = literal(self.text, reader.at, reader.end, b"}")?;
                    reader.stack.pop();
                }
                Some(Frame::Items { .. }) => return Ok(false),
                Some(Frame::Content(_)) => {
                    if let Some(Frame::Content(content)) = reader.stack.pop() {
                        self.matches.skip_to(reader.at);
                        self.leave(content.range.end);
                        self.edits.close_length(self.text, content.open, &content.range);
                        reader.at = content.range.end + content.close;
                        reader.end = content.outer_end;
                    }
                }
            }
        }
    }

    /// Leaves the innermost string that looked like serialized data and is not; `false` if there is none.
    fn give_up_content(&mut self, reader: &mut Reader) -> bool {
        while let Some(frame) = reader.stack.pop() {
            match frame {
                Frame::Items { .. } => {}
                Frame::Content(content) => {
                    self.edits.abandon_length(content.open);
                    self.damaged = content.damaged_before + 1;
                    self.matches.skip_to(content.range.end);
                    reader.at = content.range.end + content.close;
                    reader.end = content.outer_end;
                    return true;
                }
            }
        }
        false
    }

    fn value(&mut self, reader: &mut Reader) -> Result<Value, Malformed> {
        let (text, at, end) = (self.text, reader.at, reader.end);
        if reader.stack.len() >= DEPTH_MAX {
            return Err(Malformed);
        }
        let kind = if at < end { text[at] } else { return Err(Malformed) };
        match kind {
            b's' => {
                let (number, content) = string(text, at + 1, end)?;
                reader.at = literal(text, content.end, end, b"\";")?;
                Ok(self.leaf(reader, number.digits, content, 2))
            }
            b'a' => {
                let (count, at) = sized(text, at + 1, end)?;
                reader.at = literal(text, at, end, b"{")?;
                Ok(open_items(reader, count.value))
            }
            b'O' => {
                let (_, class) = string(text, at + 1, end)?;
                let at = literal(text, class.end, end, b"\"")?;
                let (count, at) = sized(text, at, end)?;
                reader.at = literal(text, at, end, b"{")?;
                Ok(open_items(reader, count.value))
            }
            b'C' => {
                let (_, class) = string(text, at + 1, end)?;
                let at = literal(text, class.end, end, b"\"")?;
                let (number, at) = sized(text, at, end)?;
                let content = content_of(literal(text, at, end, b"{")?, number.value, end)?;
                reader.at = literal(text, content.end, end, b"}")?;
                Ok(self.leaf(reader, number.digits, content, 1))
            }
            _ => {
                reader.at = scalar_end(text, at, end)?;
                Ok(Value::Complete)
            }
        }
    }

    /// Rewrites the content of a string (`close` is 2) or of a payload in a class's own format (1).
    fn leaf(
        &mut self,
        reader: &mut Reader,
        digits: Range<usize>,
        content: Range<usize>,
        close: usize,
    ) -> Value {
        self.matches.skip_to(content.start);
        if !self.matches.starts_before(content.end) {
            return Value::Complete;
        }
        let text = &self.text[content.clone()];
        let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
        let open = self.edits.open_length(digits);
        if is_announced(&text[blanks..]) {
            reader.at = content.start + blanks;
            let outer_end = std::mem::replace(&mut reader.end, content.end);
            let damaged_before = self.damaged;
            reader.stack.push(Frame::Content(Content {
                open,
                range: content,
                close,
                outer_end,
                damaged_before,
            }));
            return Value::Opened;
        }
        // Only of JSON is it known that a payload holds no lengths beside those of serialized data.
        let is_json =
            matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')));
        let plain = if close == 2 || is_json { Plain::Rewrite } else { Plain::Leave };
        self.text(content.start, content.end, plain);
        self.edits.close_length(self.text, open, &content);
        Value::Complete
    }
}

/// An empty array is complete as soon as it is opened; `close` sees to both.
fn open_items(reader: &mut Reader, count: usize) -> Value {
    reader.stack.push(Frame::Items { left: count, is_key: true });
    Value::Complete
}

/// The end of `expected` at `at`.
fn literal(text: &[u8], at: usize, end: usize, expected: &[u8]) -> Result<usize, Malformed> {
    let is_there = text[..end].get(at..).is_some_and(|rest| rest.starts_with(expected));
    if is_there { Ok(at + expected.len()) } else { Err(Malformed) }
}

/// `:number:`, and where it ends.
fn sized(text: &[u8], at: usize, end: usize) -> Result<(Number, usize), Malformed> {
    let start = literal(text, at, end, b":")?;
    let mut value = 0usize;
    let mut at = start;
    while let Some(digit) = text[at..end].first().filter(|byte| byte.is_ascii_digit()) {
        value =
            value.checked_mul(10).and_then(|v| v.checked_add(usize::from(digit - b'0'))).ok_or(Malformed)?;
        at += 1;
    }
    if !(1..=DIGITS_MAX).contains(&(at - start)) {
        return Err(Malformed);
    }
    Ok((Number { value, digits: start..at }, literal(text, at, end, b":")?))
}

/// `:length:"content`, up to and without the closing quote.
fn string(text: &[u8], at: usize, end: usize) -> Result<(Number, Range<usize>), Malformed> {
    let (number, at) = sized(text, at, end)?;
    let start = literal(text, at, end, b"\"")?;
    let content = content_of(start, number.value, end)?;
    Ok((number, content))
}

fn content_of(start: usize, length: usize, end: usize) -> Result<Range<usize>, Malformed> {
    let content_end = start.checked_add(length).filter(|content_end| *content_end <= end).ok_or(Malformed)?;
    Ok(start..content_end)
}

/// The end of a key: an integer or a string, never edited.
fn key_end(text: &[u8], at: usize, end: usize) -> Result<usize, Malformed> {
    match text[..end].get(at) {
        Some(b's') => {
            let (_, content) = string(text, at + 1, end)?;
            literal(text, content.end, end, b"\";")
        }
        Some(b'i' | b'S') => scalar_end(text, at, end),
        Some(_) | None => Err(Malformed),
    }
}

/// The end of a value that holds nothing to rewrite.
fn scalar_end(text: &[u8], at: usize, end: usize) -> Result<usize, Malformed> {
    let kind = *text[..end].get(at).ok_or(Malformed)?;
    match kind {
        b'N' => return literal(text, at + 1, end, b";"),
        b'S' => return escaped_string_end(text, at + 1, end),
        b'E' => {
            let (_, content) = string(text, at + 1, end)?;
            return literal(text, content.end, end, b"\";");
        }
        _ => {}
    }
    let body_start = literal(text, at + 1, end, b":")?;
    let length =
        text[body_start..end].iter().take(MAX_SCALAR).position(|byte| *byte == b';').ok_or(Malformed)?;
    let body = &text[body_start..body_start + length];
    let is_valid = match kind {
        b'b' => matches!(body, b"0" | b"1"),
        b'i' => is_number(body.strip_prefix(b"-").or(body.strip_prefix(b"+")).unwrap_or(body), |_| false),
        b'r' | b'R' => is_number(body, |_| false),
        b'd' => {
            matches!(body, b"INF" | b"-INF" | b"NAN")
                || is_number(body, |byte| matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        }
        _ => false,
    };
    if is_valid { Ok(body_start + length + 1) } else { Err(Malformed) }
}

/// More than any float has digits.
const MAX_SCALAR: usize = 2048;

fn is_number(body: &[u8], is_mark: impl Fn(u8) -> bool) -> bool {
    body.iter().any(u8::is_ascii_digit) && body.iter().all(|byte| byte.is_ascii_digit() || is_mark(*byte))
}

/// `S:length:"…";`, in which `\41` stands for one byte. It is passed over as it is.
fn escaped_string_end(text: &[u8], at: usize, end: usize) -> Result<usize, Malformed> {
    let (number, at) = sized(text, at, end)?;
    let mut at = literal(text, at, end, b"\"")?;
    for _ in 0..number.value {
        at += match text[..end].get(at).ok_or(Malformed)? {
            b'\\' => {
                let digits = text[..end].get(at + 1..at + 3).ok_or(Malformed)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Malformed);
                }
                3
            }
            _ => 1,
        };
    }
    literal(text, at, end, b"\";")
}
