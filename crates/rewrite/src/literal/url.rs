//! Occurrences of addresses: found by their host, then read backwards to the scheme and forwards to the
//! end of the path.

use std::cmp::Reverse;
use std::ops::Range;

use super::pen::Pen;
use super::{Change, Found};
use crate::boundaries::{is_host_end, is_path_end, is_port_end, is_relative_start, is_userinfo};
use crate::map::{Scheme, Url, UrlPair};
use crate::spellings::{
    Case, Span, chars_at, chars_before, colon_at, colon_before, ends_with_any_case, same_slash_before,
    slash_before, starts_with_any_case,
};

mod anchor;

use anchor::{Anchor, HostSources};

/// The compiled pairs of addresses.
#[derive(Debug, Default)]
pub(super) struct Urls {
    pub(super) anchors: Vec<Anchor>,
    targets: Vec<Target>,
}

/// Which form of the target's host takes the place of the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsGiven,
    Ascii,
    Unicode,
}

#[derive(Debug)]
struct Source {
    scheme: Scheme,
    port: Option<String>,
    path: Vec<char>,
    target: usize,
}

#[derive(Debug)]
struct Target {
    pair: usize,
    scheme: Scheme,
    as_given: String,
    ascii: String,
    unicode: String,
    port: Option<String>,
    path: Vec<char>,
}

/// How an address was found.
#[derive(Debug)]
pub(crate) struct UrlMatch {
    pub(crate) pair: usize,
    target: usize,
    form: Form,
    /// `None` without a scheme.
    colon: Option<Span>,
    slash: Span,
}

/// What stands before a host.
struct Opening {
    start: usize,
    scheme: Option<Scheme>,
    colon: Option<Span>,
    slash: Span,
}

impl Urls {
    pub(super) fn compile(pairs: &[UrlPair]) -> Self {
        let mut urls = Self::default();
        for pair in pairs {
            let target = urls.targets.len();
            urls.targets.push(Target::new(pair.pair, &pair.to));
            let Url { scheme, host, port, path } = &pair.from;
            let wire_form = if host.unicode.is_some() { Form::Ascii } else { Form::AsGiven };
            let unicode = host.unicode.as_deref().map(|name| (name, Form::Unicode));
            for (name, form) in [Some((host.ascii.as_str(), wire_form)), unicode].into_iter().flatten() {
                let port = port.map(|port| port.to_string());
                anchor::add(&mut urls.anchors, name, form).push(Source {
                    scheme: *scheme,
                    port,
                    path: path.clone(),
                    target,
                });
            }
        }
        for host in urls.anchors.iter_mut().flat_map(Anchor::hosts_mut) {
            // Stable: of two of one length the first added comes first.
            host.sources.sort_by_key(|source| Reverse(source.length()));
        }
        urls
    }

    /// The first occurrence around the bytes of an anchor from `from` that does not start before `floor`.
    pub(super) fn find(
        &self,
        anchor: usize,
        text: &[u8],
        from: usize,
        floor: usize,
    ) -> Option<(Found, usize)> {
        self.anchors[anchor].find(text, from, |host, at| {
            self.address_around(host, text, at, floor).map(|found| (found, at + 1))
        })
    }

    /// Of each host, by the numbers of its anchor and itself, at most so many bytes that stand in every spelling of it,
    /// and where its anchor is from there.
    pub(super) fn signs(&self, bytes_max: usize) -> impl Iterator<Item = (usize, usize, (Vec<u8>, usize))> {
        let of_anchor = move |(number, anchor): (usize, &Anchor)| {
            anchor
                .signs(bytes_max)
                .enumerate()
                .map(move |(host, sign)| (number, host, sign))
                .collect::<Vec<_>>()
        };
        self.anchors.iter().enumerate().flat_map(of_anchor)
    }

    /// Whether a host stands around its anchor at `at`.
    pub(super) fn is_host(&self, anchor: usize, host: usize, text: &[u8], at: usize) -> bool {
        self.anchors[anchor].is_host(host, text, at)
    }

    fn address_around(&self, host: &HostSources, text: &[u8], at: usize, floor: usize) -> Option<Found> {
        let (start, end) = host.around(text, at)?;
        let opening = opening_before(text, start)?;
        if opening.start < floor {
            return None;
        }
        let fits = |source: &&Source| opening.scheme.is_none_or(|scheme| scheme == source.scheme);
        let slash = opening.slash.of(text);
        let (source, end) = host.sources.iter().filter(fits).find_map(|source| {
            source.end(text, end, slash, opening.scheme, host.is_ascii).map(|end| (source, end))
        })?;
        let Opening { start, colon, slash, .. } = opening;
        let pair = self.targets[source.target].pair;
        let url = UrlMatch { pair, target: source.target, form: host.form, colon, slash };
        Some(Found { range: start..end, change: Change::Url(url) })
    }

