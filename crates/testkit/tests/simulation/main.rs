//! The deterministic simulation: API, schedulers and workers over a simulated store, queue, network and clocks.
//!
//! ```text
//! cargo test -p landfall-testkit --test simulation -- --seeds 10000     fresh seeds
//! cargo test -p landfall-testkit --test simulation -- --seed 7          one seed, with its log if it fails
//! ```
//!
//! Without arguments a bounded number of fixed seeds runs, and the first of them twice: the same seed is the same run.
#![expect(clippy::print_stdout, reason = "it is a program that reports to a person")]

mod chaos;
mod clients;
mod phases;
mod process;
mod roles;
mod run;
mod scene;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use landfall_common::migration::StateName;
use landfall_testkit::simulation::Sabotage;

use crate::run::{Outcome, run};

/// Seeds of an ordinary test run.
const SEEDS_USUAL: u64 = 150;
/// Seeds within which a broken server has to be found.
const SABOTAGED_MAX: u64 = 100;
/// Failing seeds that are looked for before it stops.
const FAILURES_MAX: usize = 10;

enum Asked {
    /// From one on, so many.
    Seeds { first: u64, count: u64 },
    /// One, in full.
    One(u64),
    /// Another test was asked for.
    Nothing,
}

thread_local! {
    /// Panics of the processes of this thread's world that were not looked at yet.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn main() -> ExitCode {
    // A task that panics would end silently: its runtime goes on without it.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
        usual(panic);
    }));
    match asked(std::env::args().skip(1)) {
        Asked::Nothing => ExitCode::SUCCESS,
        Asked::One(seed) => one(seed),
        Asked::Seeds { first, count } => {
            let is_sharp = Sabotage::ALL.map(finds).into_iter().all(|found| found);
            let held = many(first, count);
            if is_sharp { held } else { ExitCode::FAILURE }
        }
    }
}

/// Whether some seed shows what a server does that does not keep its contract: a check that finds nothing is no check.
fn finds(sabotage: Sabotage) -> bool {
    let found = (1..=SABOTAGED_MAX).find_map(|seed| {
        let violations = run(seed, false, Some(sabotage)).violations;
        violations.first().map(|what| (seed, what.clone()))
    });
    match &found {
        Some((seed, what)) => println!("{sabotage:?} is found by seed {seed}: {what}"),
        None => println!("{sabotage:?} is not found by any of {SABOTAGED_MAX} seeds"),
    }
    found.is_some()
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Asked {
    let mut asked = Asked::Seeds { first: 1, count: SEEDS_USUAL };
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number follows");
        match argument.as_str() {
            "--seed" => asked = Asked::One(number()),
            "--seeds" => asked = Asked::Seeds { first: rand::random::<u32>().into(), count: number() },
            "--list" => return Asked::Nothing,
            // A filter, or an option of the usual harness.
            other if !other.starts_with('-') && !"simulation".contains(other) => return Asked::Nothing,
            _ => {}
        }
    }
    asked
}

fn one(seed: u64) -> ExitCode {
    let outcome = run(seed, true, None);
    outcome.log.iter().for_each(|line| println!("{line}"));
    println!(
        "seed {seed}: {} s of its time, {} commits, trace {:016x}",
        outcome.lasted / 1_000_000,
        outcome.commits,
        outcome.trace
    );
    outcome.violations.iter().for_each(|what| println!("  {what}"));
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Sum {
    runs: u64,
    seconds: u64,
    commits: u64,
    fenced: u64,
    rollbacks: u64,
    crashes: u64,
    entered: BTreeMap<StateName, u64>,
    failed: Vec<(u64, Vec<String>)>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.runs += 1;
        self.seconds += outcome.lasted / 1_000_000;
        self.commits += outcome.commits;
        self.fenced += outcome.fenced;
        self.rollbacks += outcome.rollbacks;
        self.crashes += outcome.crashes;
        for (state, times) in outcome.entered {
            *self.entered.entry(state).or_default() += times;
        }
        if !outcome.violations.is_empty() {
            self.failed.push((seed, outcome.violations));
        }
    }
}

fn many(first: u64, count: u64) -> ExitCode {
    let begun = Instant::now();
    println!("simulation: {count} seeds from {first}");
    let (once, again) = (run(first, false, None).trace, run(first, false, None).trace);
    if once != again {
        println!("seed {first} is not the same run twice: {once:016x} and {again:016x}");
        return ExitCode::FAILURE;
    }
    let sum = Mutex::new(Sum::default());
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let is_enough = sum.lock().is_ok_and(|sum| sum.failed.len() >= FAILURES_MAX);
                    if number >= count || is_enough {
                        return;
                    }
                    let seed = first + number;
                    let outcome = run(seed, false, None);
                    if let Ok(mut sum) = sum.lock() {
                        sum.add(seed, outcome);
                    }
                }
            });
        }
    });
    report(&sum.into_inner().expect("no thread panicked"), begun)
}

fn report(sum: &Sum, begun: Instant) -> ExitCode {
    println!(
        "{} runs in {:.1} s: {} h of their time, {} commits, {} crashes, {} rollbacks of the store, {} stale writes refused",
        sum.runs,
        begun.elapsed().as_secs_f64(),
        sum.seconds / 3600,
        sum.commits,
        sum.crashes,
        sum.rollbacks,
        sum.fenced,
    );
    let states: Vec<String> = sum.entered.iter().map(|(state, times)| format!("{state} {times}")).collect();
    println!("states entered: {}", states.join(", "));
    for (seed, violations) in &sum.failed {
        println!("seed {seed} failed: {}", violations.first().map_or("", String::as_str));
        println!("    make sim SEED={seed}");
    }
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
