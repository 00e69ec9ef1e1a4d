//! Where an address begins and ends: `https://example.com` is not in `https://example.com.au`.

use crate::spellings::{Read, char_at, char_before, colon_at, colon_before, slash_before};

/// How far a user name before `@` is looked for behind a host. Beyond that it is prose.
const USERINFO_MAX: usize = 128;

/// Whether the host that ends at `at` is whole. A colon behind it is the caller's matter. `is_ascii`: its
/// last label is, so Chinese or Japanese text behind it, which takes no blank, is not a part of it.
pub(crate) fn is_host_end(text: &[u8], at: usize, is_ascii: bool) -> bool {
    let continues = |char: char| if is_ascii { continues_name(char) } else { char.is_alphanumeric() };
    let Some(read) = char_at(text, at) else { return true };
    match read.char {
        // `.au` goes on, a full stop ends a sentence; `-old` goes on, `-->` ends a comment.
        '.' | '-' | '_' => after_run(text, at, &['.', '-', '_']).is_none_or(|next| !continues(next.char)),
        '@' => false,
        char => !continues(char),
    }
}

/// Whether the port number that ends at `at` is whole.
pub(crate) fn is_port_end(text: &[u8], at: usize) -> bool {
    char_at(text, at).is_none_or(|read| !read.char.is_alphanumeric() && read.char != '@')
}

/// Whether what follows the colon at `at` makes the text before it a user name: `//host:secret@other/`.
pub(crate) fn is_userinfo(text: &[u8], at: usize) -> bool {
    let Some(mut at) = colon_at(text, at) else { return false };
    let limit = at + USERINFO_MAX;
    while let Some(read) = char_at(text, at).filter(|read| read.end <= limit) {
        match read.char {
            '@' => return true,
            '/' | '?' | '#' | '\\' | '"' | '\'' | '<' | '>' | ',' | ';' => return false,
            char if char.is_whitespace() || char.is_control() => return false,
            _ => at = read.end,
        }
    }
    false
}

/// Whether the path that ends at `at` is a whole number of segments. `is_encoded`: the address is
/// percent-encoded as a whole, so `%20` is a blank behind it and not part of a name.
pub(crate) fn is_path_end(text: &[u8], at: usize, is_encoded: bool) -> bool {
    let Some(read) = char_at(text, at) else { return true };
    match read.char {
        ' ' if read.is_percent && !is_encoded => false,
        '.' | '-' | '_' | '~' => {
            let next = after_run(text, at, &['.', '-', '_', '~']);
            next.is_none_or(|next| !next.char.is_alphanumeric() && next.char != '/')
        }
        '@' | '=' | '+' => false,
        char => !char.is_alphanumeric(),
    }
}

/// Whether `//host` may begin at `start`: not within a path, nor behind another scheme.
pub(crate) fn is_relative_start(text: &[u8], start: usize) -> bool {
    char_before(text, start).is_none_or(|read| match read.char {
        ':' | '/' | '\\' => false,
        char => !continues_backwards(char),
    })
}

/// Whether a server path may begin at `start`: not within a longer path or an address.
pub(crate) fn is_path_start(text: &[u8], start: usize) -> bool {
    char_before(text, start).is_none_or(|read| match read.char {
        '/' => is_behind_scheme(text, start),
        '\\' => false,
        char => !continues_backwards(char),
    })
}

/// `file://` before the path's own slash.
fn is_behind_scheme(text: &[u8], start: usize) -> bool {
    let scheme_end = slash_before(text, start)
        .and_then(|second| slash_before(text, second.start))
        .and_then(|first| colon_before(text, first.start));
    scheme_end.is_some()
}

fn after_run(text: &[u8], mut at: usize, run: &[char]) -> Option<Read> {
    loop {
        let read = char_at(text, at)?;
        if !run.contains(&read.char) {
            return Some(read);
        }
        at = read.end;
    }
}

fn is_ideographic(char: char) -> bool {
    char >= '\u{2E80}'
}

fn continues_name(char: char) -> bool {
    char.is_alphanumeric() && !is_ideographic(char)
}

fn continues_backwards(char: char) -> bool {
    continues_name(char) || matches!(char, '-' | '_' | '.' | '~' | '@')
}
