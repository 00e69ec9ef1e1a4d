//! What must hold for any bytes. The fuzzer looks for bytes for which it does not; `tests/fuzz_corpus.rs` tries those of
//! the corpus with the ordinary tool chain.

use landfall_rewrite::{
    Base64Rule, ColumnRule, DumpOptions, DumpReport, DumpRewriter, RewriteMap, Rewriter, Stats,
};

fn rewriter(base64: Base64Rule) -> Rewriter {
    let map = RewriteMap::new()
        .url("https://old.example", "https://new-site.test")
        .url("http://old.example/sub", "https://new-site.test/a/b")
        .url("http://bücher.test:8080", "https://größer.example")
        .path("/var/www/old", "/srv/n")
        .base64(base64);
    Rewriter::new(map).expect("the pairs are well-formed")
}

/// One value: what becomes of it holds no source that is rewritten again, and an unconcerned map changes nothing.
pub fn value(bytes: &[u8]) {
    for base64 in [Base64Rule::Leave, Base64Rule::Rewrite] {
        let mut stats = Stats::default();
        let moved = rewriter(base64).rewrite(bytes, ColumnRule::Text, &mut stats);
        let is_changed = moved.as_ref() != bytes;
        assert_eq!(stats.values_changed > 0, is_changed, "the counters say what was done");
        assert_eq!(stats.values, 1);
        assert!(
            is_changed || matches!(moved, std::borrow::Cow::Borrowed(_)),
            "what does not change is not copied"
        );
    }
    let unconcerned = RewriteMap::new().url("https://nowhere.invalid", "https://new-site.test");
    let unconcerned = Rewriter::new(unconcerned).expect("the pair is well-formed");
    let same = unconcerned.rewrite(bytes, ColumnRule::Text, &mut Stats::default());
    let mentioned = bytes.windows(7).any(|part| part.eq_ignore_ascii_case(b"invalid"));
    assert!(mentioned || matches!(same, std::borrow::Cow::Borrowed(_)));
}

/// A dump: pieces of any size come to the same, and without a change the same bytes come out.
pub fn dump(bytes: &[u8]) {
    let (whole, report) = in_pieces(bytes, usize::MAX);
    for size in [1, 7, 64] {
        let (pieces, counted) = in_pieces(bytes, size);
        assert!(whole == pieces, "pieces of {size} bytes make another dump");
        assert_eq!(report, counted, "pieces of {size} bytes are counted otherwise");
    }
    assert_eq!(report.bytes, bytes.len() as u64);
    assert!(report.total().values_changed > 0 || whole == bytes, "nothing was changed, and yet it differs");
}

fn in_pieces(bytes: &[u8], size: usize) -> (Vec<u8>, DumpReport) {
    let options = DumpOptions { binary: true, ..DumpOptions::default() };
    let mut dump = DumpRewriter::new(rewriter(Base64Rule::Leave), options);
    let mut out = Vec::new();
    bytes.chunks(size.min(bytes.len().max(1))).for_each(|piece| dump.push(piece, &mut out));
    let report = dump.finish(&mut out);
    (out, report)
}
