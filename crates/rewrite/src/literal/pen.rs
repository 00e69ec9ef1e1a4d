//! Writes a target in the spelling in which the source was found.

use std::cell::OnceCell;
use std::ops::Range;

use crate::spellings::{backslashes_before, ends_with_any_case};

/// The spelling of an occurrence.
pub(super) struct Pen<'t> {
    text: &'t [u8],
    /// The occurrence.
    range: Range<usize>,
    slash: &'t [u8],
    wide: OnceCell<Wide>,
    dash: OnceCell<Option<&'t [u8]>>,
}

/// How a letter beyond ASCII is written.
#[derive(Debug, Clone, Copy)]
enum Wide {
    Raw,
    Percent,
    Json { backslashes: usize, upper: bool },
}

impl<'t> Pen<'t> {
    pub(super) fn new(text: &'t [u8], range: Range<usize>, slash: &'t [u8]) -> Self {
        Self { text, range, slash, wide: OnceCell::new(), dash: OnceCell::new() }
    }

    pub(super) fn is_percent(&self) -> bool {
        self.slash.first() == Some(&b'%')
    }

    pub(super) fn slash(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.slash);
    }

    /// A colon for an address that was found without one.
    pub(super) fn colon(&self, out: &mut Vec<u8>) {
        if self.is_percent() { self.percent(b':', out) } else { out.push(b':') }
    }

    /// A host. Most have no sign that is ever escaped.
    pub(super) fn text(&self, text: &str, out: &mut Vec<u8>) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
        let is_single_dash = |at: usize| text.as_bytes()[at] == b'-' && !text[..at].ends_with('-');
        if text.bytes().enumerate().all(|(at, byte)| is_plain(byte) || is_single_dash(at)) {
            out.extend_from_slice(text.as_bytes());
        } else {
            self.chars(text.chars(), out);
        }
    }

    pub(super) fn chars(&self, chars: impl Iterator<Item = char>, out: &mut Vec<u8>) {
        let mut chars = chars.peekable();
        while let Some(char) = chars.next() {
            match char {
                '/' => self.slash(out),
                '-' if chars.peek() == Some(&'-') => {
                    chars.next();
                    let dash = self.escaped_dash().unwrap_or(b"-");
                    out.extend_from_slice(dash);
                    out.extend_from_slice(dash);
                }
                char if char.is_ascii() => self.ascii(char, out),
                char => self.wide(char, out),
            }
        }
    }

    fn ascii(&self, char: char, out: &mut Vec<u8>) {
        let byte = char as u8;
        let is_unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if self.is_percent() && !is_unreserved { self.percent(byte, out) } else { out.push(byte) }
    }

    fn wide(&self, char: char, out: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        match *self.wide.get_or_init(|| self.wide_form()) {
            Wide::Raw => out.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes()),
            Wide::Percent => char.encode_utf8(&mut buffer).bytes().for_each(|byte| self.percent(byte, out)),
            Wide::Json { backslashes, upper } => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.extend(std::iter::repeat_n(b'\\', backslashes));
                    let escape = if upper { format!("u{unit:04X}") } else { format!("u{unit:04x}") };
                    out.extend_from_slice(escape.as_bytes());
                }
            }
        }
    }

    /// `%XX`, or `%25XX` where the slash is `%252F`, in the case of the slash's own digits.
    fn percent(&self, byte: u8, out: &mut Vec<u8>) {
        let lead = self.slash.len().saturating_sub(2);
        let upper = self.slash.last() == Some(&b'F');
        out.extend_from_slice(if lead > 0 { &self.slash[..lead] } else { b"%" });
        out.extend_from_slice((if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).as_bytes());
    }

    /// Read off the first letter beyond ASCII of the occurrence.
    fn wide_form(&self) -> Wide {
        if self.is_percent() {
            return Wide::Percent;
        }
        let found = &self.text[self.range.clone()];
        if !found.is_ascii() {
            return Wide::Raw;
        }
        for at in memchr::memchr_iter(b'u', found) {
            let backslashes = backslashes_before(found, at);
            let digits = found.get(at + 1..at + 5).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            if let Some(digits) = digits.filter(|_| backslashes > 0) {
                return Wide::Json { backslashes, upper: digits.iter().any(u8::is_ascii_uppercase) };
            }
        }
        // Percent-encoded letters between plain slashes: a path as browsers write it.
        if self.slash == b"/" && found.contains(&b'%') { Wide::Percent } else { Wide::Raw }
    }

    /// Block comments write `--` as `\u002d\u002d`, since it would end an HTML comment.
    fn escaped_dash(&self) -> Option<&'t [u8]> {
        *self.dash.get_or_init(|| {
            let found = &self.text[self.range.clone()];
            memchr::memchr_iter(b'u', found).find_map(|at| {
                let backslashes = backslashes_before(found, at);
                let is_dash =
                    backslashes > 0 && ends_with_any_case(&found[..found.len().min(at + 5)], b"u002d");
                is_dash.then(|| &found[at - backslashes..at + 5])
            })
        })
    }
}
