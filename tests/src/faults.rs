//! `make faults`: a real WordPress site moves over real RabbitMQ and Redis while workers are killed and frozen, queues
//! deleted and servers restarted, and while its visitors write to it. Each case ends with a look by the independent
//! checker and with the old site back, so that the next one finds what the first one found.
#![expect(clippy::print_stdout, reason = "the table is there to be read")]

mod cut_over;
mod kills;
mod meter;
mod scene;
mod servers;
mod sleepers;
mod table;
pub mod writes;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::scene::Scene;
use self::table::Table;

/// The cases, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kills,
    CutOver,
    Sleepers,
    Servers,
    Writes,
}

impl Case {
    const ALL: &[Case] = &[Case::Kills, Case::CutOver, Case::Sleepers, Case::Servers, Case::Writes];

    const fn name(self) -> &'static str {
        match self {
            Case::Kills => "kills",
            Case::CutOver => "cut-over",
            Case::Sleepers => "sleepers",
            Case::Servers => "servers",
            Case::Writes => "writes",
        }
    }
}

/// Runs these cases, all where none is named, and prints what came of them. Fails where one of them fails.
pub async fn run(wanted: &[String]) -> Result<()> {
    let names: Vec<&str> = Case::ALL.iter().map(|case| case.name()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no case {unknown}; there are {}", names.join(", "));
    }
    let is_wanted = |case: &Case| wanted.is_empty() || wanted.iter().any(|name| name == case.name());
    let mut table = Table::new();
    let mut scene = None;
    let mut failed = Vec::new();
    for case in Case::ALL.iter().copied().filter(is_wanted) {
        table.heading(case.name());
        let began = Instant::now();
        if let Err(error) = play(case, &mut scene, &mut table).await {
            table.row(case.name(), "FAILED", began.elapsed());
            println!("{error:#}");
            failed.push(case.name());
            // What a failed case left is no ground for the next one.
            scene = None;
        }
    }
    table.print();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

async fn play(case: Case, scene: &mut Option<Scene>, table: &mut Table) -> Result<()> {
    if case == Case::Writes {
        return write(table).await;
    }
    if scene.is_none() {
        table.say("seeding a source, starting Landfall");
        *scene = Some(Scene::set().await?);
    }
    let scene = scene.as_mut().context("the scene is set")?;
    match case {
        Case::Kills => kills::run(scene, table).await,
        Case::CutOver => cut_over::run(scene, table).await,
        Case::Sleepers => sleepers::run(scene, table).await,
        Case::Servers => servers::run(scene, table).await,
        Case::Writes => write(table).await,
    }
}

async fn write(table: &mut Table) -> Result<()> {
    let began = Instant::now();
    let moved = writes::a_site_arrives_while_it_is_written_to().await?;
    let outcome = format!("arrived; the report names {}", moved.join(", "));
    table.row("rows inserted during the copy", &outcome, began.elapsed());
    Ok(())
}
