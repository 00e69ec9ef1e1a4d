//! A host name in the two forms that an international one has.

use super::punycode;

const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A host in lower case. Equal hosts are the same host, however they were given.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// As it goes over the wire, `xn--` labels included.
    pub(crate) ascii: String,
    /// As people read it, where that differs.
    pub(crate) unicode: Option<String>,
    was_unicode: bool,
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        self.ascii == other.ascii
    }
}

impl Eq for Host {}

impl Host {
    /// `None` if it is not a name of dot-separated labels or an IPv4 address.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let mut ascii = Vec::new();
        let mut unicode = Vec::new();
        for label in name.split('.') {
            let is_plain =
                |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '·' | '\u{200C}' | '\u{200D}');
            // Marks are parts of letters in many scripts, and nothing else begins a label with them.
            let is_mark = |c: char| !c.is_ascii() && !c.is_control() && !c.is_whitespace();
            let is_name = label.chars().all(|c| is_plain(c) || is_mark(c));
            if label.is_empty() || !is_name || label.starts_with('-') || label.ends_with('-') {
                return None;
            }
            let wire = if label.is_ascii() { label.to_owned() } else { punycode::encode(label)? };
            if wire.len() > LABEL_BYTES_MAX {
                return None;
            }
            let decoded = wire.strip_prefix("xn--").and_then(punycode::decode);
            unicode.push(decoded.unwrap_or_else(|| wire.clone()));
            ascii.push(wire);
        }
        let (ascii, unicode) = (ascii.join("."), unicode.join("."));
        let differs = unicode != ascii;
        let is_short = ascii.len() <= HOST_BYTES_MAX;
        is_short.then(|| Self { ascii, unicode: differs.then_some(unicode), was_unicode: !name.is_ascii() })
    }

    /// As it stood in the map.
    pub(crate) fn as_given(&self) -> &str {
        if self.was_unicode { self.in_unicode() } else { &self.ascii }
    }

    pub(crate) fn in_unicode(&self) -> &str {
        self.unicode.as_deref().unwrap_or(&self.ascii)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_international_name_are_one_host() {
        let unicode = Host::parse("Bücher.Example").unwrap();
        let ascii = Host::parse("xn--bcher-kva.example").unwrap();
        assert_eq!(unicode, ascii);
        assert_eq!(unicode.ascii, "xn--bcher-kva.example");
        assert_eq!(ascii.unicode.as_deref(), Some("bücher.example"));
        assert_eq!((unicode.as_given(), ascii.as_given()), ("bücher.example", "xn--bcher-kva.example"));
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for name in ["", ".", "a..b", "a.", "-a.b", "a-.b", "a b", "a/b", "[::1]", "a%b", "*.a.b"] {
            assert!(Host::parse(name).is_none(), "{name}");
        }
        for name in ["a", "localhost", "192.168.0.1", "my_site.test", "xn--ls8h.la", "i❤.ws"] {
            assert!(Host::parse(name).is_some(), "{name}");
        }
    }
}
