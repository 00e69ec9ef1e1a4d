//! `make bench-memory`: the peak memory of workers with two busy slots, with an ordinary site and with one that holds a
//! file of 300 MB and a table of 200 MB. Memory must not grow with the size of the site.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use landfall_testkit::lab::{Destination, DestinationOptions, Lab, Profile, Source, SourceOptions};

use crate::installation::{Backends, Installation, InstallationOptions, Workers};
use crate::journey::{Journey, Reach, prepare_as, start_through_plugin};

const FOLDER: &str = "/var/lib/landfall-bench";
const LIMIT: Duration = Duration::from_secs(1800);
/// The mark: a worker with two slots stays below.
const MARK_MIB: u64 = 128;
const SLOTS: u32 = 2;

/// Source and destination of one of the migrations that keep the slots busy.
struct Pair {
    name: String,
    lab: Lab,
    source: Source,
    destination: Destination,
}

impl Pair {
    async fn set_up(name: &str, number: u32, seed_arguments: &[&str]) -> Result<Self> {
        let name = format!("{name}-{number}");
        let lab = Lab::new(&PathBuf::from(format!("{FOLDER}-{name}")))?;
        let options = SourceOptions {
            profile: Profile::Demo,
            seed_arguments: seed_arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ..SourceOptions::default()
        };
        let (source, destination) =
            tokio::try_join!(lab.source_with(options), lab.destination(DestinationOptions::default()))?;
        Ok(Self { name, lab, source, destination })
    }
}

/// Runs both sites, and prints the peaks.
pub async fn run() -> Result<()> {
    let ordinary = measure("ordinary", &[]).await?;
    let heavy = measure("heavy", &["--big-file-mb", "300", "--big-table-mb", "200"]).await?;
    println!("\npeak resident memory (VmHWM) in MiB, {SLOTS} slots at work");
    println!("  {:<20} {:>10} {:>10} {:>8}", "process", "ordinary", "heavy", "ratio");
    for ((name, small), (_, large)) in ordinary.iter().zip(&heavy) {
        let ratio = *large as f64 / *small as f64;
        println!("  {name:<20} {:>10} {:>10} {ratio:>8.2}", small.div_ceil(1024), large.div_ceil(1024));
    }
    let peak = heavy.iter().filter(|(name, _)| name.starts_with("worker")).map(|(_, kib)| *kib).max();
    let peak = peak.unwrap_or_default().div_ceil(1024);
    let verdict = if peak < MARK_MIB { "reached" } else { "not reached" };
    println!("mark: a worker with two slots below {MARK_MIB} MiB: {peak} MiB, {verdict}");
    Ok(())
}

/// Two such sites at the same time, each phase in a worker of its own; the peak of each process in KiB.
async fn measure(name: &str, seed_arguments: &[&str]) -> Result<Vec<(String, u64)>> {
    println!("two {name} sites: seeding …");
    let (first, second) =
        tokio::try_join!(Pair::set_up(name, 1, seed_arguments), Pair::set_up(name, 2, seed_arguments))?;
    let mut options = InstallationOptions::between(&first.source, &first.destination, Backends::Servers);
    let more = InstallationOptions::between(&second.source, &second.destination, Backends::Servers);
    options.resolve.extend(more.resolve);
    options.workers = Workers::OnePerPhase;
    options.slots = SLOTS;
    let landfall = Installation::start(&first.lab, options).await?;
    let journeys = tokio::try_join!(begin(&landfall, &first), begin(&landfall, &second))?;
    println!("two {name} sites: moving …");
    for journey in [journeys.0, journeys.1] {
        journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
    }
    landfall.peak_memory()
}

async fn begin(landfall: &Installation, pair: &Pair) -> Result<Journey> {
    let (journey, token) =
        prepare_as(&pair.name, landfall.api(), &pair.source, &pair.destination, Reach::Sftp).await?;
    start_through_plugin(&pair.lab, &pair.source, &journey, &token).await?;
    Ok(journey)
}
