//! Which maps are refused, and that a rewriter can be shared.

use std::thread;

use landfall_rewrite::{BadMap, ColumnRule, RewriteMap, Rewriter, Stats};

fn refusal(map: RewriteMap) -> BadMap {
    Rewriter::new(map).expect_err("the map is wrong")
}

fn url_refusal(from: &str) -> BadMap {
    refusal(RewriteMap::new().url(from, "https://target.test"))
}

fn path_refusal(from: &str) -> BadMap {
    refusal(RewriteMap::new().path(from, "/srv/target"))
}

#[test]
fn wrong_addresses_are_refused_with_a_reason() {
    let text = str::to_owned;
    assert_eq!(url_refusal(""), BadMap::EmptySource { pair: 0 });
    for url in ["example.com", "//example.com", "ftp://example.com", "/var/www", "http:/x", "http"] {
        assert_eq!(url_refusal(url), BadMap::NotAnAddress { pair: 0, url: text(url) });
    }
    assert_eq!(url_refusal("https://me:secret@example.com"), BadMap::Userinfo { pair: 0 });
    for url in ["https://a.test?x", "https://a.test/x?y", "https://a.test/#x", "https://a.test#x"] {
        assert_eq!(url_refusal(url), BadMap::QueryOrFragment { pair: 0, url: text(url) });
    }
    for host in ["", "a..b", ".", "-a.test", "*.a.test", "a%20b", "[::1]"] {
        let refused = url_refusal(&format!("https://{host}/"));
        assert!(matches!(refused, BadMap::BadHost { .. } | BadMap::BadPort { .. }), "{host}: {refused}");
    }
    for port in ["", "0", "65536", "80x", "+80"] {
        assert_eq!(
            url_refusal(&format!("https://a.test:{port}/")),
            BadMap::BadPort { pair: 0, port: text(port) }
        );
    }
    for character in ['"', '\'', '<', '\\', ' ', '\n', '\0'] {
        let url = format!("https://a.test/x{character}y");
        assert_eq!(url_refusal(&url), BadMap::BadCharacter { pair: 0, character });
    }
    let long = format!("https://a.test/{}", "x".repeat(3000));
    assert!(matches!(url_refusal(&long), BadMap::TooLong { .. }));
    let empty = refusal(RewriteMap::new().url("https://a.test", ""));
    assert_eq!(empty, BadMap::EmptyTarget { pair: 0 });
}

#[test]
fn wrong_paths_are_refused_with_a_reason() {
    assert_eq!(path_refusal(""), BadMap::EmptySource { pair: 0 });
    assert_eq!(path_refusal("/"), BadMap::RootPath { pair: 0 });
    assert_eq!(path_refusal("var/www"), BadMap::NotAbsolute { pair: 0, path: "var/www".to_owned() });
    for path in ["//", "/a//b", "/a/../b", "/a/.", "/a//"] {
        assert!(matches!(path_refusal(path), BadMap::NotNormal { .. }), "{path}");
    }
    assert!(matches!(path_refusal("/a\"b"), BadMap::BadCharacter { character: '"', .. }));
}

#[test]
fn pairs_that_change_nothing_or_contradict_each_other_are_refused() {
    let same = RewriteMap::new().url("https://a.test/", "HTTPS://A.test:443");
    assert!(matches!(refusal(same), BadMap::Unchanged { pair: 0, .. }));
    let same = RewriteMap::new().url("https://bücher.test", "https://xn--bcher-kva.test");
    assert!(matches!(refusal(same), BadMap::Unchanged { .. }));
    let twice =
        RewriteMap::new().url("https://a.test", "https://b.test").url("https://A.test/", "https://c.test");
    assert!(matches!(refusal(twice), BadMap::Contradiction { first: 0, second: 1, .. }));
    let paths = RewriteMap::new().url("https://a.test", "https://b.test").path("/a", "/b").path("/a/", "/c");
    assert!(matches!(refusal(paths), BadMap::Contradiction { first: 1, second: 2, .. }));
    let many = (0..300).fold(RewriteMap::new(), |map, n| map.path(format!("/a{n}"), "/b"));
    assert!(matches!(refusal(many), BadMap::TooManyPairs { .. }));
}

#[test]
fn the_same_pair_twice_is_one_pair() {
    let map =
        RewriteMap::new().url("https://a.test", "https://b.test").url("https://a.test/", "https://b.test/");
    let mut stats = Stats::default();
    let out =
        Rewriter::new(map).unwrap().rewrite(b"https://a.test/x", ColumnRule::Text, &mut stats).into_owned();
    assert_eq!((out.as_slice(), stats.replaced()), (&b"https://b.test/x"[..], &[1][..]));
}

#[test]
fn a_map_without_pairs_changes_nothing() {
    let rewriter = Rewriter::new(RewriteMap::new()).unwrap();
    let value = b"a:1:{i:0;s:14:\"https://a.test\";}";
    assert_eq!(rewriter.rewrite(value, ColumnRule::Text, &mut Stats::default()).as_ref(), value);
}

#[test]
fn no_password_is_repeated_in_a_refusal() {
    for url in ["https://me:secret@a.test", "me:secret@a.test", "ssh://me:secret@a.test/x?y"] {
        let refused = url_refusal(url);
        assert!(!format!("{refused} {refused:?}").contains("secret"), "{refused:?}");
    }
}

#[test]
fn threads_share_a_rewriter() {
    let rewriter = Rewriter::new(RewriteMap::new().url("https://a.test", "https://bb.test")).unwrap();
    let threads = (0..4).map(|_| {
        let rewriter = rewriter.clone();
        thread::spawn(move || {
            let mut stats = Stats::default();
            rewriter.rewrite(b"s:14:\"https://a.test\";", ColumnRule::Text, &mut stats).into_owned()
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap(), b"s:15:\"https://bb.test\";");
    }
}
