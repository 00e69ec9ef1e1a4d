use landfall_rewrite::RewriteMap;

use crate::{Case, check, site_map};

#[test]
fn each_spelling_is_found_and_kept() {
    const CASES: &[Case] = &[
        ("https:\\/\\/example.com\\/a", Some("https:\\/\\/new-site.test\\/a")),
        ("https:\\\\/\\\\/example.com\\\\/a", Some("https:\\\\/\\\\/new-site.test\\\\/a")),
        ("https:\\\\\\/\\\\\\/example.com\\\\\\/a", Some("https:\\\\\\/\\\\\\/new-site.test\\\\\\/a")),
        ("https:\\u002f\\u002fexample.com\\u002fa", Some("https:\\u002f\\u002fnew-site.test\\u002fa")),
        ("https:\\u002F\\u002Fexample.com", Some("https:\\u002F\\u002Fnew-site.test")),
        ("https:\\\\u002f\\\\u002fexample.com", Some("https:\\\\u002f\\\\u002fnew-site.test")),
        ("https:&#x2F;&#x2F;example.com&#x2F;a", Some("https:&#x2F;&#x2F;new-site.test&#x2F;a")),
        ("https:&#x2f;&#x2f;example.com", Some("https:&#x2f;&#x2f;new-site.test")),
        ("https:&#47;&#47;example.com&#47;a", Some("https:&#47;&#47;new-site.test&#47;a")),
        ("https&#58;&#47;&#47;example.com", Some("https&#58;&#47;&#47;new-site.test")),
        ("https%3A%2F%2Fexample.com%2Fa", Some("https%3A%2F%2Fnew-site.test%2Fa")),
        ("https%3a%2f%2fexample.com%2fa", Some("https%3a%2f%2fnew-site.test%2fa")),
        ("https%253A%252F%252Fexample.com", Some("https%253A%252F%252Fnew-site.test")),
        ("https:%2F%2Fexample.com", Some("https:%2F%2Fnew-site.test")),
        ("\\/\\/example.com\\/a", Some("\\/\\/new-site.test\\/a")),
        ("HTTPS://EXAMPLE.COM/A", Some("https://new-site.test/A")),
        ("Http://Example.Com/A", Some("https://new-site.test/A")),
        ("https://eXaMpLe.cOm", Some("https://new-site.test")),
        ("HTTP:\\/\\/WWW.Example.com", Some("https:\\/\\/new-site.test")),
    ];
    check(site_map(), CASES);
}

#[test]
fn paths_of_an_address_are_found_in_the_spelling_of_its_slashes() {
    let map = RewriteMap::new().url("https://a.test/one/two", "https://b.example/x/y z".replace(' ', "-"));
    const CASES: &[Case] = &[
        ("https:\\/\\/a.test\\/one\\/two\\/t", Some("https:\\/\\/b.example\\/x\\/y-z\\/t")),
        ("https%3A%2F%2Fa.test%2Fone%2Ftwo%2Ft", Some("https%3A%2F%2Fb.example%2Fx%2Fy-z%2Ft")),
        ("https:&#47;&#47;a.test&#47;one&#47;two", Some("https:&#47;&#47;b.example&#47;x&#47;y-z")),
        ("https:\\/\\/a.test/one/two", None),
    ];
    check(map, CASES);
}

#[test]
fn international_names_are_found_in_both_forms_and_written_in_the_form_found() {
    let map = RewriteMap::new().url("https://bücher.test", "https://größer.example");
    const CASES: &[Case] = &[
        ("https://bücher.test/a", Some("https://größer.example/a")),
        ("https://BÜCHER.test/a", Some("https://größer.example/a")),
        ("https://xn--bcher-kva.test/a", Some("https://xn--grer-wna1l.example/a")),
        ("https://XN--BCHER-KVA.TEST/a", Some("https://xn--grer-wna1l.example/a")),
        ("https:\\/\\/b\\u00fccher.test\\/a", Some("https:\\/\\/gr\\u00f6\\u00dfer.example\\/a")),
        ("https:\\/\\/b\\u00FCcher.test", Some("https:\\/\\/gr\\u00F6\\u00DFer.example")),
        ("https:\\\\/\\\\/b\\\\u00fccher.test", Some("https:\\\\/\\\\/gr\\\\u00f6\\\\u00dfer.example")),
        ("https%3A%2F%2Fb%C3%BCcher.test", Some("https%3A%2F%2Fgr%C3%B6%C3%9Fer.example")),
        ("https%3a%2f%2fb%c3%bccher.test", Some("https%3a%2f%2fgr%c3%b6%c3%9fer.example")),
        // Block comments hold no `--`.
        ("https://xn\\u002d\\u002dbcher-kva.test", Some("https://xn\\u002d\\u002dgrer-wna1l.example")),
        ("https://hörbücher.test", None),
        ("https://bücher.tests", None),
        ("//bücher.test", Some("//größer.example")),
    ];
    check(map, CASES);
}

#[test]
fn names_of_which_nothing_is_ascii_are_found() {
    let map = RewriteMap::new()
        .url("https://пример.рф", "https://новый.рф")
        .url("https://例え.テスト", "https://b.example");
    const CASES: &[Case] = &[
        ("https://пример.рф/а", Some("https://новый.рф/а")),
        ("https://ПРИМЕР.РФ", Some("https://новый.рф")),
        (
            "https:\\/\\/\\u043f\\u0440\\u0438\\u043c\\u0435\\u0440.\\u0440\\u0444",
            Some("https:\\/\\/\\u043d\\u043e\\u0432\\u044b\\u0439.\\u0440\\u0444"),
        ),
        ("https://xn--e1afmkfd.xn--p1ai/", Some("https://xn--b1aoke0e.xn--p1ai/")),
        ("https://例え.テスト", Some("https://b.example")),
        ("https://例え.テストの", None),
    ];
    check(map, CASES);
}

#[test]
fn an_international_target_is_written_as_given_for_a_plain_source() {
    let map = RewriteMap::new()
        .url("https://a.test", "https://größer.example")
        .url("https://b.test", "https://xn--grer-wna1l.example");
    const CASES: &[Case] = &[
        ("https://a.test", Some("https://größer.example")),
        ("https://b.test", Some("https://xn--grer-wna1l.example")),
        ("https%3A%2F%2Fa.test", Some("https%3A%2F%2Fgr%C3%B6%C3%9Fer.example")),
    ];
    check(map, CASES);
}

#[test]
fn letters_beyond_ascii_in_paths_are_found_in_any_spelling() {
    let map = RewriteMap::new()
        .path("/srv/données/site", "/srv/neu")
        .url("https://a.test/café", "https://b.example/thé");
    const CASES: &[Case] = &[
        ("/srv/données/site/x", Some("/srv/neu/x")),
        ("\\/srv\\/donn\\u00e9es\\/site\\/x", Some("\\/srv\\/neu\\/x")),
        ("%2Fsrv%2Fdonn%C3%A9es%2Fsite", Some("%2Fsrv%2Fneu")),
        ("https://a.test/café/x", Some("https://b.example/thé/x")),
        ("https://a.test/caf%C3%A9/x", Some("https://b.example/th%c3%a9/x")),
        ("https:\\/\\/a.test\\/caf\\u00e9", Some("https:\\/\\/b.example\\/th\\u00e9")),
    ];
    check(map, CASES);
}
