use crate::{Case, check, site_map, stats_of};

const EMBEDDED: &[Case] = &[
    (
        "{\"x\": \"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\", \"y\": \"https:\\/\\/example.com\"}",
        Some(
            "{\"x\": \"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\", \"y\": \"https:\\/\\/new-site.test\"}",
        ),
    ),
    (
        "{\"x\": \"a:1:{s:3:\\\"url\\\";s:22:\\\"https://example.com/é\\\";}\", \"y\": \"https://example.com\"}",
        Some(
            "{\"x\": \"a:1:{s:3:\\\"url\\\";s:24:\\\"https://new-site.test/é\\\";}\", \"y\": \"https://new-site.test\"}",
        ),
    ),
    (
        "\"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\"",
        Some("\"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\""),
    ),
    (
        "[\"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\", 1, \"s:19:\\\"https:\\/\\/example.com\\\";\"]",
        Some(
            "[\"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\", 1, \"s:21:\\\"https:\\/\\/new-site.test\\\";\"]",
        ),
    ),
    (
        "{\"j\": \"{\\\"x\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:22:\\\\\\\"https:\\\\\\/\\\\\\/example.com\\\\\\/\\\\u00e9\\\\\\\";}\\\"}\"}",
        Some(
            "{\"j\": \"{\\\"x\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:24:\\\\\\\"https:\\\\\\/\\\\\\/new-site.test\\\\\\/\\\\u00e9\\\\\\\";}\\\"}\"}",
        ),
    ),
    (
        "{\"j\": \"{\\\"k\\\": \\\"{\\\\\\\"x\\\\\\\": \\\\\\\"a:1:{s:3:\\\\\\\\\\\\\\\"url\\\\\\\\\\\\\\\";s:22:\\\\\\\\\\\\\\\"https:\\\\\\\\\\\\\\/\\\\\\\\\\\\\\/example.com\\\\\\\\\\\\\\/\\\\\\\\u00e9\\\\\\\\\\\\\\\";}\\\\\\\"}\\\"}\"}",
        Some(
            "{\"j\": \"{\\\"k\\\": \\\"{\\\\\\\"x\\\\\\\": \\\\\\\"a:1:{s:3:\\\\\\\\\\\\\\\"url\\\\\\\\\\\\\\\";s:24:\\\\\\\\\\\\\\\"https:\\\\\\\\\\\\\\/\\\\\\\\\\\\\\/new-site.test\\\\\\\\\\\\\\/\\\\\\\\u00e9\\\\\\\\\\\\\\\";}\\\\\\\"}\\\"}\"}",
        ),
    ),
    (
        "a:1:{i:0;s:66:\"{\"x\": \"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\"}\";}",
        Some(
            "a:1:{i:0;s:68:\"{\"x\": \"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\"}\";}",
        ),
    ),
    (
        "{\"x\": \"a:1:{i:0;s:30:\\\"{\\\"u\\\": \\\"https:\\\\\\/\\\\\\/example.com\\\"}\\\";}\"}",
        Some("{\"x\": \"a:1:{i:0;s:32:\\\"{\\\"u\\\": \\\"https:\\\\\\/\\\\\\/new-site.test\\\"}\\\";}\"}"),
    ),
    (
        "{\"x\": \"s:66:\\\"{\\\"y\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:22:\\\\\\\"https:\\\\\\/\\\\\\/example.com\\\\\\/\\\\u00e9\\\\\\\";}\\\"}\\\";\"}",
        Some(
            "{\"x\": \"s:68:\\\"{\\\"y\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:24:\\\\\\\"https:\\\\\\/\\\\\\/new-site.test\\\\\\/\\\\u00e9\\\\\\\";}\\\"}\\\";\"}",
        ),
    ),
    (
        "<!-- wp:acf/x {\"data\":\"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\"} --> <a href=\"https://example.com\">",
        Some(
            "<!-- wp:acf/x {\"data\":\"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\"} --> <a href=\"https://new-site.test\">",
        ),
    ),
    (
        "<!-- wp:acf/x {\"data\":\"a:1:{s:3:\\u0022url\\u0022;s:22:\\u0022https:\\/\\/example.com\\/\\u00e9\\u0022;}\"} --> \"x\";",
        Some(
            "<!-- wp:acf/x {\"data\":\"a:1:{s:3:\\u0022url\\u0022;s:24:\\u0022https:\\/\\/new-site.test\\/\\u00e9\\u0022;}\"} --> \"x\";",
        ),
    ),
    (
        "user|a:1:{s:1:\"u\";s:19:\"https://example.com\";}other|s:19:\"https://example.com\";n|i:5;",
        Some(
            "user|a:1:{s:1:\"u\";s:21:\"https://new-site.test\";}other|s:21:\"https://new-site.test\";n|i:5;",
        ),
    ),
    (
        "before https://example.com \"s:19:\"https://example.com\";\" after https://example.com",
        Some("before https://new-site.test \"s:21:\"https://new-site.test\";\" after https://new-site.test"),
    ),
    (
        "<code>a:1:{s:3:\"url\";s:22:\"https://example.com/é\";}</code> \"x\"; https://example.com",
        Some("<code>a:1:{s:3:\"url\";s:24:\"https://new-site.test/é\";}</code> \"x\"; https://new-site.test"),
    ),
    ("{\"a\":\"b\";} https://example.com", Some("{\"a\":\"b\";} https://new-site.test")),
    (
        "{\"a\": \"\\\\\", \"b\": \"a:1:{s:3:\\\"url\\\";s:22:\\\"https:\\/\\/example.com\\/\\u00e9\\\";}\"}",
        Some(
            "{\"a\": \"\\\\\", \"b\": \"a:1:{s:3:\\\"url\\\";s:24:\\\"https:\\/\\/new-site.test\\/\\u00e9\\\";}\"}",
        ),
    ),
    (
        "{\"x\": \"O:8:\\\"stdClass\\\":1:{s:4:\\\"\\u0000*\\u0000b\\\";s:19:\\\"https:\\/\\/example.com\\\";}\"}",
        Some(
            "{\"x\": \"O:8:\\\"stdClass\\\":1:{s:4:\\\"\\u0000*\\u0000b\\\";s:21:\\\"https:\\/\\/new-site.test\\\";}\"}",
        ),
    ),
    (
        "user|a:1:{s:19:\"https://example.com\";s:19:\"https://example.com\";}",
        Some("user|a:1:{s:19:\"https://example.com\";s:21:\"https://new-site.test\";}"),
    ),
];

