//! The command beside `sed`, as people would run either: a file in, nothing kept.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const RUNS: usize = 3;
const CPU_MARK: f64 = 0.6;
const MEMORY_MARK_MIB: u64 = 64;

/// Seconds of a run.
#[derive(Debug, Clone, Copy)]
struct Took {
    cpu: f64,
    wall: f64,
}

pub(crate) fn compare(landfall: &Path, dump: &Path, pairs: &[[String; 2]]) -> Result<(), Box<dyn Error>> {
    let sed: Vec<String> =
        std::iter::once("sed".to_owned()).chain(pairs.iter().flat_map(expression)).collect();
    let tool = |jobs: &str| -> Vec<String> {
        let head = [&landfall.to_string_lossy(), "rewrite", "--jobs", jobs].map(str::to_owned);
        let maps = pairs.iter().flat_map(|[from, to]| ["--map".to_owned(), from.clone(), to.clone()]);
        head.into_iter().chain(maps).collect()
    };
    println!("\n{:<44} {:>8} {:>8}", "file to /dev/null", "CPU s", "wall s");
    let theirs = measured("sed, four plain pairs", &sed, dump)?;
    let ours = measured("landfall rewrite, four pairs", &tool("1"), dump)?;
    measured("landfall rewrite --jobs 2, four pairs", &tool("2"), dump)?;
    let ratio = ours.cpu / theirs.cpu;
    println!("CPU {ratio:.2} x sed (mark: at most {CPU_MARK} x: {})", verdict(ratio <= CPU_MARK));
    let peak = peak_memory(&tool("1"), dump)?;
    println!(
        "peak memory {peak} MiB (mark: under {MEMORY_MARK_MIB} MiB: {})",
        verdict(peak < MEMORY_MARK_MIB)
    );
    Ok(())
}

fn verdict(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "not reached" }
}

fn expression([from, to]: &[String; 2]) -> [String; 2] {
    ["-e".to_owned(), format!("s|{}|{to}|g", from.replace('.', "\\."))]
}

fn measured(what: &str, command: &[String], input: &Path) -> Result<Took, Box<dyn Error>> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(timed(command, input)?);
    }
    let least = |of: fn(&Took) -> f64| runs.iter().map(of).fold(f64::INFINITY, f64::min);
    let took = Took { cpu: least(|took| took.cpu), wall: least(|took| took.wall) };
    println!("{what:<44} {:>8.2} {:>8.2}", took.cpu, took.wall);
    Ok(took)
}

/// By the shell's own clock, which knows what a child used.
fn timed(command: &[String], input: &Path) -> Result<Took, Box<dyn Error>> {
    let script = r#"TIMEFORMAT='%U %S %R'; time "$@" >/dev/null 2>/dev/null"#;
    let out = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(command)
        .env("LC_ALL", "C")
        .stdin(std::fs::File::open(input)?)
        .output()?;
    if !out.status.success() {
        return Err(format!("{} failed", command[0]).into());
    }
    let said = String::from_utf8(out.stderr)?;
    let seconds: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match seconds[..] {
        [user, system, wall] => Ok(Took { cpu: user + system, wall }),
        _ => Err(format!("not three times: {said}").into()),
    }
}

/// The high-water mark of a run, in MiB.
#[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread")]
fn peak_memory(command: &[String], input: &Path) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(OsStr::new(&command[0]))
        .args(&command[1..])
        .stdin(std::fs::File::open(input)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0_u64;
    while child.try_wait()?.is_none() {
        let said = std::fs::read_to_string(&status).unwrap_or_default();
        let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(peak_kib.div_ceil(1024))
}
