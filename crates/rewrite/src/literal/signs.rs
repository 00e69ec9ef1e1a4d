//! A quick look at many values at once: where one may change at all.
//!
//! One search for a few bytes of every source, in either case, goes over all of them (Teddy, by the `aho-corasick` crate);
//! what it finds is looked at more closely.
//!
//! It reads values as they stand in a dump, with their escapes. An escape hides no source from it: escaped are quotes,
//! backslashes and control characters, none of which is in the middle of a host or of a segment of a path; a backslash in
//! a spelling (`\u002d`) is doubled, and spellings are known with any number of them.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, Match, Span, packed};
use memchr::memmem::Finder;

use super::path::Paths;
use super::url::Urls;

/// So many bytes of a source are looked for.
const SIGN_BYTES_MAX: usize = 4;

/// What is looked for, and what it may be a part of.
#[derive(Debug)]
pub(crate) struct Signs {
    search: Search,
    /// By the number of the pattern.
    meanings: Vec<Vec<Meaning>>,
}

#[derive(Debug)]
enum Search {
    Packed(packed::Searcher),
    /// For more patterns than fit in vectors, or a processor without them.
    Automaton(AhoCorasick),
}

impl Search {
    fn new<'p>(patterns: impl Iterator<Item = &'p Vec<u8>> + Clone) -> Option<Self> {
        let packed = packed::Searcher::new(patterns.clone()).map(Self::Packed);
        packed.or_else(|| AhoCorasick::new(patterns).ok().map(Self::Automaton))
    }

    fn find(&self, text: &[u8], from: usize) -> Option<Match> {
        match self {
            Self::Packed(search) => search.find_in(text, Span { start: from, end: text.len() }),
            Self::Automaton(search) => search.find(Input::new(text).range(from..)),
        }
    }
}

/// What a sign may be a part of.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// A host of an anchor, which stands so many bytes behind the beginning of the sign.
    Host { anchor: usize, host: usize, offset: usize },
    /// The anchor of a path.
    Path(usize),
    /// Digits of base64.
    Base64(usize),
}

/// A suspicious place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) place: usize,
    /// The source is encoded.
    pub(crate) is_base64: bool,
}

impl Signs {
    /// `base64`: digits that show a source. `None` if there is nothing to look for.
    pub(super) fn compile(urls: &Urls, paths: &Paths, base64: &[Finder<'static>]) -> Option<Self> {
        let mut signs: Vec<(Vec<u8>, Meaning, bool)> = Vec::new();
        for (anchor, host, (sign, offset)) in urls.signs(SIGN_BYTES_MAX) {
            signs.push((sign, Meaning::Host { anchor, host, offset }, true));
        }
        for (source, part) in paths.anchors().enumerate() {
            signs.push((part.to_vec(), Meaning::Path(source), false));
        }
        for (number, digits) in base64.iter().enumerate() {
            signs.push((digits.needle().to_vec(), Meaning::Base64(number), false));
        }
        // Signs of one length do not hide each other: at one place stands one of them or none.
        let length = signs.iter().map(|(sign, ..)| sign.len()).min()?.min(SIGN_BYTES_MAX);
        let mut patterns: BTreeMap<Vec<u8>, Vec<Meaning>> = BTreeMap::new();
        for (sign, meaning, any_case) in signs {
            let spellings = if any_case { cases(&sign[..length]) } else { vec![sign[..length].to_vec()] };
            for spelling in spellings {
                patterns.entry(spelling).or_default().push(meaning);
            }
        }
        let search = Search::new(patterns.keys())?;
        Some(Self { search, meanings: patterns.into_values().collect() })
    }
}

/// A sign in small and capital letters.
fn cases(sign: &[u8]) -> Vec<Vec<u8>> {
    sign.iter().fold(vec![Vec::new()], |heads, byte| {
        let mut letters = vec![*byte, byte.to_ascii_uppercase()];
        letters.dedup();
        let with = |letter: &u8| heads.iter().map(|head| [head, &[*letter][..]].concat()).collect::<Vec<_>>();
        letters.iter().flat_map(with).collect()
    })
}

/// What is needed to look closely.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'r> {
    pub(super) urls: &'r Urls,
    pub(super) paths: &'r Paths,
    pub(super) base64: &'r [Finder<'static>],
}

/// Walks over a text forwards.
#[derive(Debug)]
pub(crate) struct Suspects<'r, 't> {
    signs: &'r Signs,
    sources: Sources<'r>,
    text: &'t [u8],
    /// Before this there is none that was not asked for; with it the first from there on.
    from: usize,
    next: Option<Suspect>,
}

impl<'r, 't> Suspects<'r, 't> {
    pub(super) fn new(signs: &'r Signs, sources: Sources<'r>, text: &'t [u8]) -> Self {
        let mut suspects = Self { signs, sources, text, from: 0, next: None };
        suspects.next = suspects.find();
        suspects
    }

    /// The first suspect in a range; asked for in ascending order.
    pub(crate) fn first_in(&mut self, range: &Range<usize>) -> Option<Suspect> {
        if self.next.is_some_and(|next| next.place < range.start) {
            self.from = range.start;
            self.next = self.find();
        }
        self.next.filter(|next| next.place < range.end)
    }

    /// Whether base64 is suspected from a known suspect up to `end`.
    pub(crate) fn is_base64_until(&mut self, first: Suspect, end: usize) -> bool {
        let mut next = Some(first);
        while let Some(Suspect { place, is_base64: false }) = next {
            next = self.first_in(&(place + 1..end));
        }
        next.is_some()
    }

    fn find(&self) -> Option<Suspect> {
        let mut from = self.from;
        loop {
            let found = self.signs.search.find(self.text, from)?;
            let place = found.start();
            let mut meanings = self.signs.meanings[found.pattern().as_usize()].iter();
            if let Some(is_base64) = meanings.find_map(|meaning| self.holds(*meaning, place)) {
                return Some(Suspect { place, is_base64 });
            }
            from = place + 1;
        }
    }

    /// Whether a sign means what it may; then, whether that is base64.
    fn holds(&self, meaning: Meaning, place: usize) -> Option<bool> {
        let Sources { urls, paths, base64 } = self.sources;
        match meaning {
            Meaning::Host { anchor, host, offset } => {
                urls.is_host(anchor, host, self.text, place + offset).then_some(false)
            }
            Meaning::Path(source) => paths.is_anchor(source, self.text, place).then_some(false),
            Meaning::Base64(number) => {
                self.text[place..].starts_with(base64[number].needle()).then_some(true)
            }
        }
    }
}