#[test]
fn serialized_data_is_found_in_json_and_in_text() {
    check(site_map(), EMBEDDED);
}

#[test]
fn damaged_data_in_json_or_text_does_not_spoil_what_is_beside_it() {
    const CASES: &[Case] = &[
        (
            "{\"x\": \"a:1:{s:3:\\\"url\\\";s:18:\\\"https:\\/\\/example.com\\\";}\", \"y\": \"https:\\/\\/example.com\"}",
            Some(
                "{\"x\": \"a:1:{s:3:\\\"url\\\";s:18:\\\"https:\\/\\/example.com\\\";}\", \"y\": \"https:\\/\\/new-site.test\"}",
            ),
        ),
        (
            "{\"j\": \"{\\\"x\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:18:\\\\\\\"https:\\\\\\/\\\\\\/example.com\\\\\\\";}\\\"}\", \"y\": \"https:\\/\\/example.com\"}",
            Some(
                "{\"j\": \"{\\\"x\\\": \\\"a:1:{s:3:\\\\\\\"url\\\\\\\";s:18:\\\\\\\"https:\\\\\\/\\\\\\/example.com\\\\\\\";}\\\"}\", \"y\": \"https:\\/\\/new-site.test\"}",
            ),
        ),
        (
            "a|a:1:{s:3:\"url\";s:18:\"https://example.com\";}b|s:19:\"https://example.com\"; https://example.com",
            Some(
                "a|a:1:{s:3:\"url\";s:18:\"https://example.com\";}b|s:21:\"https://new-site.test\"; https://new-site.test",
            ),
        ),
        (
            "{\"x\":\"s:19:\\\"https:\\/\\/example.com\\\";\\q\",\"y\":\"https:\\/\\/example.com\"}",
            Some("{\"x\":\"s:19:\\\"https:\\/\\/example.com\\\";\\q\",\"y\":\"https:\\/\\/new-site.test\"}"),
        ),
    ];
    check(site_map(), CASES);
    for (value, _) in CASES {
        assert_eq!(stats_of(site_map(), value).damaged_left, 1, "{value}");
    }
}

#[test]
fn payloads_of_an_unknown_format_are_left() {
    let value = "C:3:\"Foo\":23:{19:\u{1}https://example.com}";
    check(site_map(), &[(value, None)]);
    assert_eq!(stats_of(site_map(), value).damaged_left, 1);
}

#[test]
fn serialized_strings_in_a_foreign_spelling_are_left_and_counted() {
    let html = "<p data-x=\"a:1:{s:1:&quot;u&quot;;s:19:&quot;https://example.com&quot;;}\"><a href=\"https://example.com/\">";
    let moved = html.replace("href=\"https://example.com/", "href=\"https://new-site.test/");
    let moved: &'static str = moved.leak();
    check(
        site_map(),
        &[
            (html, Some(moved)),
            ("s%3A19%3A%22https%3A%2F%2Fexample.com%22%3B", None),
            (
                "{&quot;url&quot;:&quot;https://example.com&quot;}",
                Some("{&quot;url&quot;:&quot;https://new-site.test&quot;}"),
            ),
        ],
    );
    assert_eq!(stats_of(site_map(), html).damaged_left, 1);
}
