use landfall_rewrite::RewriteMap;

use crate::{Case, check, site_map};

#[test]
fn another_host_is_not_touched() {
    const CASES: &[Case] = &[
        ("https://example.com.au", None),
        ("https://example.com.au/", None),
        ("https://example.community", None),
        ("https://example.com-old", None),
        ("https://example.com_old", None),
        ("https://example.com--x", None),
        ("https://example.comé", None),
        ("https://notexample.com", None),
        ("https://my.example.com", None),
        ("https://my-example.com", None),
        ("//notexample.com", None),
        ("https://example.com%2Eau/", None),
        ("https:\\/\\/example.com\\u002dold", None),
        ("https://example.com\\u002eau", None),
        ("https://example.com&#46;au", None),
        ("ftp://example.com", None),
        ("foo://example.com", None),
        ("example.com", None),
        ("https:/example.com", None),
        ("https://example", None),
        ("https://example.co", None),
    ];
    check(site_map(), CASES);
}

#[test]
fn e_mail_and_credentials_are_not_touched() {
    const CASES: &[Case] = &[
        ("me@example.com", None),
        ("mailto:me@example.com", None),
        ("https://me@example.com/", None),
        ("https://example.com@evil.test/", None),
        ("https://example.com:secret@evil.test/", None),
        ("https://example.com:8080@evil.test/", None),
        ("//example.com:secret@evil.test", None),
        ("me@www.example.com https://example.com", Some("me@www.example.com https://new-site.test")),
    ];
    check(site_map(), CASES);
}

#[test]
fn punctuation_ends_a_host() {
    const CASES: &[Case] = &[
        ("See https://example.com.", Some("See https://new-site.test.")),
        ("See https://example.com. Then", Some("See https://new-site.test. Then")),
        ("https://example.com...", Some("https://new-site.test...")),
        ("https://example.com./x", Some("https://new-site.test./x")),
        ("https://example.com, or", Some("https://new-site.test, or")),
        ("https://example.com: it", Some("https://new-site.test: it")),
        ("(https://example.com)", Some("(https://new-site.test)")),
        ("[https://example.com]", Some("[https://new-site.test]")),
        ("https://example.com!", Some("https://new-site.test!")),
        ("<!-- https://example.com-->", Some("<!-- https://new-site.test-->")),
        ("_https://example.com_ x", Some("_https://new-site.test_ x")),
        ("https://example.com?p=1", Some("https://new-site.test?p=1")),
        ("https://example.com#top", Some("https://new-site.test#top")),
        ("https://example.com&amp;x", Some("https://new-site.test&amp;x")),
        ("https://example.com\\nnext", Some("https://new-site.test\\nnext")),
        ("https://example.com\\\"", Some("https://new-site.test\\\"")),
        ("\u{201c}https://example.com\u{201d}", Some("\u{201c}https://new-site.test\u{201d}")),
        ("请看https://example.com。", Some("请看https://new-site.test。")),
        ("请看https://example.com谢谢", Some("请看https://new-site.test谢谢")),
        ("https://example.com\u{a0}x", Some("https://new-site.test\u{a0}x")),
        ("https://example.com%20x", Some("https://new-site.test%20x")),
        ("https://example.com%", Some("https://new-site.test%")),
    ];
    check(site_map(), CASES);
}

#[test]
fn ports_are_whole_and_belong_to_the_address() {
    let map = RewriteMap::new()
        .url("http://a.test:8080", "https://b.example")
        .url("https://a.test", "https://c.example");
    const CASES: &[Case] = &[
        ("http://a.test:8080", Some("https://b.example")),
        ("http://a.test:8080/x", Some("https://b.example/x")),
        ("http://a.test:80801", None),
        ("http://a.test:8080x", None),
        ("http://a.test:808", None),
        ("http://a.test", None),
        ("https://a.test:8443/x", None),
        ("https://a.test:443/x", Some("https://c.example/x")),
        ("https://a.test:4433", None),
        ("//a.test:8080/x", Some("//b.example/x")),
        ("http%3A%2F%2Fa.test%3A8080%2Fx", Some("https%3A%2F%2Fb.example%2Fx")),
        ("http:\\/\\/a.test:8080.", Some("https:\\/\\/b.example.")),
    ];
    check(map, CASES);
    let map = RewriteMap::new().url("http://a.test", "https://b.example:8443/sub");
    const WITH_PORT: &[Case] = &[
        ("http://a.test/x", Some("https://b.example:8443/sub/x")),
        ("http%3a%2f%2fa.test%2fx", Some("https%3a%2f%2fb.example%3a8443%2fsub%2fx")),
        ("%2F%2Fa.test", Some("%2F%2Fb.example%3A8443%2Fsub")),
    ];
    check(map, WITH_PORT);
}

