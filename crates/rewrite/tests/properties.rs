//! What holds for every value: checked on generated ones, against a small parser of the format.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod properties {
    pub(crate) mod reference;
}

use std::borrow::Cow;
use std::time::{Duration, Instant};

use landfall_rewrite::{Base64Rule, ColumnRule, RewriteMap, Rewriter, Stats};
use properties::reference::{self, Value};
use proptest::prelude::*;

fn rewriter(base64: Base64Rule) -> Rewriter {
    let map = RewriteMap::new()
        .url("https://example.com", "https://new-site.test")
        .url("http://example.com/sub", "https://new-site.test/a/b")
        .url("http://bücher.test:8080", "https://größer.example")
        .path("/var/www/old", "/srv/n")
        .base64(base64);
    Rewriter::new(map).unwrap()
}

fn rewrite<'a>(rewriter: &Rewriter, value: &'a [u8]) -> Cow<'a, [u8]> {
    rewriter.rewrite(value, ColumnRule::Text, &mut Stats::default())
}

/// Pieces of everything that the engine knows, in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "https://example.com",
        "http://example.com/sub",
        "//example.com",
        "https:\\/\\/example.com",
        "/var/www/old",
        "https%3A%2F%2Fexample.com",
        "http://bücher.test:8080",
        "\\/\\/b\\u00fccher.test:8080",
        "example.com",
        "a:1:{",
        "a:2:{",
        "i:0;",
        "s:19:\"",
        "s:3:\"",
        "\";",
        "}",
        "{",
        "\"",
        "\\\"",
        "\\\\\\\"",
        "\\u0022",
        "\\\\u0022",
        "\\",
        "O:8:\"stdClass\":1:{",
        "C:3:\"Foo\":19:{",
        "E:3:\"A:B\";",
        "S:2:\"\\41b\";",
        "N;",
        "r:1;",
        "s:",
        ":",
        "/",
        ".",
        "-",
        "@",
        "%",
        "%2",
        "%2F",
        "&#x2F;",
        "&#47;",
        "&",
        ";",
        "\u{e9}",
        "文",
        " ",
        "\n",
        "1",
        "9",
        "aHR0cHM6Ly9leGFtcGxlLmNvbS9h",
        "\"s:19:\\\"https:\\/\\/example.com\\\";\"",
        "\\ud83d\\ude00",
        "\\ud83d",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..6),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn leaf() -> impl Strategy<Value = String> {
    const TEXTS: &[&str] = &[
        "https://example.com",
        "see http://example.com/sub/x.",
        "é https:\\/\\/example.com ü",
        "plain",
        "",
        "/var/www/old/a",
        "https://example.com.au",
        "two https://example.com https://example.com",
    ];
    prop_oneof![prop::sample::select(TEXTS).prop_map(str::to_owned), "[a-z é\"{};:]{0,12}"]
}

