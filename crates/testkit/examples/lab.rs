//! Starts a source and a destination, says where they are, and leaves them running.
//!
//! `cargo run -p landfall-testkit --example lab -- /var/lib/landfall-lab/mine small|demo|medium [SEED ARGUMENTS…]`

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use landfall_testkit::lab::{CheckJob, DestinationOptions, Lab, Profile, SourceOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder: PathBuf = arguments.next().context("the lab's folder is missing")?.into();
    let profile = match arguments.next().as_deref() {
        Some("small") | None => Profile::Small,
        Some("demo") => Profile::Demo,
        Some("medium") => Profile::Medium,
        Some(other) => bail!("no profile {other}"),
    };
    let started = Instant::now();
    let lab = Lab::new(&folder)?;
    // A failure leaves the servers for whoever looks for its cause.
    let stop = lab.keep();
    let source_options =
        SourceOptions { profile, seed_arguments: arguments.collect(), ..SourceOptions::default() };
    let (source, destination) =
        tokio::try_join!(lab.source_with(source_options), lab.destination(DestinationOptions::default()))?;
    let job = lab.folder().join("check.json");
    std::fs::write(&job, serde_json::to_vec_pretty(&CheckJob::between(&source.site, &destination.site))?)?;
    let mut out = std::io::stdout();
    for (name, site) in [("source", &source.site), ("destination", &destination.site)] {
        writeln!(out, "{name}: {} in {} as {}", site.url, site.docroot.display(), site.account.name)?;
        writeln!(out, "  admin {} / {}", site.admin_user, site.admin_password)?;
        writeln!(out, "  {} with prefix {}", site.database.url(), site.prefix)?;
        writeln!(out, "  {:?}", site.seeded)?;
    }
    let account = &destination.site.account;
    writeln!(
        out,
        "sftp: {}:{}@127.0.0.1:{}{}",
        account.name,
        account.password,
        destination.sshd.port(),
        destination.sftp_docroot()
    )?;
    writeln!(out, "check: php tests/checker/check.php {}", job.display())?;
    writeln!(out, "stop: sh {} (started in {:.1} s)", stop.display(), started.elapsed().as_secs_f32())?;
    Ok(())
}
