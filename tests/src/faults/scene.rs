//! One source and one destination that meet all faults, one migration after the other.

use std::time::Duration;

use anyhow::{Result, ensure};
use landfall_testkit::lab::{Profile, SourceOptions};
use serde_json::{Value, json};

use super::meter::Meters;
use crate::api::messages;
use crate::installation::Backends;
use crate::journey::{
    Journey, Reach, credentials, destination_spec, prepare_to, start_through_plugin, submit,
};
use crate::stage::Stage;
use crate::watcher::{Sightings, Watcher};

/// The longest that one migration takes, each of its faults costing up to 45 s.
pub(super) const LIMIT: Duration = Duration::from_secs(900);
const MAIL_LIMIT: Duration = Duration::from_secs(30);
/// Big enough for chunks, which files of the demo's site are too small for.
const BIG_FILE_MB: &str = "96";

/// The stage, with meters in front of the destination.
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) meters: Meters,
    /// The site's first journey, and the token of its owner.
    first: Option<(Journey, String)>,
}

/// A migration under way, in the sight of a visitor.
pub(super) struct Show {
    pub(super) journey: Journey,
    watcher: Watcher,
}

impl Scene {
    pub(super) async fn set() -> Result<Self> {
        let source = SourceOptions {
            profile: Profile::Demo,
            seed_arguments: vec!["--big-file-mb".to_owned(), BIG_FILE_MB.to_owned()],
            ..SourceOptions::default()
        };
        let stage = Stage::set_with(source, Backends::Servers, 0).await?;
        let meters = Meters::start(&stage.source, &stage.destination).await?;
        Ok(Self { stage, meters, first: None })
    }

    /// Starts a migration as the source's owner does; no worker runs yet.
    pub(super) async fn begin(&mut self) -> Result<Show> {
        self.end_workers()?;
        let stage = &self.stage;
        let (journey, token) = match &self.first {
            Some((first, token)) => {
                let migration = submit(&first.owner, &first.site, &stage.source).await?;
                (Journey { migration, ..first.clone() }, token.clone())
            }
            None => {
                let spec = self.destination_spec()?;
                let secrets = credentials(&stage.destination);
                prepare_to("new-shop", stage.landfall.api(), &stage.source, spec, secrets).await?
            }
        };
        self.first.get_or_insert_with(|| (journey.clone(), token.clone()));
        let watcher = stage.watch()?;
        start_through_plugin(&stage.lab, &stage.source, &journey, &token).await?;
        Ok(Show { journey, watcher })
    }

    /// Waits until it has arrived, and looks at it: equal to the source, announced by mail, and visitors saw the old
    /// site, 503, or the new one. What visitors saw.
    pub(super) async fn arrive(&self, show: Show) -> Result<(Journey, Sightings)> {
        let Show { journey, watcher } = show;
        journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
        let seen = watcher.finish().await?;
        ensure!(seen.mixtures.is_empty(), "visitors saw {:#?}", seen.mixtures);
        ensure!(seen.old > 0 && seen.new > 0, "{seen:?}");
        self.stage.ensure_equal().await?;
        self.stage.ensure_new_site().await?;
        let id = journey.migration.clone();
        let mail = &self.stage.landfall.mail;
        let is_news = |to: &[String], text: &str| {
            to.iter().any(|to| to.contains("owner@example.org")) && text.contains(&id)
        };
        mail.wait_for(MAIL_LIMIT, |mail| is_news(&mail.to, &mail.message)).await?;
        Ok((journey, seen))
    }

    /// Brings the old site back, for the next case.
    pub(super) async fn undo(&mut self, journey: &Journey) -> Result<()> {
        self.end_workers()?;
        self.stage.start_worker("worker-1", "")?;
        let path = format!("/v1/migrations/{}/rollback", journey.migration);
        journey.owner.post(&path, &json!({})).await?.success()?;
        journey.owner.wait_for(&journey.migration, &["rolled_back"], LIMIT).await?;
        self.stage.ensure_old_site().await
    }

    /// The destination, with the meters' ports for the servers'.
    fn destination_spec(&self) -> Result<Value> {
        let mut spec = destination_spec(&self.stage.destination, Reach::Sftp)?;
        spec["files"]["port"] = json!(self.meters.sftp_port());
        spec["database"]["port"] = json!(self.meters.database_port());
        Ok(spec)
    }

    fn end_workers(&mut self) -> Result<()> {
        let processes = &mut self.stage.landfall.processes;
        let is_worker = |name: &str| name.starts_with("worker-") || name.starts_with("sleeper-");
        for (_, worker) in processes.iter_mut().filter(|(name, _)| is_worker(name)) {
            worker.kill9()?;
        }
        processes.retain(|(name, _)| !is_worker(name));
        Ok(())
    }
}

/// The events of a migration of that kind.
pub(super) async fn count(journey: &Journey, kind: &str) -> Result<usize> {
    let events = journey.owner.events(&journey.migration).await?;
    Ok(events.iter().filter(|event| event["kind"] == kind).count())
}

/// Fails unless just so many leases ran out.
pub(super) async fn ensure_lost(journey: &Journey, meant: usize) -> Result<()> {
    let lost = count(journey, "lease_expired").await?;
    if lost != meant {
        let events = journey.owner.events(&journey.migration).await?;
        anyhow::bail!("{lost} leases ran out, not {meant}: {:#?}", messages(&events));
    }
    Ok(())
}
