//! Every occurrence of every source in a buffer, in one pass from left to right.
//!
//! The scan looks for one byte of the hosts (the dot, or a rare letter) and for one segment of each path;
//! all that makes an occurrence, scheme, spelling and boundaries, is read around it.

mod path;
mod pen;
mod signs;
mod url;

pub(crate) use signs::{Suspect, Suspects};

use std::ops::Range;

use memchr::memmem::Finder;
use smallvec::SmallVec;

use crate::base64_runs;
use crate::dump::is_border;
use crate::map::{Base64Rule, CheckedMap, UrlPair};
use crate::stats::Stats;

/// The compiled map.
#[derive(Debug)]
pub(crate) struct Rules {
    urls: url::Urls,
    paths: path::Paths,
    pub(crate) base64: Base64Rule,
    /// The shortest run of base64 that can hold a source; `None` if there are no sources.
    pub(crate) base64_run_min: Option<usize>,
    /// What such a run of digits holds that is only counted; `None` if every run must be looked at.
    pub(crate) base64_digits: Option<Vec<Finder<'static>>>,
    /// `None` if every value must be looked at.
    signs: Option<signs::Signs>,
    /// No source holds a border of windows.
    pub(crate) fit_windows: bool,
    /// How every serialized string ends, as it is or in a literal of JSON.
    string_ends: [Finder<'static>; 2],
}

/// An occurrence of a source.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) change: Change,
}

#[derive(Debug)]
pub(crate) enum Change {
    Url(url::UrlMatch),
    Path(path::PathMatch),
    /// A run of base64, already rewritten.
    Base64 {
        text: Vec<u8>,
        stats: Box<Stats>,
    },
}

/// One of the scans that run side by side over a buffer.
#[derive(Debug, Clone, Copy)]
enum Scan {
    Url(usize),
    Path(usize),
    Base64,
}

impl Rules {
    pub(crate) fn compile(map: &CheckedMap) -> Self {
        let is_border = |char: &char| u8::try_from(*char).is_ok_and(is_border);
        let in_path = |pair: &UrlPair| pair.from.path.iter().any(is_border);
        let shortest_url = map.urls.iter().map(|pair| "http://".len() + pair.from.host.ascii.len());
        let shortest_path = map.paths.iter().map(|pair| pair.from.len());
        let shortest = shortest_url.chain(shortest_path).min();
        let (urls, paths) = (url::Urls::compile(&map.urls), path::Paths::compile(&map.paths));
        let base64_digits = base64_digits(map);
        let signs = base64_digits.as_ref().and_then(|digits| signs::Signs::compile(&urls, &paths, digits));
        Self {
            urls,
            paths,
            base64: map.base64,
            base64_run_min: shortest.map(base64_runs::run_min),
            base64_digits,
            signs,
            fit_windows: !map.paths.iter().any(|pair| pair.from.iter().any(is_border))
                && !map.urls.iter().any(in_path),
            string_ends: [Finder::new(b"\";"), Finder::new(b"\\u0022;")],
        }
    }

    /// Where values in a text may change; `None` if that is anywhere.
    pub(crate) fn suspects<'t>(&self, text: &'t [u8]) -> Option<Suspects<'_, 't>> {
        let base64 = self.base64_digits.as_deref()?;
        let sources = signs::Sources { urls: &self.urls, paths: &self.paths, base64 };
        Some(Suspects::new(self.signs.as_ref()?, sources, text))
    }

    fn scans(&self) -> impl Iterator<Item = Scan> {
        let urls = (0..self.urls.anchors.len()).map(Scan::Url);
        let paths = (0..self.paths.sources.len()).map(Scan::Path);
        let base64 = (self.base64 == Base64Rule::Rewrite).then_some(Scan::Base64);
        urls.chain(paths).chain(base64)
    }

    /// The first occurrence that starts at `floor` or later, and where the scan goes on; the scan itself
    /// begins at `from`.
    fn next(
        &self,
        scan: Scan,
        text: &[u8],
        from: usize,
        floor: usize,
        layers: u32,
    ) -> Option<(Found, usize)> {
        match scan {
            Scan::Url(at) => self.urls.find(at, text, from, floor),
            Scan::Path(at) => self.paths.find(at, text, from, floor),
            Scan::Base64 => base64_runs::find(self, text, from.max(floor), layers),
        }
    }

    /// Whether serialized strings may lie within a text; nearly always the answer is no.
    pub(crate) fn may_embed(&self, text: &[u8]) -> bool {
        self.string_ends.iter().any(|end| end.find(text).is_some())
    }

    /// Whether any source occurs.
    pub(crate) fn occurs_in(&self, text: &[u8]) -> bool {
        self.scans().any(|scan| self.next(scan, text, 0, 0, 0).is_some())
    }
}