#[test]
fn paths_match_whole_segments() {
    let map = RewriteMap::new().url("https://a.test/wp", "https://b.example").path("/home/old", "/srv/n");
    const CASES: &[Case] = &[
        ("https://a.test/wp", Some("https://b.example")),
        ("https://a.test/wp/x", Some("https://b.example/x")),
        ("https://a.test/wp?x", Some("https://b.example?x")),
        ("https://a.test/wp. Then", Some("https://b.example. Then")),
        ("https://a.test/wp-content", None),
        ("https://a.test/wp_x", None),
        ("https://a.test/wp2", None),
        ("https://a.test/wp.php", None),
        ("https://a.test/wp%20x", None),
        ("https://a.test/wp@2x", None),
        ("https://a.test/wpé", None),
        ("https://a.test/WP", None),
        ("https://a.test", None),
        ("https%3A%2F%2Fa.test%2Fwp%20x", Some("https%3A%2F%2Fb.example%20x")),
        ("https%3A%2F%2Fa.test%2Fwp%2Dcontent", None),
        ("https:\\/\\/a.test\\/wp\\u002dcontent", None),
        ("/home/old", Some("/srv/n")),
        ("/home/old/public_html", Some("/srv/n/public_html")),
        ("'/home/old'", Some("'/srv/n'")),
        ("/home/old2", None),
        ("/home/old-site", None),
        ("/home/old.bak", None),
        ("/home/old_/x", None),
        ("/home/Old", None),
        ("/mnt/home/old", None),
        ("./home/old", None),
        ("~/home/old", None),
        ("https://c.test/home/old", None),
        ("//home/old", None),
        ("\\/home\\/old\\/x", Some("\\/srv\\/n\\/x")),
        ("\"\\n\\/home\\/old\"", Some("\"\\n\\/srv\\/n\"")),
        ("%22%2Fhome%2Fold%2Fx", Some("%22%2Fsrv%2Fn%2Fx")),
        ("p=%2fhome%2fold", Some("p=%2fsrv%2fn")),
        ("\\u002fhome\\u002fold", Some("\\u002fsrv\\u002fn")),
        ("&#x2F;home&#x2F;old", Some("&#x2F;srv&#x2F;n")),
    ];
    check(map, CASES);
}

#[test]
fn an_address_without_scheme_begins_where_nothing_precedes_it() {
    const CASES: &[Case] = &[
        ("//example.com", Some("//new-site.test")),
        ("='//example.com'", Some("='//new-site.test'")),
        ("a //example.com/b", Some("a //new-site.test/b")),
        ("u=%2F%2Fexample.com", Some("u=%2F%2Fnew-site.test")),
        ("%22%2F%2Fexample.com%22", Some("%22%2F%2Fnew-site.test%22")),
        ("\\u0022\\/\\/example.com", Some("\\u0022\\/\\/new-site.test")),
        ("\"\\n\\/\\/example.com\"", Some("\"\\n\\/\\/new-site.test\"")),
        ("&quot;//example.com&quot;", Some("&quot;//new-site.test&quot;")),
        ("x//example.com", None),
        ("https://cdn.test//example.com", None),
        ("///example.com", None),
        ("ws://example.com", None),
        ("ws%3A%2F%2Fexample.com", None),
    ];
    check(site_map(), CASES);
}
