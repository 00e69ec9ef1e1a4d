//! Which addresses and server paths become which, from what the source said of itself and what the migration's
//! submitter chose.

use landfall_common::migration::PathPair;
use landfall_rewrite::{BadMap, RewriteMap, Rewriter};
use url::Url;

use super::layout::Layout;
use crate::snapshot_format::SourceFacts;

/// What the site will be known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    /// `home` at the destination, without a slash at its end.
    pub home: String,
    /// `siteurl` at the destination: where WordPress itself lies.
    pub siteurl: String,
    /// Pairs of addresses, the longest first.
    pub urls: Vec<(String, String)>,
    /// Pairs of server paths.
    pub paths: Vec<(String, String)>,
}

/// Where the site goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal<'a> {
    /// The URL that it will have.
    pub url: &'a Url,
    /// The document root as PHP sees it; none where that is not known.
    pub root: Option<&'a str>,
    /// Pairs that the submitter gave.
    pub paths: &'a [PathPair],
}

impl Addresses {
    /// The map from the source's addresses to the destination's.
    pub(super) fn new(source: &SourceFacts, layout: &Layout, goal: Goal<'_>) -> Self {
        let home = goal.url.as_str().trim_end_matches('/').to_owned();
        let core = layout.core();
        let siteurl = if core.is_empty() { home.clone() } else { format!("{home}/{core}") };
        let mut urls = Vec::new();
        for (old, new) in [(&source.siteurl, &siteurl), (&source.home, &home)] {
            for from in spellings(old) {
                push_pair(&mut urls, from, new);
            }
        }
        urls.sort_by_key(|(from, _)| std::cmp::Reverse(path_length(from)));
        Self { paths: paths(layout, goal), home, siteurl, urls }
    }

    /// The engine for these pairs; none where nothing changes.
    pub(super) fn rewriter(&self) -> Result<Option<Rewriter>, BadMap> {
        if self.urls.is_empty() && self.paths.is_empty() {
            return Ok(None);
        }
        let map = self.urls.iter().fold(RewriteMap::new(), |map, (from, to)| map.url(from, to));
        Rewriter::new(self.paths.iter().fold(map, |map, (from, to)| map.path(from, to))).map(Some)
    }
}

/// The address under both schemes, with and without `www.`: old contents hold all of them.
fn spellings(address: &str) -> Vec<String> {
    let Ok(url) = Url::parse(address) else { return Vec::new() };
    let Some(host) = url.host_str() else { return Vec::new() };
    let mut hosts = vec![host.to_owned()];
    if let Some(url::Host::Domain(_)) = url.host() {
        match host.strip_prefix("www.") {
            Some(bare) => hosts.push(bare.to_owned()),
            None if host.contains('.') => hosts.push(format!("www.{host}")),
            None => {}
        }
    }
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    let path = url.path().trim_end_matches('/');
    let own = if url.scheme() == "https" { ["https", "http"] } else { ["http", "https"] };
    hosts.iter().flat_map(|host| own.map(|scheme| format!("{scheme}://{host}{port}{path}"))).collect()
}

fn push_pair(pairs: &mut Vec<(String, String)>, from: String, to: &str) {
    if from != to && !pairs.iter().any(|(known, _)| *known == from) {
        pairs.push((from, to.to_owned()));
    }
}

fn path_length(url: &str) -> usize {
    url.splitn(4, '/').nth(3).map_or(0, str::len)
}

/// The tree becomes the document root, and each folder that lay elsewhere lies where the tree has it.
fn paths(layout: &Layout, goal: Goal<'_>) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in goal.paths {
        push_path(&mut pairs, &pair.from, &pair.to);
    }
    let Some(root) = goal.root else { return pairs };
    let root = root.trim_end_matches('/');
    let mut places: Vec<(&str, &str)> =
        layout.mounts.iter().map(|mount| (mount.path.as_str(), mount.at.as_str())).collect();
    places.push((&layout.root, ""));
    for (old, at) in places {
        push_path(&mut pairs, old, &super::layout::join(root, at.trim_matches('/')));
    }
    pairs
}

/// A path that the engine would refuse (the root folder, say) cannot be told from others in a text: it is left.
fn push_path(pairs: &mut Vec<(String, String)>, from: &str, to: &str) {
    let (from, to) = (from.trim_end_matches('/'), to.trim_end_matches('/'));
    let is_plain = |path: &str| {
        path.starts_with('/')
            && !path[1..].split('/').any(|part| matches!(part, "" | "." | ".."))
            && !path.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`'))
    };
    if from != to && is_plain(from) && is_plain(to) && !pairs.iter().any(|(known, _)| known == from) {
        pairs.push((from.to_owned(), to.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Mount;
    use super::*;

    fn source(home: &str, siteurl: &str) -> SourceFacts {
        SourceFacts { home: home.to_owned(), siteurl: siteurl.to_owned(), ..SourceFacts::default() }
    }

    fn layout(abspath: &str) -> Layout {
        Layout { root: "/var/www/old".into(), abspath: abspath.to_owned(), ..Layout::default() }
    }

    fn goal(url: &Url) -> Goal<'_> {
        Goal { url, root: Some("/srv/new/"), paths: &[] }
    }

    #[test]
    fn both_schemes_and_www_are_mapped_and_the_longest_comes_first() {
        let new = Url::parse("https://new-site.example/").unwrap();
        let facts = source("http://old.example", "http://old.example/wp");
        let addresses = Addresses::new(&facts, &layout("/var/www/old/wp"), goal(&new));
        assert_eq!(addresses.home, "https://new-site.example");
        assert_eq!(addresses.siteurl, "https://new-site.example/wp");
        assert_eq!(
            addresses.urls[0],
            ("http://old.example/wp".to_owned(), "https://new-site.example/wp".to_owned())
        );
        let from: Vec<&str> = addresses.urls.iter().map(|(from, _)| from.as_str()).collect();
        for expected in ["https://old.example", "http://www.old.example", "https://www.old.example/wp"] {
            assert!(from.contains(&expected), "{from:?}");
        }
        assert!(addresses.rewriter().unwrap().is_some());
    }

    #[test]
    fn a_site_that_keeps_its_address_has_only_the_other_spellings_mapped() {
        let new = Url::parse("https://same.example").unwrap();
        let facts = source("https://same.example", "https://same.example/");
        let addresses = Addresses::new(&facts, &layout("/var/www/old"), goal(&new));
        assert!(addresses.urls.iter().all(|(from, to)| from != to));
        assert!(addresses.rewriter().unwrap().is_some());
    }

    #[test]
    fn the_root_and_relocated_folders_get_their_pairs() {
        let new = Url::parse("https://new.example").unwrap();
        let mut layout = layout("/var/www/old");
        layout.mounts = vec![Mount { at: "wp-content/uploads".into(), path: "/data/up/".into() }];
        let addresses = Addresses::new(&source("http://o.example", "http://o.example"), &layout, goal(&new));
        assert_eq!(
            addresses.paths,
            [
                ("/data/up".to_owned(), "/srv/new/wp-content/uploads".to_owned()),
                ("/var/www/old".to_owned(), "/srv/new".to_owned())
            ]
        );
        layout.root = "/".into();
        layout.mounts.clear();
        assert!(Addresses::new(&source("http://o.example", ""), &layout, goal(&new)).paths.is_empty());
    }
}
