//! The engine against the real `php`: whatever unserializes before a rewrite unserializes after it, to the
//! same structure, with only its strings changed.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use landfall_rewrite::{ColumnRule, RewriteMap, Rewriter, Stats};

const SEEDS: std::ops::Range<u32> = 1..5;
const VALUES_PER_SEED: u32 = 1000;

fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "php", name].iter().collect()
}

fn made_by_php(seed: u32) -> Vec<Vec<u8>> {
    let arguments = [seed.to_string(), VALUES_PER_SEED.to_string()];
    let output = Command::new("php").arg(script("make.php")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(from_hex).collect()
}

fn from_hex(line: &[u8]) -> Vec<u8> {
    let digits = std::str::from_utf8(line).unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn what_unserialized_before_unserializes_to_the_same_structure_after() {
    let map = RewriteMap::new()
        .url("https://example.com", "https://new-site.test")
        .url("http://example.com", "https://new-site.test")
        .url("https://www.example.com", "https://new-site.test")
        .url("http://www.example.com", "https://new-site.test")
        .path("/var/www/old", "/srv/sites/new");
    let rewriter = Rewriter::new(map).unwrap();
    let mut stats = Stats::default();
    let mut pairs = String::new();
    for value in SEEDS.flat_map(made_by_php) {
        let moved = rewriter.rewrite(&value, ColumnRule::Text, &mut stats);
        writeln!(pairs, "{} {}", hex(&value), hex(&moved)).unwrap();
    }
    let mut compare = Command::new("php");
    let mut child =
        compare.arg(script("compare.php")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(pairs.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(stats.serialized_rewritten > 1000, "{stats:?}");
    assert_eq!(stats.damaged_left, 0, "{stats:?}");
}
