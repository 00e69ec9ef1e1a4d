//! The address of a site, taken apart.

use super::host::Host;
use super::{BadMap, check_characters};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) fn default_port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }
}

/// An address without user name, query and fragment; two spellings of one address are equal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    /// `None` for the scheme's own port.
    pub(crate) port: Option<u16>,
    /// With its leading and without its trailing slash; empty for the root.
    pub(crate) path: Vec<char>,
}

pub(crate) fn parse(url: &str, pair: usize) -> Result<Url, BadMap> {
    let authority_start = url.find("://").map(|at| at + 3);
    let scheme = match authority_start.map(|at| url[..at - 3].to_ascii_lowercase()).as_deref() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        Some(_) | None => return Err(not_an_address(url, pair)),
    };
    let rest = &url[authority_start.unwrap_or_default()..];
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(BadMap::Userinfo { pair });
    }
    if path.contains(['?', '#']) {
        return Err(BadMap::QueryOrFragment { pair, url: url.to_owned() });
    }
    check_characters(rest, pair)?;
    if let Some(character) = rest.chars().find(|c| c.is_whitespace()) {
        return Err(BadMap::BadCharacter { pair, character });
    }
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) => (name, Some(parse_port(port, pair)?)),
        None => (authority, None),
    };
    let host = Host::parse(name).ok_or_else(|| BadMap::BadHost { pair, host: name.to_owned() })?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.starts_with("//") {
        return Err(BadMap::NotNormal { pair, path: path.to_owned() });
    }
    let port = port.filter(|port| port.to_string() != scheme.default_port());
    Ok(Url { scheme, host, port, path: path.chars().collect() })
}

/// A password may stand in what is not an address at all, so only the head of it is repeated.
fn not_an_address(url: &str, pair: usize) -> BadMap {
    let url = if url.contains('@') { "…".to_owned() } else { url.chars().take(64).collect() };
    BadMap::NotAnAddress { pair, url }
}

fn parse_port(port: &str, pair: usize) -> Result<u16, BadMap> {
    let number = port.parse().ok().filter(|number| *number > 0 && port.bytes().all(|b| b.is_ascii_digit()));
    number.ok_or_else(|| BadMap::BadPort { pair, port: port.to_owned() })
}
