//! What is replaced by what: pairs of addresses and pairs of server paths, checked once.

mod host;
mod punycode;
mod url;

pub(crate) use url::{Scheme, Url};

/// The most pairs of either kind. A site has a handful; each costs time on every value.
const PAIRS_MAX: usize = 256;
/// The longest source or target, in bytes.
const PAIR_BYTES_MAX: usize = 2048;

/// What happens to base64 that holds a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Base64Rule {
    /// It is counted and left: what it is for cannot be known.
    #[default]
    Leave,
    /// It is decoded, rewritten and encoded again.
    Rewrite,
}

/// The pairs of a rewrite, as given: [`crate::Rewriter::new`] checks them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewriteMap {
    urls: Vec<(String, String)>,
    paths: Vec<(String, String)>,
    base64: Base64Rule,
}

impl RewriteMap {
    /// A map without pairs, which changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an address, `http://` or `https://` with a host, an optional port and an optional path. Only
    /// this scheme and this host are meant: the other scheme and `www.` are pairs of their own. `//host`
    /// without a scheme matches every pair of the host; the first one added decides.
    #[must_use]
    pub fn url(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.urls.push((from.into(), to.into()));
        self
    }

    /// Adds an absolute server path, such as `/var/www/old`.
    #[must_use]
    pub fn path(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.paths.push((from.into(), to.into()));
        self
    }

    /// Says what happens to base64; unless said, it is left.
    #[must_use]
    pub fn base64(mut self, rule: Base64Rule) -> Self {
        self.base64 = rule;
        self
    }

    pub(crate) fn checked(&self) -> Result<CheckedMap, BadMap> {
        if self.urls.len() > PAIRS_MAX || self.paths.len() > PAIRS_MAX {
            return Err(BadMap::TooManyPairs { limit: PAIRS_MAX });
        }
        let mut map = CheckedMap { base64: self.base64, ..CheckedMap::default() };
        for (at, (from, to)) in self.urls.iter().enumerate() {
            check_size(from, to, at)?;
            let pair = UrlPair { pair: at, from: url::parse(from, at)?, to: url::parse(to, at)? };
            add(&mut map.urls, pair, |pair| (&pair.from, &pair.to), from, at)?;
        }
        for (number, (from, to)) in self.paths.iter().enumerate() {
            let at = self.urls.len() + number;
            check_size(from, to, at)?;
            let pair = PathPair { pair: at, from: parse_path(from, at)?, to: parse_path(to, at)? };
            add(&mut map.paths, pair, |pair| (&pair.from, &pair.to), from, at)?;
        }
        Ok(map)
    }

    /// The sources as given: addresses first, then paths.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().chain(&self.paths).map(|(from, _)| from.as_str())
    }
}

/// Why a map was refused. `pair` counts from 0, addresses first, then paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMap {
    /// An empty source matches everywhere.
    #[error("pair {pair}: the source is empty")]
    EmptySource { pair: usize },
    /// Nothing to write in place of the source.
    #[error("pair {pair}: the target is empty")]
    EmptyTarget { pair: usize },
    /// Longer than any address in use.
    #[error("pair {pair}: longer than {limit} bytes")]
    TooLong { pair: usize, limit: usize },
    /// More pairs than a site can need.
    #[error("more than {limit} pairs of one kind")]
    TooManyPairs { limit: usize },
    /// Not `http://…` or `https://…`.
    #[error("pair {pair}: `{url}` does not begin with http:// or https://")]
    NotAnAddress { pair: usize, url: String },
    /// A user name or password is not a part of a site's address; it is not repeated here.
    #[error("pair {pair}: the address holds a user name or a password")]
    Userinfo { pair: usize },
    /// A site's address has no `?` or `#`.
    #[error("pair {pair}: `{url}` holds a query or a fragment")]
    QueryOrFragment { pair: usize, url: String },
    /// The host is not a name or an IPv4 address.
    #[error("pair {pair}: `{host}` is not a host name")]
    BadHost { pair: usize, host: String },
    /// The port is not a number from 1 to 65535.
    #[error("pair {pair}: `{port}` is not a port")]
    BadPort { pair: usize, port: String },
    /// A character that would end the address wherever it stands.
    #[error("pair {pair}: {character:?} cannot be part of an address or a path")]
    BadCharacter { pair: usize, character: char },
    /// A server path begins with a slash.
    #[error("pair {pair}: the path `{path}` is not absolute")]
    NotAbsolute { pair: usize, path: String },
    /// The root is a part of every path.
    #[error("pair {pair}: the path is the root folder")]
    RootPath { pair: usize },
    /// `//`, `.` and `..` name the same folder in several ways.
    #[error("pair {pair}: the path `{path}` is not in its shortest form")]
    NotNormal { pair: usize, path: String },
    /// The pair changes nothing.
    #[error("pair {pair}: source and target of `{source_text}` are the same")]
    Unchanged { pair: usize, source_text: String },
    /// Two targets for one source.
    #[error("pairs {first} and {second} give `{source_text}` different targets")]
    Contradiction { first: usize, second: usize, source_text: String },
}