    pub(super) fn write(&self, url: &UrlMatch, text: &[u8], range: &Range<usize>, out: &mut Vec<u8>) {
        let target = &self.targets[url.target];
        let pen = Pen::new(text, range.clone(), url.slash.of(text));
        if let Some(colon) = url.colon {
            out.extend_from_slice(target.scheme.name().as_bytes());
            out.extend_from_slice(colon.of(text));
        }
        pen.slash(out);
        pen.slash(out);
        let host = match url.form {
            Form::AsGiven => &target.as_given,
            Form::Ascii => &target.ascii,
            Form::Unicode => &target.unicode,
        };
        pen.text(host, out);
        if let Some(port) = &target.port {
            match url.colon {
                Some(colon) => out.extend_from_slice(colon.of(text)),
                None => pen.colon(out),
            }
            out.extend_from_slice(port.as_bytes());
        }
        pen.chars(target.path.iter().copied(), out);
    }
}

impl Target {
    fn new(pair: usize, url: &Url) -> Self {
        Self {
            pair,
            scheme: url.scheme,
            as_given: url.host.as_given().to_owned(),
            ascii: url.host.ascii.clone(),
            unicode: url.host.in_unicode().to_owned(),
            port: url.port.map(|port| port.to_string()),
            path: url.path.clone(),
        }
    }
}

impl Source {
    fn length(&self) -> usize {
        self.port.as_ref().map_or(0, |port| port.len() + 1) + self.path.len()
    }

    /// The end of the address whose host ends at `host_end`, if it is this source.
    fn end(
        &self,
        text: &[u8],
        host_end: usize,
        slash: &[u8],
        scheme: Option<Scheme>,
        is_ascii: bool,
    ) -> Option<usize> {
        let written = port_at(text, host_end);
        let is_mine = match (&written, &self.port) {
            (Some((port, _)), Some(mine)) => *port == mine.as_bytes(),
            // The scheme's own port may be written out.
            (Some((port, _)), None) => scheme.is_some_and(|scheme| *port == scheme.default_port().as_bytes()),
            (None, mine) => mine.is_none(),
        };
        if !is_mine {
            return None;
        }
        let end = written.as_ref().map_or(host_end, |(_, end)| *end);
        if !self.path.is_empty() {
            let end = chars_at(text, end, &self.path, slash, Case::Exact)?;
            return is_path_end(text, end, slash.first() == Some(&b'%')).then_some(end);
        }
        let is_whole = match written {
            Some(_) => is_port_end(text, end),
            None => is_host_end(text, end, is_ascii) && !is_userinfo(text, end),
        };
        is_whole.then_some(end)
    }
}

/// The port written behind a host, and where it ends. A colon without digits is punctuation.
fn port_at(text: &[u8], host_end: usize) -> Option<(&[u8], usize)> {
    let start = colon_at(text, host_end)?;
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| (&text[start..start + digits], start + digits))
}

/// Reads backwards from a host: `//` in one spelling, and before it a scheme or nothing that it could be
/// a part of.
fn opening_before(text: &[u8], host_start: usize) -> Option<Opening> {
    let slash = slash_before(text, host_start)?;
    let first = same_slash_before(text, slash.start, slash)?;
    let Some(colon) = colon_before(text, first.start) else {
        let is_free = is_relative_start(text, first.start);
        return is_free.then_some(Opening { start: first.start, scheme: None, colon: None, slash });
    };
    let head = &text[..colon.start];
    let scheme = [Scheme::Https, Scheme::Http]
        .into_iter()
        .find(|scheme| ends_with_any_case(head, scheme.name().as_bytes()))?;
    Some(Opening {
        start: colon.start - scheme.name().len(),
        scheme: Some(scheme),
        colon: Some(colon),
        slash,
    })
}

/// Where `head` and `tail` of a host lie if they meet at `at`.
fn host_around(text: &[u8], at: usize, head: &[char], tail: &[char]) -> Option<(usize, usize)> {
    let (start, _) = chars_before(text, at, head, Case::Any)?;
    Some((start, chars_at(text, at, tail, b"/", Case::Any)?))
}

fn plain_host_around(text: &[u8], at: usize, head: &[u8], tail: &[u8]) -> Option<(usize, usize)> {
    let is_host = ends_with_any_case(&text[..at], head) && starts_with_any_case(&text[at..], tail);
    is_host.then(|| (at - head.len(), at + tail.len()))
}