/// Well-formed values, strings that are serialized themselves among them.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Raw("N;".to_owned())),
        any::<i32>().prop_map(|number| Value::Raw(format!("i:{number};"))),
        Just(Value::Raw("d:0.10000000000000001;".to_owned())),
        leaf().prop_map(Value::Text),
    ];
    scalar.prop_recursive(5, 60, 5, |inner| {
        let items = prop::collection::vec((0..9u32, inner.clone()), 0..5);
        let items = items.prop_map(|items| {
            items.into_iter().map(|(key, value)| (format!("https://example.com/{key}"), value)).collect()
        });
        prop_oneof![
            (any::<bool>(), items).prop_map(|(is_object, items)| Value::Items { is_object, items }),
            inner.prop_map(|value| Value::Nested(Box::new(value))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..300)) {
        rewrite(&rewriter(Base64Rule::Rewrite), &value);
    }

    #[test]
    fn no_mixture_of_what_it_knows_makes_it_panic(value in soup()) {
        for rule in [Base64Rule::Leave, Base64Rule::Rewrite] {
            rewrite(&rewriter(rule), &value);
        }
    }

    #[test]
    fn what_holds_no_source_is_the_same_and_borrowed(value in soup()) {
        let text = String::from_utf8_lossy(&value).to_lowercase();
        let text = ["example", "cher", "old", "ahr0"].iter().fold(text, |text, part| text.replace(part, "."));
        let value = text.as_bytes();
        let rewriter = rewriter(Base64Rule::Rewrite);
        let out = rewrite(&rewriter, value);
        prop_assert!(matches!(out, Cow::Borrowed(_)));
        prop_assert_eq!(out.as_ref(), value);
    }

    #[test]
    fn leaves_change_and_nothing_else(value in value()) {
        let before = value.serialized();
        let rewriter = rewriter(Base64Rule::Leave);
        let after = rewrite(&rewriter, before.as_bytes());
        let expected = value.map_leaves(&|text: &str| {
            String::from_utf8(rewrite(&rewriter, text.as_bytes()).into_owned()).unwrap()
        });
        // A text alone on top is serialized data all the same.
        prop_assert_eq!(std::str::from_utf8(&after).unwrap(), expected.serialized());
        prop_assert!(reference::is_well_formed(&after));
        let again = rewrite(&rewriter, &after);
        prop_assert_eq!(again.as_ref(), after.as_ref());
    }

    #[test]
    fn what_was_well_formed_stays_so(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.serialized().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let rewriter = rewriter(Base64Rule::Leave);
        let after = rewrite(&rewriter, &bytes);
        if reference::is_well_formed(&bytes) {
            prop_assert!(reference::is_well_formed(&after));
        }
    }

    #[test]
    fn soup_that_was_well_formed_stays_so(value in soup()) {
        for (head, tail) in [("", ""), ("a:1:{i:0;", "}"), ("s:19:\"", "\";")] {
            let value = [head.as_bytes(), &value, tail.as_bytes()].concat();
            if reference::is_well_formed(&value) {
                let rewriter = rewriter(Base64Rule::Rewrite);
                prop_assert!(reference::is_well_formed(&rewrite(&rewriter, &value)));
            }
        }
    }
}

/// Inputs at which a reader that goes back would take hours.
#[test]
fn hostile_values_of_two_megabytes_are_read_in_seconds() {
    const BYTES: usize = 2 << 20;
    let url = "https://example.com";
    let pieces = [
        "a:1:{",
        "a:1:{i:0;",
        "s:9:\"",
        "\"a:1:{",
        "\\\"a:1:{",
        "\"s:1:\\\"",
        "\\\\\\\"s:1:\\\\\\\\\\\\\\\"",
        "\\",
        "\"",
        "O:1:\"a\":1:{s:1:\"a\";",
        "C:1:\"a\":9:{",
        "\\u0022;",
        "\";",
        "\"a:1:{\\u0022;",
        "s:1000000:\"",
        "{",
        "//",
        "https://example.com",
        "https://example.com.",
        "https://example.com:",
        "https://example.com:x",
        "/var/www/old",
        "/var/www/old-",
        ".com",
        "%2F",
        "%2F%2Fexample.com%2e",
        "&#47;",
        "&#47;&#47;example.com",
        "www.",
        "aHR0",
        "aHR0cHM6Ly9leGFtcGxlLmNvbS9h",
        "aHR0cHM6Ly9leGFtcGxlLmNvbS9h ",
        "\\\\\\\\u0022",
        "b\\u00fccher.test",
    ];
    for rule in [Base64Rule::Leave, Base64Rule::Rewrite] {
        let rewriter = rewriter(rule);
        for piece in pieces {
            let body = piece.repeat(BYTES / piece.len());
            let quoted = format!("s:{}:\"{body}\";", body.len());
            for value in [format!("{url} {body} {url}\";"), format!("{body}{url}\";"), quoted] {
                let start = Instant::now();
                rewrite(&rewriter, value.as_bytes());
                let took = start.elapsed();
                assert!(took < Duration::from_secs(20), "{piece} took {took:?}");
            }
        }
    }
}
