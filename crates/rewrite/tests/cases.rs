//! Every rule of the engine, as tables of values: what goes in, what comes out.
//!
//! All tables but those that say otherwise use the pairs of [`site_map`], whose names differ in length, so
//! that a length that was not counted anew shows.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod cases {
    pub(crate) mod boundaries;
    pub(crate) mod embedded;
    pub(crate) mod literal;
    pub(crate) mod serialized;
    pub(crate) mod spellings;
}

use std::borrow::Cow;

use landfall_rewrite::{ColumnRule, RewriteMap, Rewriter, Stats};

/// What the values are expected to become; `None` for the very same bytes, borrowed.
type Case = (&'static str, Option<&'static str>);

fn site_map() -> RewriteMap {
    RewriteMap::new()
        .url("https://example.com", "https://new-site.test")
        .url("http://example.com", "https://new-site.test")
        .url("https://www.example.com", "https://new-site.test")
        .url("http://www.example.com", "https://new-site.test")
        .path("/var/www/old", "/srv/sites/new")
}

fn check(map: RewriteMap, cases: &[Case]) {
    let rewriter = Rewriter::new(map).unwrap();
    for (value, expected) in cases {
        let mut stats = Stats::default();
        let out = rewriter.rewrite(value.as_bytes(), ColumnRule::Text, &mut stats);
        let text = String::from_utf8_lossy(&out);
        match expected {
            Some(expected) => assert_eq!(text, *expected, "of {value}"),
            None => {
                assert_eq!(text, *value);
                assert!(matches!(out, Cow::Borrowed(_)), "copied: {value}");
            }
        }
        assert_eq!(stats.values_changed, u64::from(expected.is_some()), "{value}");
        assert_eq!(stats.replaced_total() > 0, expected.is_some(), "{value}");
    }
}

/// The counters of one value.
fn stats_of(map: RewriteMap, value: &str) -> Stats {
    let mut stats = Stats::default();
    Rewriter::new(map).unwrap().rewrite(value.as_bytes(), ColumnRule::Text, &mut stats);
    stats
}