/// Runs that are only counted are found by what the host or a segment of every source looks like in base64. Where runs are
/// to be rewritten none may be missed, in whatever case a host stands.
fn base64_digits(map: &CheckedMap) -> Option<Vec<Finder<'static>>> {
    if map.base64 == Base64Rule::Rewrite {
        return None;
    }
    let hosts = map.urls.iter().flat_map(|pair| {
        let host = &pair.from.host;
        std::iter::once(host.ascii.clone()).chain(host.unicode.clone())
    });
    let segments = map.paths.iter().map(|pair| path::anchor(&pair.from));
    base64_runs::digits(&hosts.chain(segments).collect::<Vec<_>>())
}

/// The occurrences in a buffer, found as they are asked for.
#[derive(Debug)]
pub(crate) struct Matches<'r, 'v> {
    rules: &'r Rules,
    text: &'v [u8],
    layers: u32,
    streams: SmallVec<[Stream; 2]>,
    /// Nothing that starts before this is of interest any more.
    floor: usize,
}

#[derive(Debug)]
struct Stream {
    scan: Scan,
    found: Found,
    /// Where the scan goes on.
    next: usize,
}

impl<'r, 'v> Matches<'r, 'v> {
    /// `None` if there is nothing at all; that answer needs no memory. `layers`: how many more times
    /// something within something may be opened.
    pub(crate) fn start(rules: &'r Rules, text: &'v [u8], layers: u32) -> Option<Self> {
        let mut streams = SmallVec::new();
        for scan in rules.scans() {
            if let Some((found, next)) = rules.next(scan, text, 0, 0, layers) {
                streams.push(Stream { scan, found, next });
            }
        }
        (!streams.is_empty()).then_some(Self { rules, text, layers, streams, floor: 0 })
    }

    /// Where the next occurrence starts.
    pub(crate) fn peek(&mut self) -> Option<usize> {
        self.leading().map(|at| self.streams[at].found.range.start)
    }

    /// Whether an occurrence starts before `end`.
    pub(crate) fn starts_before(&mut self, end: usize) -> bool {
        self.peek().is_some_and(|start| start < end)
    }

    /// Takes the next occurrence if it starts before `end`. What overlaps it is passed over.
    pub(crate) fn take_before(&mut self, end: usize) -> Option<Found> {
        let at = self.leading()?;
        let stream = &mut self.streams[at];
        if stream.found.range.start >= end {
            return None;
        }
        self.floor = self.floor.max(stream.found.range.end);
        let (scan, from) = (stream.scan, stream.next);
        let next = self.rules.next(scan, self.text, from, self.floor, self.layers);
        Some(match next {
            Some((found, next)) => {
                stream.next = next;
                std::mem::replace(&mut stream.found, found)
            }
            None => self.streams.swap_remove(at).found,
        })
    }

    /// Passes over what starts before `floor`.
    pub(crate) fn skip_to(&mut self, floor: usize) {
        self.floor = self.floor.max(floor);
    }

    /// The stream with the leftmost occurrence, of two that start together the longer.
    fn leading(&mut self) -> Option<usize> {
        let mut at = 0;
        while at < self.streams.len() {
            let stream = &mut self.streams[at];
            if stream.found.range.start >= self.floor {
                at += 1;
                continue;
            }
            match self.rules.next(stream.scan, self.text, stream.next, self.floor, self.layers) {
                Some((found, next)) => (stream.found, stream.next) = (found, next),
                None => drop(self.streams.swap_remove(at)),
            }
        }
        let order = |at: &usize| {
            let range = &self.streams[*at].found.range;
            (range.start, usize::MAX - range.end)
        };
        (0..self.streams.len()).min_by_key(order)
    }
}

impl Rules {
    /// Appends what stands in place of an occurrence in `text`.
    pub(crate) fn write(&self, found: &Found, text: &[u8], out: &mut Vec<u8>) {
        match &found.change {
            Change::Url(url) => self.urls.write(url, text, &found.range, out),
            Change::Path(path) => self.paths.write(path, text, &found.range, out),
            Change::Base64 { text, .. } => out.extend_from_slice(text),
        }
    }
}
