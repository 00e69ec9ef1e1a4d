use landfall_rewrite::{Base64Rule, ColumnRule, RewriteMap, Rewriter, Stats, column_rule};

use crate::{Case, check, site_map, stats_of};

#[test]
fn addresses_and_paths_are_replaced_wherever_they_stand() {
    const CASES: &[Case] = &[
        ("", None),
        ("no address here", None),
        ("https://example.com", Some("https://new-site.test")),
        ("http://example.com/", Some("https://new-site.test/")),
        ("https://www.example.com/a?b=c#d", Some("https://new-site.test/a?b=c#d")),
        ("http://example.com http://www.example.com", Some("https://new-site.test https://new-site.test")),
        ("<a href='http://example.com/x'>", Some("<a href='https://new-site.test/x'>")),
        ("url(https://example.com/a.png)", Some("url(https://new-site.test/a.png)")),
        ("url(//example.com)", Some("url(//new-site.test)")),
        (
            "https://example.com/a.jpg 300w, https://example.com/b.jpg 600w",
            Some("https://new-site.test/a.jpg 300w, https://new-site.test/b.jpg 600w"),
        ),
        ("src=\"//example.com/a.js\"", Some("src=\"//new-site.test/a.js\"")),
        ("/var/www/old/wp-content/cache", Some("/srv/sites/new/wp-content/cache")),
        ("ABSPATH=/var/www/old", Some("ABSPATH=/srv/sites/new")),
        ("include_path=.:/var/www/old:/usr/share", Some("include_path=.:/srv/sites/new:/usr/share")),
        ("file:///var/www/old/a", Some("file:///srv/sites/new/a")),
        ("/var/www/old https://example.com", Some("/srv/sites/new https://new-site.test")),
        ("https://example.com/var/www/old", Some("https://new-site.test/var/www/old")),
    ];
    check(site_map(), CASES);
}

#[test]
fn all_pairs_are_replaced_in_one_pass() {
    // Swapped, and a target that holds its source.
    let map = RewriteMap::new()
        .url("https://one.test", "https://two-two.test")
        .url("https://two-two.test", "https://one.test")
        .url("https://grow.test", "https://grow.test/grow.test")
        .path("/a/one", "/a/one/one")
        .path("/srv/x", "/srv/yy")
        .path("/srv/yy", "/srv/x");
    const CASES: &[Case] = &[
        ("https://one.test https://two-two.test", Some("https://two-two.test https://one.test")),
        (
            "https://grow.test/https://grow.test",
            Some("https://grow.test/grow.test/https://grow.test/grow.test"),
        ),
        ("/a/one/one", Some("/a/one/one/one")),
        ("/srv/x:/srv/yy:/srv/x", Some("/srv/yy:/srv/x:/srv/yy")),
        (
            "a:2:{i:0;s:16:\"https://one.test\";i:1;s:20:\"https://two-two.test\";}",
            Some("a:2:{i:0;s:20:\"https://two-two.test\";i:1;s:16:\"https://one.test\";}"),
        ),
    ];
    check(map, CASES);
}

#[test]
fn the_longest_source_wins_whatever_the_order() {
    let pairs = [
        ("https://a.test", "https://root.test"),
        ("https://a.test/blog", "https://blog.test"),
        ("https://a.test/blog/old", "https://old.test/archive"),
        ("https://a.test:8080", "https://port.test"),
        ("https://a.test:8080/blog", "https://port-blog.test"),
    ];
    const CASES: &[Case] = &[
        ("https://a.test/", Some("https://root.test/")),
        ("https://a.test/blog", Some("https://blog.test")),
        ("https://a.test/blog/old/x", Some("https://old.test/archive/x")),
        ("https://a.test/blogs", Some("https://root.test/blogs")),
        ("//a.test/blog/old", Some("//old.test/archive")),
        ("https://a.test:8080/blog", Some("https://port-blog.test")),
        ("https://a.test:8080/x", Some("https://port.test/x")),
        ("/p/q/r /p/q /p", Some("/three /two /one")),
    ];
    for turn in 0..pairs.len() {
        let mut map = RewriteMap::new();
        for (from, to) in pairs.iter().cycle().skip(turn).take(pairs.len()) {
            map = map.url(*from, *to);
        }
        let paths = [("/p", "/one"), ("/p/q", "/two"), ("/p/q/r", "/three")];
        for (from, to) in paths.iter().cycle().skip(turn).take(paths.len()) {
            map = map.path(*from, *to);
        }
        check(map, CASES);
    }
}

#[test]
fn a_pair_that_only_changes_the_scheme_leaves_addresses_without_one() {
    let map = RewriteMap::new().url("http://a.test", "https://a.test");
    check(
        map,
        &[("//a.test/x", None), ("http://a.test/x", Some("https://a.test/x")), ("https://a.test", None)],
    );
}

#[test]
fn without_a_scheme_the_first_pair_of_the_host_decides() {
    let map =
        RewriteMap::new().url("http://a.test", "https://one.test").url("https://a.test", "https://two.test");
    check(map, &[("//a.test", Some("//one.test")), ("https://a.test", Some("https://two.test"))]);
}

