//! Base64 within a text: where it may be, and what it holds.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::engine;
use crate::literal::{Change, Found, Rules};

/// Shorter runs are words.
const RUN_BYTES_MIN: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const UNPADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT.with_encode_padding(false));

const IN_ALPHABET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        byte += 1;
    }
    table
};

/// The length of the shortest run that can hold a source of so many bytes.
pub(crate) fn run_min(source_bytes: usize) -> usize {
    (source_bytes * 4 / 3).max(RUN_BYTES_MIN)
}

/// A run of the alphabet, with its padding.
struct Run {
    start: usize,
    digits_end: usize,
    end: usize,
}

/// The first run from `from` on that holds a source, rewritten; and where to go on.
pub(crate) fn find(rules: &Rules, text: &[u8], from: usize, layers: u32) -> Option<(Found, usize)> {
    let inner_layers = layers.checked_sub(1)?;
    let min = rules.base64_run_min?;
    let mut at = from;
    while let Some(run) = next_run(text, at, min) {
        at = run.end;
        let Some(plain) = decode(text, &run) else { continue };
        let Some((rewritten, stats)) = engine::rewrite_whole(rules, &plain, inner_layers) else { continue };
        let is_padded = run.end > run.digits_end || (run.end - run.start) % 4 == 0;
        let text = (if is_padded { PADDED } else { UNPADDED }).encode(rewritten).into_bytes();
        let change = Change::Base64 { text, stats: Box::new(stats) };
        return Some((Found { range: run.start..run.end, change }, run.end));
    }
    None
}

/// The number of runs that hold a source.
pub(crate) fn count(rules: &Rules, text: &[u8]) -> u64 {
    let Some(min) = rules.base64_run_min else { return 0 };
    let mut seen = 0;
    let mut at = 0;
    while let Some(run) = next_run(text, at, min) {
        at = run.end;
        seen += u64::from(decode(text, &run).is_some_and(|plain| rules.occurs_in(&plain)));
    }
    seen
}

/// `None` if it is not base64, or is cut by an escaped slash, as JSON writes it.
fn decode(text: &[u8], run: &Run) -> Option<Vec<u8>> {
    let is_cut = text.get(run.end) == Some(&b'\\') || text[..run.start].last() == Some(&b'\\');
    if is_cut {
        return None;
    }
    PADDED.decode(&text[run.start..run.end]).ok()
}

/// The next run of at least `min` digits. Looks at one byte in `min` and around it, so that prose, whose
/// words are short, is mostly jumped over.
fn next_run(text: &[u8], from: usize, min: usize) -> Option<Run> {
    let is_digit = |at: usize| IN_ALPHABET[usize::from(text[at])];
    let mut probe = from + min - 1;
    while probe < text.len() {
        if !is_digit(probe) {
            probe += min;
            continue;
        }
        let floor = (probe + 1 - min).max(from);
        let start = (floor..probe).rev().find(|at| !is_digit(*at)).map_or(floor, |at| at + 1);
        if probe + 1 - start < min {
            probe = start + min - 1;
            continue;
        }
        let start = (from..start).rev().find(|at| !is_digit(*at)).map_or(from, |at| at + 1);
        let digits_end = (probe..text.len()).find(|at| !is_digit(*at)).unwrap_or(text.len());
        let padding = text[digits_end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        return Some(Run { start, digits_end, end: digits_end + padding });
    }
    None
}
