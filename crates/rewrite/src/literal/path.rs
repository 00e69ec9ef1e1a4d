//! Occurrences of server paths: found by one segment, then read backwards and forwards.

use std::cmp::Reverse;
use std::ops::Range;

use memchr::memmem;

use super::pen::Pen;
use super::{Change, Found};
use crate::boundaries::{is_path_end, is_path_start};
use crate::map::PathPair;
use crate::spellings::{Case, Span, chars_at, chars_before};

/// The compiled pairs of paths, the longest source first.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) sources: Vec<Source>,
}

#[derive(Debug)]
pub(super) struct Source {
    pair: usize,
    from: Vec<char>,
    to: Vec<char>,
    /// The part of the source before what the scan looks for.
    head: Vec<char>,
    anchor: memmem::Finder<'static>,
}

/// How a path was found.
#[derive(Debug)]
pub(crate) struct PathMatch {
    pub(crate) pair: usize,
    source: usize,
    slash: Span,
}

impl Paths {
    pub(super) fn compile(pairs: &[PathPair]) -> Self {
        let mut sources: Vec<_> = pairs.iter().map(Source::new).collect();
        sources.sort_by_key(|source| Reverse(source.from.len()));
        Self { sources }
    }

    /// The first occurrence around the anchor of a source from `from` that does not start before `floor`.
    /// Another source that starts there too and is longer takes its place.
    pub(super) fn find(
        &self,
        source: usize,
        text: &[u8],
        from: usize,
        floor: usize,
    ) -> Option<(Found, usize)> {
        let Source { head, anchor, .. } = &self.sources[source];
        anchor.find_iter(text.get(from..)?).find_map(|offset| {
            let at = from + offset;
            let (start, slash) = chars_before(text, at, head, Case::Exact)?;
            let found = self.longest_at(text, start, slash?).filter(|_| start >= floor)?;
            Some((found, at + 1))
        })
    }

    /// The bytes by which each source is found.
    pub(super) fn anchors(&self) -> impl Iterator<Item = &[u8]> {
        self.sources.iter().map(|source| source.anchor.needle())
    }

    /// Whether the anchor of a source stands at `at`, behind what stands before it.
    pub(super) fn is_anchor(&self, source: usize, text: &[u8], at: usize) -> bool {
        let Source { head, anchor, .. } = &self.sources[source];
        text[at..].starts_with(anchor.needle()) && chars_before(text, at, head, Case::Exact).is_some()
    }

    fn longest_at(&self, text: &[u8], start: usize, slash: Span) -> Option<Found> {
        if !is_path_start(text, start) {
            return None;
        }
        let is_encoded = slash.of(text).first() == Some(&b'%');
        self.sources.iter().enumerate().find_map(|(source, Source { from, pair, .. })| {
            let end = chars_at(text, start, from, slash.of(text), Case::Exact)?;
            let change = Change::Path(PathMatch { pair: *pair, source, slash });
            is_path_end(text, end, is_encoded).then_some(Found { range: start..end, change })
        })
    }

    pub(super) fn write(&self, path: &PathMatch, text: &[u8], range: &Range<usize>, out: &mut Vec<u8>) {
        let pen = Pen::new(text, range.clone(), path.slash.of(text));
        pen.chars(self.sources[path.source].to.iter().copied(), out);
    }
}

impl Source {
    fn new(pair: &PathPair) -> Self {
        let (start, _) = anchor_of(&pair.from);
        Self {
            pair: pair.pair,
            from: pair.from.clone(),
            to: pair.to.clone(),
            head: pair.from[..start].to_vec(),
            anchor: memmem::Finder::new(anchor(&pair.from).as_bytes()).into_owned(),
        }
    }
}

/// The part of a path by which it is found.
pub(super) fn anchor(path: &[char]) -> String {
    let (start, end) = anchor_of(path);
    path[start..end].iter().collect()
}

/// Where the part of a path lies that the scan looks for: one that is never escaped, and that pages seldom hold.
fn anchor_of(path: &[char]) -> (usize, usize) {
    const COMMON: &[&str] = &[
        "html", "www", "var", "home", "web", "site", "sites", "public", "data", "app", "content", "srv",
        "htdocs",
    ];
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || *char == '_' || *char == '.';
    let mut parts = Vec::new();
    let mut start = 0;
    for at in 0..=path.len() {
        if path.get(at).is_some_and(is_plain) {
            continue;
        }
        if at > start {
            let part: String = path[start..at].iter().collect();
            parts.push((!COMMON.contains(&part.as_str()), at - start, start, at));
        }
        start = at + 1;
    }
    // Nothing plain: the first character behind the slash is looked for as it stands.
    parts.into_iter().max().map_or((1, 2), |(_, _, start, end)| (start, end))
}
