//! Looks at the destination and plans, before anything is made there.

use super::plan::Plan;
use super::run::Run;
use super::{StepEnd, back, php_probe};
use crate::destination::database::exchange::{self, Exchange, Incoming};
use crate::destination::database::facts::ServerFacts;
use crate::failpoint::failpoint;
use crate::slice::SliceError;

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    let known: Option<Plan> = run.journal().get(&mut run.conn, "plan").await?;
    if let Some(known) = known {
        if known.manifest == run.manifest_key {
            return Ok(StepEnd::Done);
        }
        // A replay from the start has another snapshot: what was loaded of the earlier one is of no use.
        back::start_over(run).await?;
    }
    let facts = ServerFacts::read(&mut run.conn).await?;
    if !facts.engines.contains("innodb") {
        return refuse("destination.schema_refused", "the destination's server has no InnoDB".to_owned());
    }
    let plan = make_plan(run, &facts).await?;
    check_database(run, &plan, &facts).await?;
    look_before(run).await?;
    let php = php_probe::look(run).await?;
    if let Some(php) = &php {
        php_probe::check(php)?;
    }
    failpoint("import.before_plan").await?;
    let journal = run.journal();
    journal.put(&mut run.conn, "facts", &facts).await?;
    journal.put(&mut run.conn, "php", &php).await?;
    journal.put(&mut run.conn, "plan", &plan).await?;
    run.set_php(php);
    Ok(StepEnd::Done)
}

async fn make_plan(run: &Run<'_>, facts: &ServerFacts) -> Result<Plan, SliceError> {
    let schema = run.reader.schema().await?;
    let live = |name: &str| Plan::live_name(name, run.prefix_from(), run.prefix_to());
    let tables = schema.tables.iter().zip(1..).map(|(table, number)| Incoming {
        number,
        source: table.name.clone(),
        live: live(&table.name),
    });
    Ok(Plan {
        manifest: run.manifest_key.clone(),
        tables: tables.collect(),
        views: schema.views.iter().map(|view| (view.name.clone(), live(&view.name))).collect(),
        prefix: run.prefix_to().to_owned(),
        packet_max: facts.max_allowed_packet,
        local_infile: facts.local_infile,
    })
}

async fn check_database(run: &mut Run<'_>, plan: &Plan, facts: &ServerFacts) -> Result<(), SliceError> {
    if let Some(name) = plan.clashes(facts.lower_case_table_names == 0).first() {
        let detail = format!("two tables would be called {name} here, where names do not keep their case");
        return refuse("destination.schema_refused", detail);
    }
    let present = exchange::present(&mut run.conn).await?;
    let views = plan.views.iter().map(|(_, live)| live.clone()).collect();
    let exchange = Exchange::plan(run.claim.token(), plan.tables.clone(), views, &plan.prefix, &present);
    if !exchange.kept.is_empty() && !run.slice.migration.options.overwrite {
        let detail = format!("{} tables of a site are at the destination", exchange.kept.len());
        return refuse("destination.not_empty", detail);
    }
    let outside = exchange.references_from_outside(&mut run.conn).await?;
    match outside.is_empty() {
        true => Ok(()),
        false => refuse("destination.table_referenced", outside.join("; ")),
    }
}

/// The destination as it was, for the report; a web server that does not answer could not show the closed door later.
async fn look_before(run: &mut Run<'_>) -> Result<(), SliceError> {
    run.cursor.before = run.prober.look("").await;
    let home = run.cursor.before.first();
    match home.filter(|home| home.status.is_none()) {
        None => Ok(()),
        Some(home) => {
            let why = home.fault.clone().unwrap_or_default();
            refuse("destination.unreachable", format!("{} does not answer: {why}", home.url))
        }
    }
}

fn refuse<T>(code: &'static str, detail: String) -> Result<T, SliceError> {
    Err(SliceError::failed(code, detail))
}
