//! Base64 within a text: where it may be, and what it holds.

use std::collections::BTreeSet;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem::Finder;

use crate::engine;
use crate::literal::{Change, Found, Rules};

/// Shorter runs are words.
const RUN_BYTES_MIN: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const UNPADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT.with_encode_padding(false));

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
    let is_looked_for = |digits: &Vec<Finder<'_>>| digits.iter().any(|digits| digits.find(text).is_some());
    if !rules.base64_digits.as_ref().is_none_or(is_looked_for) {
        return 0;
    }
    let mut seen = 0;
    let mut at = 0;
    while let Some(run) = next_run(text, at, min) {
        at = run.end;
        seen += u64::from(decode(text, &run).is_some_and(|plain| rules.occurs_in(&plain)));
    }
    seen
}

/// Fewer digits stand in prose as well.
const DIGITS_MIN: usize = 5;

/// What every run of base64 holds that holds one of `parts`, letter for letter, at one of the three places in a group
/// where it may begin; `None` if a part is too short to be known by its digits.
pub(crate) fn digits(parts: &[String]) -> Option<Vec<Finder<'static>>> {
    // What holds `www.example.com` holds `example.com`.
    let is_needed = |part: &String| !parts.iter().any(|other| other != part && part.contains(other.as_str()));
    let needed: BTreeSet<&String> = parts.iter().filter(|part| is_needed(part)).collect();
    let digits = needed.into_iter().flat_map(|part| (0..3).map(|before| digits_of(part, before)));
    let finder = |digits: String| (digits.len() >= DIGITS_MIN).then(|| Finder::new(&digits).into_owned());
    digits.map(finder).collect()
}

/// The digits of base64 that a part has in every text, if so many bytes of its first group stand before it.
fn digits_of(part: &str, before: usize) -> String {
    let padded = [&[0; 2][..before], part.as_bytes()].concat();
    let digits = UNPADDED.encode(&padded);
    // A digit is six bits: those shared with a neighbour are not known.
    digits[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_owned()
}

/// `None` if it is not base64, or is cut by an escaped slash, as JSON writes it.
fn decode(text: &[u8], run: &Run) -> Option<Vec<u8>> {
    let is_cut = text.get(run.end) == Some(&b'\\') || text[..run.start].last() == Some(&b'\\');
    if is_cut {
        return None;
    }
    PADDED.decode(&text[run.start..run.end]).ok()
}

/// Bytes looked at together; few enough that each run of base64 fills at least one lane from end to end.
const LANE: usize = 8;
const LANES: usize = 4;
/// A run of so many digits fills two lanes one after the other, wherever it begins.
const TWO_LANES_MIN: usize = 3 * LANE - 1;

/// The next run of at least `min` digits.
///
/// Words are short, so lanes that hold digits only are rare: the text is read in blocks, without a branch
/// for each byte, which the compiler turns into vector instructions.
fn next_run(text: &[u8], from: usize, min: usize) -> Option<Run> {
    let mut at = from;
    // Whether the lane before `at` is full, and of this run.
    let mut is_carried = false;
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<{ LANE * LANES }>()) {
        let full = full_lanes(block);
        let shifted = full << 1 | u8::from(is_carried);
        let hits = if min >= TWO_LANES_MIN { full & shifted } else { full };
        is_carried = full >> (LANES - 1) & 1 == 1;
        if hits != 0 {
            let run = run_around(text, at + hits.trailing_zeros() as usize * LANE, from);
            if run.digits_end - run.start >= min {
                return Some(run);
            }
            at = run.digits_end.max(at + LANE);
            is_carried = false;
            continue;
        }
        at += LANE * LANES;
    }
    // The rest is shorter than a block; a run may reach into it from before.
    let mut at = at.saturating_sub(2 * LANE).max(from);
    while at < text.len() {
        if is_digit(text, at) {
            let run = run_around(text, at, from);
            if run.digits_end - run.start >= min {
                return Some(run);
            }
            at = run.digits_end;
        }
        at += 1;
    }
    None
}

/// A bit for each lane of which every byte is a digit of base64.
#[inline]
fn full_lanes(block: &[u8; LANE * LANES]) -> u8 {
    let mut strange = [0; LANE * LANES];
    for (strange, byte) in strange.iter_mut().zip(block) {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        *strange = u8::from(!(is_letter | is_digit | (*byte == b'+') | (*byte == b'/')));
    }
    let (lanes, _) = strange.as_chunks::<LANE>();
    let is_full = lanes.iter().map(|lane| u8::from(u64::from_ne_bytes(*lane) == 0));
    is_full.enumerate().fold(0, |full, (at, bit)| full | bit << at)
}

/// The run that the digit at `at` is in, of which nothing before `from` is a part.
fn run_around(text: &[u8], at: usize, from: usize) -> Run {
    let start = (from..at).rev().find(|before| !is_digit(text, *before)).map_or(from, |before| before + 1);
    let digits_end = (at..text.len()).find(|behind| !is_digit(text, *behind)).unwrap_or(text.len());
    let padding = text[digits_end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Run { start, digits_end, end: digits_end + padding }
}

fn is_digit(text: &[u8], at: usize) -> bool {
    matches!(text[at], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As simple as can be.
    fn reference(text: &[u8], min: usize) -> Vec<(usize, usize)> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let length = (at..text.len()).take_while(|at| is_digit(text, *at)).count();
            if length >= min {
                runs.push((at, at + length));
            }
            at += length + 1;
        }
        runs
    }

    fn found(text: &[u8], min: usize) -> Vec<(usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(|| {
            let run = next_run(text, at, min)?;
            at = run.end;
            Some((run.start, run.digits_end))
        })
        .collect()
    }

    #[test]
    fn runs_are_found_wherever_they_begin_and_end() {
        for min in [16, 22, 23, 24, 30, 31, 40] {
            for before in 0..70 {
                for length in [min - 1, min, min + 1, 2 * min, 100] {
                    for behind in [0, 1, 33] {
                        let mut text = "ab cdefgh!".repeat(before / 10 + 1).into_bytes()[..before].to_vec();
                        text.push(b' ');
                        text.extend(std::iter::repeat_n(b'x', length));
                        text.extend(" and so on, and so on, and so on.".bytes().take(behind));
                        assert_eq!(
                            found(&text, min),
                            reference(&text, min),
                            "{min} {before} {length} {behind}"
                        );
                        text.extend_from_slice(&text.clone());
                        assert_eq!(
                            found(&text, min),
                            reference(&text, min),
                            "{min} {before} {length} {behind}"
                        );
                    }
                }
            }
        }
    }
}
