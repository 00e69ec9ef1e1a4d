//! The seed corpus of the fuzz targets, and whatever they found once, with the ordinary tool chain.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's crate has them public")]
mod checks;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in folder.read_dir().expect("the corpus is there").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a seed is readable");
        // A panic names its thread.
        let named = std::thread::Builder::new().name(entry.path().display().to_string());
        let checked = named.spawn(move || check(&bytes)).expect("a thread starts").join();
        assert!(checked.is_ok(), "{} does not hold", entry.path().display());
        seeds += 1;
    }
    assert!(seeds > 5, "{seeds} seeds");
}

#[test]
fn every_value_of_the_corpus_holds() {
    replay("value", checks::value);
}

#[test]
fn every_dump_of_the_corpus_holds() {
    replay("dump", checks::dump);
}
