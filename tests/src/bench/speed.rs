//! `make bench`: a medium site by Landfall, and the same by hand (`mysqldump | mysql`, `rsync`), in one run on one
//! machine. The ratio is what counts: the machine's own speed drops out of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::display::follow;
use crate::installation::{Backends, Installation, InstallationOptions};
use crate::journey::{Reach, prepare, start_through_plugin};
use anyhow::Result;
use landfall_testkit::lab::{DestinationOptions, Lab, Profile, copy_by_hand};

const FOLDER: &str = "/var/lib/landfall-bench";
const LIMIT: Duration = Duration::from_secs(1800);
/// The mark: at most so many times the copy by hand, which does not rewrite.
const MARK: f64 = 2.0;

/// Runs both, and prints seconds and ratio.
pub async fn run() -> Result<()> {
    let lab = Lab::new(Path::new(FOLDER))?;
    println!("seeding a medium site …");
    let (source, destination) =
        tokio::try_join!(lab.source(Profile::Medium), lab.destination(DestinationOptions::default()))?;
    let seeded = &source.site.seeded;
    println!(
        "{} files, {} MB; database {} MB",
        seeded.files,
        seeded.bytes / 1_000_000,
        seeded.database_bytes / 1_000_000
    );
    let options = InstallationOptions::between(&source, &destination, Backends::Embedded);
    let landfall = Installation::start(&lab, options).await?;
    let (journey, token) = prepare(landfall.api(), &source, &destination, Reach::Sftp).await?;

    let began = Instant::now();
    start_through_plugin(&lab, &source, &journey, &token).await?;
    let (_, timings) = follow(&journey.owner, &journey.migration, LIMIT).await?;
    let ours = began.elapsed().as_secs_f64();
    // By hand there is no other site in the way, whose foreign keys would have the same names.
    destination.clear().await?;
    let hand = copy_by_hand(&lab, &source.site, &destination.site).await?;

    println!("\nLandfall, from the click in wp-admin to the probed site");
    for (phase, took) in timings {
        println!("  {phase:<12} {:>7.1} s", took.as_secs_f64());
    }
    println!("  in all       {ours:>7.1} s");
    println!("by hand (no rewriting)");
    println!("  database     {:>7.1} s\n  files        {:>7.1} s", hand.database_seconds, hand.files_seconds);
    println!("  in all       {:>7.1} s", hand.total_seconds);
    let ratio = ours / hand.total_seconds;
    let verdict = if ratio <= MARK { "reached" } else { "not reached" };
    println!("ratio {ratio:.2} (mark: at most {MARK:.1}: {verdict})");
    for (name, kib) in landfall.peak_memory()? {
        println!("peak memory of {name}: {} MiB", kib.div_ceil(1024));
    }
    let report = journey.owner.text(&format!("/v1/migrations/{}/report", journey.migration)).await?;
    println!("\n{report}");
    Ok(())
}