#[derive(Debug, Default)]
pub(crate) struct CheckedMap {
    pub(crate) urls: Vec<UrlPair>,
    pub(crate) paths: Vec<PathPair>,
    pub(crate) base64: Base64Rule,
}

#[derive(Debug)]
pub(crate) struct UrlPair {
    pub(crate) pair: usize,
    pub(crate) from: Url,
    pub(crate) to: Url,
}

#[derive(Debug)]
pub(crate) struct PathPair {
    pub(crate) pair: usize,
    pub(crate) from: Vec<char>,
    pub(crate) to: Vec<char>,
}

trait Numbered {
    fn number(&self) -> usize;
}

impl Numbered for UrlPair {
    fn number(&self) -> usize {
        self.pair
    }
}

impl Numbered for PathPair {
    fn number(&self) -> usize {
        self.pair
    }
}

/// Adds a pair unless it is there already.
fn add<P: Numbered, S: PartialEq>(
    pairs: &mut Vec<P>,
    new: P,
    ends: impl Fn(&P) -> (&S, &S),
    source: &str,
    pair: usize,
) -> Result<(), BadMap> {
    let (from, to) = ends(&new);
    if from == to {
        return Err(BadMap::Unchanged { pair, source_text: source.to_owned() });
    }
    match pairs.iter().find(|known| ends(known).0 == from) {
        None => pairs.push(new),
        Some(known) if ends(known).1 == to => {}
        Some(known) => {
            let first = known.number();
            return Err(BadMap::Contradiction { first, second: pair, source_text: source.to_owned() });
        }
    }
    Ok(())
}

fn check_size(from: &str, to: &str, pair: usize) -> Result<(), BadMap> {
    if from.is_empty() {
        return Err(BadMap::EmptySource { pair });
    }
    if to.is_empty() {
        return Err(BadMap::EmptyTarget { pair });
    }
    if from.len().max(to.len()) > PAIR_BYTES_MAX {
        return Err(BadMap::TooLong { pair, limit: PAIR_BYTES_MAX });
    }
    Ok(())
}

fn parse_path(path: &str, pair: usize) -> Result<Vec<char>, BadMap> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    if !path.starts_with('/') {
        return Err(BadMap::NotAbsolute { pair, path: path.to_owned() });
    }
    if trimmed.is_empty() {
        return Err(BadMap::RootPath { pair });
    }
    if trimmed[1..].split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(BadMap::NotNormal { pair, path: path.to_owned() });
    }
    check_characters(trimmed, pair)?;
    Ok(trimmed.chars().collect())
}

/// Characters that end an address in every context, and would break the text that a target is written
/// into: quotes, angle brackets, backslashes, control characters.
fn check_characters(text: &str, pair: usize) -> Result<(), BadMap> {
    let bad = |c: &char| c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`');
    match text.chars().find(bad) {
        Some(character) => Err(BadMap::BadCharacter { pair, character }),
        None => Ok(()),
    }
}
