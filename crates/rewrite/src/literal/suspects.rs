//! A quick look at many values at once: where one may change at all.
//!
//! It reads them as they stand in a dump, with their escapes. An escape hides no source from it: escaped are quotes,
//! backslashes and control characters, none of which is in the middle of a host or of a segment of a path; a backslash in
//! a spelling (`\u002d`) is doubled, and spellings are known with any number of them.

use std::ops::Range;

use super::Rules;

/// What shows that a source may be there.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// The host of an address, by the number of its anchor.
    Host(usize),
    Path(usize),
    /// Base64 that may hold a source, by the number of its sign.
    Base64(usize),
}

/// A suspicious place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) place: usize,
    /// The source is encoded.
    pub(crate) is_base64: bool,
}

/// Walks over a text forwards.
#[derive(Debug)]
pub(crate) struct Suspects<'r, 't> {
    rules: &'r Rules,
    text: &'t [u8],
    /// Of each sign its next place, or the end of the text.
    next: Vec<(Sign, usize)>,
}

impl<'r, 't> Suspects<'r, 't> {
    pub(crate) fn new(rules: &'r Rules, text: &'t [u8]) -> Self {
        let hosts = (0..rules.urls.anchors.len()).map(Sign::Host);
        let paths = (0..rules.paths.sources.len()).map(Sign::Path);
        let base64 = (0..rules.base64_signs.len()).map(Sign::Base64);
        let first = |sign| (sign, rules.sign_from(sign, text, 0));
        Self { rules, text, next: hosts.chain(paths).chain(base64).map(first).collect() }
    }

    /// The first suspect in a range; encoded ones come first, wherever they stand. Asked for in ascending order.
    pub(crate) fn first_in(&mut self, range: &Range<usize>) -> Option<Suspect> {
        let mut first: Option<Suspect> = None;
        for (sign, place) in &mut self.next {
            if *place < range.start {
                *place = self.rules.sign_from(*sign, self.text, range.start);
            }
            if *place < range.end {
                let suspect = Suspect { place: *place, is_base64: matches!(sign, Sign::Base64(_)) };
                let is_first = |known: Suspect| suspect.is_base64 || suspect.place < known.place;
                first = first.filter(|known| !is_first(*known)).or(Some(suspect));
            }
        }
        first
    }
}

impl Rules {
    fn sign_from(&self, sign: Sign, text: &[u8], from: usize) -> usize {
        let place = match sign {
            Sign::Host(anchor) => self.urls.host_from(anchor, text, from),
            Sign::Path(source) => self.paths.segment_from(source, text, from),
            Sign::Base64(sign) => self.base64_signs[sign].find(text, from),
        };
        place.unwrap_or(text.len())
    }
}
