//! `make bench-rewrite`: a dump of one address per KB through the engine, beside one `memmem` scan of the same bytes in
//! the same run; and through the command, beside `sed`. Ratios are what counts: the machine drops out of them.
//!
//! Variables: `MB`, the size of the dump; `LANDFALL`, the command, without which only the engine is measured; `CASE`, the
//! one case that is run, again and again, for a profiler to look at.

#![expect(clippy::print_stdout, reason = "its output is the point")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::expect_used, reason = "its inputs are its own")]

mod commands;
mod corpus;

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use corpus::Corpus;
use landfall_rewrite::{DumpOptions, DumpReport, DumpSplitter, RewriteMap, Rewriter};
use memchr::memmem;
use tempfile::NamedTempFile;

const HOST: &str = "old-site.example.com";
const ABSENT: &str = "nowhere.test";
const OTHERS: [&str; 4] = ["shop.example.org", "blog.example.de", "news.example.net", "media.example.io"];
const TARGET: &str = "https://live-site.platform.example";
const MB: usize = 1_000_000;
/// What the command reads at once.
const PIECE: u64 = 128 << 10;
const RUNS: usize = 5;

#[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration")]
fn main() -> Result<(), Box<dyn Error>> {
    let megabytes = std::env::var("MB").map_or(Ok(500), |text| text.parse())?;
    let hosts: Vec<&str> = std::iter::once(HOST).chain(OTHERS).collect();
    println!("{megabytes} MB, one address per KB; the best of {RUNS} runs\n");
    let dump = written(&Corpus::new(&[HOST]).dump(megabytes * MB))?;
    if let Ok(case) = std::env::var("CASE") {
        return profiled(&case, &dump);
    }
    println!("{:<44} {:>8} {:>8}", "file in, nothing kept, one thread", "MB/s", "x scan");
    let scan = best(|| count(&dump, HOST))?;
    said("memmem scan for one host", &dump, scan, scan)?;
    let rewritten = best(|| rewrite(&dump, &pairs_of(&[HOST])))?;
    judged("engine, four pairs of one host", &dump, rewritten, scan, 4.0)?;
    let idle = best(|| rewrite(&dump, &pairs_of(&[ABSENT])))?;
    judged("engine, four pairs, nothing matches", &dump, idle, scan, 2.0)?;
    let mixed = written(&Corpus::new(&hosts).dump(megabytes * MB))?;
    let several = best(|| rewrite(&mixed, &pairs_of(&hosts)))?;
    said("engine, twenty pairs of five hosts", &mixed, several, scan)?;
    match std::env::var_os("LANDFALL") {
        Some(landfall) => commands::compare(landfall.as_ref(), dump.path(), &pairs_of(&[HOST])),
        None => {
            println!("\nLANDFALL is not set: the command was not measured");
            Ok(())
        }
    }
}

fn profiled(case: &str, dump: &NamedTempFile) -> Result<(), Box<dyn Error>> {
    for _ in 0..10 * RUNS {
        match case {
            "scan" => count(dump, HOST)?,
            "matches" => rewrite(dump, &pairs_of(&[HOST]))?,
            "nothing" => rewrite(dump, &pairs_of(&[ABSENT]))?,
            _ => return Err("CASE is scan, matches or nothing".into()),
        };
    }
    Ok(())
}

fn written(dump: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(dump)?;
    Ok(file)
}

/// Both schemes, with and without `www.`, to one target.
fn pairs_of(hosts: &[&str]) -> Vec<[String; 2]> {
    let forms = |host: &&str| {
        ["https://www.", "http://www.", "https://", "http://"].map(|head| format!("{head}{host}"))
    };
    hosts.iter().flat_map(forms).map(|from| [from, TARGET.to_owned()]).collect()
}

fn rewrite(dump: &NamedTempFile, pairs: &[[String; 2]]) -> io::Result<u64> {
    let map = pairs.iter().fold(RewriteMap::new(), |map, [from, to]| map.url(from, to));
    let rewriter = Rewriter::new(map).expect("the pairs are well-formed");
    let mut splitter = DumpSplitter::new(DumpOptions::default());
    let mut report = DumpReport::default();
    let mut input = dump.reopen()?;
    let mut space = Vec::new();
    loop {
        let read = (&mut input).take(PIECE).read_to_end(splitter.input())?;
        let batch = splitter.cut(read == 0);
        let (bytes, rewritten) = batch.rewrite(&rewriter, &mut space);
        black_box(bytes);
        report.merge(&rewritten);
        splitter.recycle(batch);
        if read == 0 {
            return Ok(report.total().replaced_total());
        }
    }
}

/// Reads the file like the engine does. A host on the border of two pieces is not seen, which costs the scan nothing.
fn count(dump: &NamedTempFile, host: &str) -> io::Result<u64> {
    let finder = memmem::Finder::new(host);
    let mut input = dump.reopen()?;
    let mut piece = Vec::new();
    let mut seen = 0;
    while (&mut input).take(PIECE).read_to_end(&mut piece)? > 0 {
        seen += finder.find_iter(&piece).count() as u64;
        piece.clear();
    }
    Ok(seen)
}

/// The shortest of some runs, which is the one that the machine's other work disturbed least.
fn best(mut run: impl FnMut() -> io::Result<u64>) -> io::Result<Duration> {
    let mut least = Duration::MAX;
    for _ in 0..RUNS {
        let began = Instant::now();
        black_box(run()?);
        least = least.min(began.elapsed());
    }
    Ok(least)
}

fn said(what: &str, dump: &NamedTempFile, took: Duration, scan: Duration) -> io::Result<()> {
    let rate = dump.as_file().metadata()?.len() as f64 / MB as f64 / took.as_secs_f64();
    println!("{what:<44} {rate:>8.0} {:>8.2}", took.as_secs_f64() / scan.as_secs_f64());
    Ok(())
}

fn judged(what: &str, dump: &NamedTempFile, took: Duration, scan: Duration, mark: f64) -> io::Result<()> {
    said(what, dump, took, scan)?;
    let ratio = took.as_secs_f64() / scan.as_secs_f64();
    let verdict = if ratio <= mark { "reached" } else { "not reached" };
    println!("    mark: at most {mark} x: {verdict}");
    Ok(())
}
