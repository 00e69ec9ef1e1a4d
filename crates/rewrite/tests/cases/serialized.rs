use crate::{Case, check, site_map, stats_of};

const NESTED: &[Case] = &[
    ("s:21:\"https://example.com/a\";", Some("s:23:\"https://new-site.test/a\";")),
    ("s:25:\"é https://example.com ü\";", Some("s:27:\"é https://new-site.test ü\";")),
    (
        "a:3:{s:3:\"url\";s:19:\"https://example.com\";i:7;s:21:\"https://example.com/x\";s:1:\"n\";i:5;}",
        Some(
            "a:3:{s:3:\"url\";s:21:\"https://new-site.test\";i:7;s:23:\"https://new-site.test/x\";s:1:\"n\";i:5;}",
        ),
    ),
    (
        "a:9:{i:0;N;i:1;b:1;i:2;b:0;i:3;i:-5;i:4;d:0.10000000000000001;i:5;d:-1.0E+25;i:6;d:INF;i:7;d:NAN;i:8;s:19:\"https://example.com\";}",
        Some(
            "a:9:{i:0;N;i:1;b:1;i:2;b:0;i:3;i:-5;i:4;d:0.10000000000000001;i:5;d:-1.0E+25;i:6;d:INF;i:7;d:NAN;i:8;s:21:\"https://new-site.test\";}",
        ),
    ),
    (
        "O:8:\"stdClass\":2:{s:1:\"a\";s:19:\"https://example.com\";s:1:\"b\";a:0:{}}",
        Some("O:8:\"stdClass\":2:{s:1:\"a\";s:21:\"https://new-site.test\";s:1:\"b\";a:0:{}}"),
    ),
    (
        "O:15:\"Acme\\Some\\Thing\":1:{s:1:\"u\";s:19:\"https://example.com\";}",
        Some("O:15:\"Acme\\Some\\Thing\":1:{s:1:\"u\";s:21:\"https://new-site.test\";}"),
    ),
    (
        "a:4:{i:0;O:8:\"stdClass\":1:{s:1:\"u\";s:19:\"https://example.com\";}i:1;r:2;i:2;R:2;i:3;s:19:\"https://example.com\";}",
        Some(
            "a:4:{i:0;O:8:\"stdClass\":1:{s:1:\"u\";s:21:\"https://new-site.test\";}i:1;r:2;i:2;R:2;i:3;s:21:\"https://new-site.test\";}",
        ),
    ),
    (
        "a:2:{i:0;E:11:\"Suit:Hearts\";i:1;s:19:\"https://example.com\";}",
        Some("a:2:{i:0;E:11:\"Suit:Hearts\";i:1;s:21:\"https://new-site.test\";}"),
    ),
    (
        "a:2:{i:0;S:5:\"a\\41\\00bc\";i:1;s:19:\"https://example.com\";}",
        Some("a:2:{i:0;S:5:\"a\\41\\00bc\";i:1;s:21:\"https://new-site.test\";}"),
    ),
    ("s:27:\"s:19:\"https://example.com\";\";", Some("s:29:\"s:21:\"https://new-site.test\";\";")),
    (
        "s:59:\"a:1:{s:1:\"x\";s:37:\"a:1:{i:0;s:19:\"https://example.com\";}\";}\";",
        Some("s:61:\"a:1:{s:1:\"x\";s:39:\"a:1:{i:0;s:21:\"https://new-site.test\";}\";}\";"),
    ),
    (
        "a:1:{i:0;s:32:\"{\"u\":\"https:\\/\\/example.com\\/x\"}\";}",
        Some("a:1:{i:0;s:34:\"{\"u\":\"https:\\/\\/new-site.test\\/x\"}\";}"),
    ),
    (
        "C:3:\"Foo\":37:{a:1:{i:0;s:19:\"https://example.com\";}}",
        Some("C:3:\"Foo\":39:{a:1:{i:0;s:21:\"https://new-site.test\";}}"),
    ),
    (
        "C:11:\"ArrayObject\":52:{x:i:0;a:1:{i:0;s:19:\"https://example.com\";};m:a:0:{}}",
        Some("C:11:\"ArrayObject\":54:{x:i:0;a:1:{i:0;s:21:\"https://new-site.test\";};m:a:0:{}}"),
    ),
    (
        "C:3:\"Foo\":27:{{\"u\":\"https://example.com\"}}",
        Some("C:3:\"Foo\":29:{{\"u\":\"https://new-site.test\"}}"),
    ),
    (" \ns:19:\"https://example.com\";\n", Some(" \ns:21:\"https://new-site.test\";\n")),
    ("s:29:\" s:19:\"https://example.com\"; \";", Some("s:31:\" s:21:\"https://new-site.test\"; \";")),
    (
        "s:99:\"https://example.com/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\";",
        Some(
            "s:101:\"https://new-site.test/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\";",
        ),
    ),
    (
        "a:2:{i:0;a:0:{}i:1;s:19:\"https://example.com\";}",
        Some("a:2:{i:0;a:0:{}i:1;s:21:\"https://new-site.test\";}"),
    ),
    (
        "O:3:\"Foo\":2:{s:6:\"\0Foo\0a\";s:19:\"https://example.com\";s:4:\"\0*\0b\";s:19:\"https://example.com\";}",
        Some(
            "O:3:\"Foo\":2:{s:6:\"\0Foo\0a\";s:21:\"https://new-site.test\";s:4:\"\0*\0b\";s:21:\"https://new-site.test\";}",
        ),
    ),
];

