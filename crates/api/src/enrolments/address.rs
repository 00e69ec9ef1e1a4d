//! Whether two URLs are of one site.

use url::Url;

/// Whether the plugin's URL is the one that was declared.
///
/// `http` and `https`, a trailing slash and a trailing dot of the host make no difference: WordPress knows itself
/// under either. Another host does, `www.` included, and another port or path: there may be another site.
pub(super) fn is_same_site(declared: &Url, given: &Url) -> bool {
    identity(declared) == identity(given)
}

fn identity(url: &Url) -> (String, Option<u16>, String) {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    // `port` is none where it is the scheme's own; one scheme's port under the other is then a port like any.
    (host, url.port(), url.path().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        is_same_site(&one.parse().unwrap(), &other.parse().unwrap())
    }

    #[test]
    fn spelling_makes_no_difference_and_another_site_does() {
        assert!(same("https://example.org", "http://EXAMPLE.org/"));
        assert!(same("https://example.org/blog/", "https://example.org./blog"));
        assert!(same("https://bücher.example", "https://xn--bcher-kva.example"));
        assert!(same("http://example.org:80", "https://example.org:443"));
        assert!(!same("https://example.org", "https://www.example.org"));
        assert!(!same("https://example.org", "https://example.org/blog"));
        assert!(!same("https://example.org", "https://example.org:8443"));
        assert!(!same("https://example.org/Blog", "https://example.org/blog"));
        assert!(!same("https://example.org", "https://example.org.evil.test"));
    }
}