#[test]
fn hosts_without_a_dot_and_numbers_are_hosts() {
    let map = RewriteMap::new()
        .url("http://localhost", "https://live.test")
        .url("http://localhost:8888/wp", "https://wp.test")
        .url("http://192.168.0.10:8080", "https://live.test")
        .url("http://x", "https://live.test");
    const CASES: &[Case] = &[
        ("http://localhost/a", Some("https://live.test/a")),
        ("http://LocalHost/a", Some("https://live.test/a")),
        ("http://localhost:8888/wp/a", Some("https://wp.test/a")),
        ("http://localhost:8888/wp2", None),
        ("http://localhosts", None),
        ("http://192.168.0.10:8080/a", Some("https://live.test/a")),
        ("http://192.168.0.10/a", None),
        ("http://192.168.0.100:8080/a", None),
        ("http://x/y http://xy", Some("https://live.test/y http://xy")),
        ("http:\\/\\/x", Some("https:\\/\\/live.test")),
    ];
    check(map, CASES);
}

#[test]
fn the_column_decides_whether_a_value_is_read() {
    assert_eq!(column_rule("posts", "guid", false), ColumnRule::Skip);
    assert_eq!(column_rule("posts", "GUID", false), ColumnRule::Skip);
    assert_eq!(column_rule("posts", "post_content", true), ColumnRule::Skip);
    assert_eq!(column_rule("posts", "post_content", false), ColumnRule::Text);
    let rewriter = Rewriter::new(site_map()).unwrap();
    let mut stats = Stats::default();
    let value = b"https://example.com/?p=1";
    assert_eq!(rewriter.rewrite(value, ColumnRule::Skip, &mut stats).as_ref(), value);
    assert_eq!((stats.values, stats.values_skipped, stats.values_changed), (1, 1, 0));
}

#[test]
fn counters_name_the_pairs_and_add_up() {
    let mut stats = stats_of(site_map(), "http://example.com /var/www/old //example.com https://example.com");
    assert_eq!(stats.replaced(), [2, 1, 0, 0, 1]);
    let other = stats_of(site_map(), "a:1:{i:0;s:23:\"https://www.example.com\";}");
    assert_eq!((other.replaced(), other.serialized_rewritten), (&[0, 0, 1][..], 1));
    stats.merge(&other);
    assert_eq!(stats.replaced(), [2, 1, 1, 0, 1]);
    assert_eq!((stats.values, stats.values_changed, stats.replaced_total()), (2, 2, 5));
    let rewriter = Rewriter::new(site_map()).unwrap();
    assert_eq!(rewriter.sources()[4], "/var/www/old");
}

/// `https://example.com/a`, a serialized value and a text in which it stands off the grid of three bytes.
const ENCODED: &str = "aHR0cHM6Ly9leGFtcGxlLmNvbS9h";
const ENCODED_SERIALIZED: &str = "YToxOntpOjA7czoxOToiaHR0cHM6Ly9leGFtcGxlLmNvbSI7fQ==";

#[test]
fn base64_is_left_and_counted_unless_asked_for() {
    for value in [ENCODED, ENCODED_SERIALIZED] {
        let stats = stats_of(site_map(), value);
        assert_eq!((stats.base64_left, stats.values_changed), (1, 0), "{value}");
    }
    let embedded = format!("{{\"a\":\"{ENCODED}\",\"b\":\"https://example.com\"}}");
    let stats = stats_of(site_map(), &embedded);
    assert_eq!((stats.base64_left, stats.values_changed), (1, 1));
    assert_eq!(stats_of(site_map(), "d41d8cd98f00b204e9800998ecf8427e").base64_left, 0);
}

#[test]
fn base64_is_decoded_rewritten_and_encoded_again_when_asked_for() {
    let cases: &[Case] = &[
        (ENCODED, Some("aHR0cHM6Ly9uZXctc2l0ZS50ZXN0L2E=")),
        (ENCODED_SERIALIZED, Some("YToxOntpOjA7czoyMToiaHR0cHM6Ly9uZXctc2l0ZS50ZXN0Ijt9")),
        (
            "a:1:{i:0;s:28:\"aHR0cHM6Ly9leGFtcGxlLmNvbS9h\";}",
            Some("a:1:{i:0;s:32:\"aHR0cHM6Ly9uZXctc2l0ZS50ZXN0L2E=\";}"),
        ),
        (
            "{\"x\":\"aHR0cHM6Ly9leGFtcGxlLmNvbS9h\",\"y\":\"https:\\/\\/example.com\"}",
            Some("{\"x\":\"aHR0cHM6Ly9uZXctc2l0ZS50ZXN0L2E=\",\"y\":\"https:\\/\\/new-site.test\"}"),
        ),
        ("d41d8cd98f00b204e9800998ecf8427e", None),
        ("aHR0cHM6Ly9leGFtcGxlLm9yZy9h", None),
    ];
    check(site_map().base64(Base64Rule::Rewrite), cases);
    let stats = stats_of(site_map().base64(Base64Rule::Rewrite), ENCODED_SERIALIZED);
    assert_eq!((stats.base64_rewritten, stats.base64_left, stats.serialized_rewritten), (1, 0, 1));
}