#[test]
fn leaves_are_rewritten_with_their_lengths_at_any_nesting() {
    check(site_map(), NESTED);
}

#[test]
fn keys_and_names_and_what_surrounds_a_value_stay() {
    const CASES: &[Case] = &[
        (
            "a:2:{s:19:\"https://example.com\";i:1;i:2;s:19:\"https://example.com\";}",
            Some("a:2:{s:19:\"https://example.com\";i:1;i:2;s:21:\"https://new-site.test\";}"),
        ),
        ("a:1:{s:19:\"https://example.com\";s:1:\"x\";}", None),
        ("O:19:\"https://example.com\":0:{}", None),
        (
            "O:3:\"Foo\":2:{s:19:\"https://example.com\";i:1;s:1:\"u\";s:19:\"https://example.com\";}",
            Some(
                "O:3:\"Foo\":2:{s:19:\"https://example.com\";i:1;s:1:\"u\";s:21:\"https://new-site.test\";}",
            ),
        ),
        ("E:23:\"https://example.com:One\";", None),
        ("S:19:\"https://example.com\";", None),
        ("s:1:\"x\"; https://example.com", None),
        (
            "s:19:\"https://example.com\";trailing https://example.com",
            Some("s:21:\"https://new-site.test\";trailing https://example.com"),
        ),
        (
            "a:1:{i:0;s:47:\"s:19:\"https://example.com\"; https://example.com\";}",
            Some("a:1:{i:0;s:49:\"s:21:\"https://new-site.test\"; https://example.com\";}"),
        ),
    ];
    check(site_map(), CASES);
}

#[test]
fn damaged_values_are_left_and_counted() {
    const CASES: &[&str] = &[
        "s:18:\"https://example.com\";",
        "s:20:\"https://example.com\";",
        "s:19:\"https://example.com\"",
        "s:19:\"https://example.com",
        "a:1:{i:0;s:19:\"https://example.com\";",
        "a:2:{i:0;s:19:\"https://example.com\";}",
        "a:0:{i:0;s:19:\"https://example.com\";}",
        "a:1:{i:0;s:99999999999999999999:\"https://example.com\";}",
        "a:9223372036854775807:{i:0;s:19:\"https://example.com\";}",
        "a:1:{d:0.5;s:19:\"https://example.com\";}",
        "a:1:{i:0;i:x;}https://example.com",
        "a:1:{i:0;b:2;}https://example.com",
        "O:8:\"stdClass\":1:{s:1:\"u\";s:19:\"https://example.com\";",
        "O:9:\"stdClass\":1:{s:1:\"u\";s:19:\"https://example.com\";}",
        "C:3:\"Foo\":99:{https://example.com}",
        "C:3:\"Foo\":21:{x;https://example.com}",
        "a:1:{i:0;S:5:\"\\zz\";}https://example.com",
        "a:1:{s:3:\\\"url\\\";s:19:\\\"https://example.com\\\";}",
        "s:37:\"a:1:{i:0;s:18:\"https://example.com\";}\";",
    ];
    for value in CASES {
        check(site_map(), &[(value, None)]);
        assert_eq!(stats_of(site_map(), value).damaged_left, 1, "{value}");
    }
    // The rest of a value is rewritten where only a string in it is damaged.
    check(
        site_map(),
        &[(
            "a:2:{i:0;s:37:\"a:1:{i:0;s:18:\"https://example.com\";}\";i:1;s:19:\"https://example.com\";}",
            Some(
                "a:2:{i:0;s:37:\"a:1:{i:0;s:18:\"https://example.com\";}\";i:1;s:21:\"https://new-site.test\";}",
            ),
        )],
    );
}

#[test]
fn text_that_only_begins_like_serialized_data_is_text() {
    const CASES: &[Case] = &[
        ("a: https://example.com", Some("a: https://new-site.test")),
        ("s:https://example.com", Some("s:https://new-site.test")),
        ("i:5;https://example.com", Some("i:5;https://new-site.test")),
        ("N;https://example.com", Some("N;https://new-site.test")),
        ("O: see https://example.com", Some("O: see https://new-site.test")),
        ("a:5: https://example.com", Some("a:5: https://new-site.test")),
        ("{a:1} https://example.com", Some("{a:1} https://new-site.test")),
    ];
    check(site_map(), CASES);
}

/// `levels` arrays around one leaf.
fn nested_arrays(levels: usize, url: &str) -> String {
    let leaf = format!("s:{}:\"{url}\";", url.len());
    format!("{}{leaf}{}", "a:1:{i:0;".repeat(levels), "}".repeat(levels))
}

/// A string serialized `levels` times.
fn nested_strings(levels: usize, url: &str) -> String {
    // Written from the inside out, so in pieces: the openings are needed in reverse.
    let mut length = url.len();
    let mut openings = Vec::new();
    for _ in 0..levels {
        let opening = format!("s:{length}:\"");
        length += opening.len() + 2;
        openings.push(opening);
    }
    openings.reverse();
    format!("{}{url}{}", openings.concat(), "\";".repeat(levels))
}

#[test]
fn twenty_thousand_levels_are_rewritten() {
    let (old, new) = ("https://example.com", "https://new-site.test");
    for nested in [nested_arrays, nested_strings] {
        let (value, expected) = (nested(20_000, old).leak(), nested(20_000, new).leak());
        check(site_map(), &[(value, Some(expected))]);
    }
}

#[test]
fn a_million_levels_are_left() {
    let value = nested_arrays(1_000_000, "https://example.com").leak();
    check(site_map(), &[(value, None)]);
    assert_eq!(stats_of(site_map(), value).damaged_left, 1);
}
