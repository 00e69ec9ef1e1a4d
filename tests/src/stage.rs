//! What the end-to-end tests and the suite of faults play on: a seeded source, a destination with an older site, and
//! an installation between them.

use std::time::Duration;

use anyhow::{Result, ensure};
use landfall_testkit::lab::{
    CheckJob, Destination, DestinationOptions, Lab, Profile, Source, SourceOptions, check, wait_until,
};

use crate::installation::{Backends, Installation, InstallationOptions, Workers};
use crate::journey::{Journey, Reach, prepare, start_through_plugin};
use crate::watcher::Watcher;

/// The seeder's titles of the two sites as a home page shows them; neither holds the other.
const OLD_TITLE: &str = "<title>An Older Site";
const NEW_TITLE: &str = "<title>The Old Shop";
const DEATH_LIMIT: Duration = Duration::from_secs(420);

/// Two sites and an installation.
#[derive(Debug)]
pub struct Stage {
    /// The lab that all of it lies in.
    pub lab: Lab,
    /// The site that is to move.
    pub source: Source,
    /// Where it is to move to.
    pub destination: Destination,
    /// What moves it.
    pub landfall: Installation,
}

impl Stage {
    /// A small site to move, and so many workers ([`Backends::Servers`] only).
    pub async fn set(backends: Backends, workers: usize) -> Result<Self> {
        let source = SourceOptions { profile: Profile::Small, ..SourceOptions::default() };
        Self::set_with(source, backends, workers).await
    }

    /// As [`Stage::set`], with another source.
    pub async fn set_with(source: SourceOptions, backends: Backends, workers: usize) -> Result<Self> {
        let lab = Lab::temporary()?;
        let (source, destination) =
            tokio::try_join!(lab.source_with(source), lab.destination(DestinationOptions::default()))?;
        let options = InstallationOptions {
            workers: Workers::ForAllPhases(workers),
            ..InstallationOptions::between(&source, &destination, backends)
        };
        let landfall = Installation::start(&lab, options).await?;
        Ok(Self { lab, source, destination, landfall })
    }

    /// Creates site, token and migration, and starts it as the source's owner does.
    pub async fn begin(&self, reach: Reach) -> Result<Journey> {
        let (journey, token) = prepare(self.landfall.api(), &self.source, &self.destination, reach).await?;
        start_through_plugin(&self.lab, &self.source, &journey, &token).await?;
        Ok(journey)
    }

    /// Fails unless the destination is the source's equal to the independent checker, which shares no code with the
    /// product.
    pub async fn ensure_equal(&self) -> Result<()> {
        let found = check(&self.lab, &CheckJob::between(&self.source.site, &self.destination.site)).await?;
        ensure!(found.equal, "{} differences: {:#?}", found.difference_count, found.differences);
        ensure!(
            found.rows > 100 && found.files > 1000,
            "the checker looked at {} rows, {} files",
            found.rows,
            found.files
        );
        Ok(())
    }

    /// A visitor of the destination.
    pub fn watch(&self) -> Result<Watcher> {
        Watcher::start(&self.destination.site.url, OLD_TITLE.to_owned(), NEW_TITLE.to_owned())
    }

    /// Fails unless a visitor gets the old site.
    pub async fn ensure_old_site(&self) -> Result<()> {
        self.ensure_shows(OLD_TITLE).await
    }

    /// Fails unless a visitor gets the new site.
    pub async fn ensure_new_site(&self) -> Result<()> {
        self.ensure_shows(NEW_TITLE).await
    }

    async fn ensure_shows(&self, title: &str) -> Result<()> {
        let page = self.destination.site.browser()?.get("").await?;
        let start: String = page.body.chars().take(300).collect();
        ensure!(page.body.contains(title), "visitors get no {title}, but {}: {start}", page.status);
        Ok(())
    }

    /// Starts a worker whose failpoints are armed as `failpoints` says (`import.after_rename=kill`; empty: none). One of
    /// that name that runs is killed.
    pub fn start_worker(&mut self, name: &str, failpoints: &str) -> Result<()> {
        self.landfall.spawn(name, &["worker"], &[("LANDFALL__WORKER__FAILPOINTS", failpoints)])
    }

    /// Starts one worker after the other, each of which kills itself at its point, and then one that does not.
    pub async fn kill_in_turn(&mut self, points: &[&str]) -> Result<()> {
        for point in points {
            self.kill_at(point).await?;
        }
        self.start_worker("worker-1", "")
    }

    /// Starts a worker and waits until it has killed itself at this point: `import.part_loaded`, or with `@3` at the third
    /// hit in its life.
    pub async fn kill_at(&mut self, point: &str) -> Result<()> {
        self.start_worker("worker-1", &armed(point, "kill"))?;
        let worker = self.landfall.process("worker-1")?;
        let status = worker.wait(DEATH_LIMIT).await?;
        let last_words = worker.log_tail();
        let is_meant = !status.success() && last_words.contains("kills itself at a failpoint");
        ensure!(is_meant, "the worker was to kill itself at {point}, but: {status}\n{last_words}");
        Ok(())
    }

    /// Waits until the worker of that name has stopped itself at a failpoint.
    pub async fn until_stopped(&mut self, name: &str, limit: Duration) -> Result<()> {
        let pid = self.landfall.process(name)?.pid();
        wait_until(&format!("{name} sleeps"), limit, || async move { is_stopped(pid) }).await
    }
}

/// A failpoint as the configuration takes it: `import.part_loaded@3` to kill is `import.part_loaded=kill@3`.
pub fn armed(point: &str, action: &str) -> String {
    match point.split_once('@') {
        Some((name, hit)) => format!("{name}={action}@{hit}"),
        None => format!("{point}={action}"),
    }
}

/// Whether SIGSTOP holds a process, as `/proc/PID/stat` says.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}
