//! Makes the shadow tables, adapted to the destination's server.

use std::collections::BTreeSet;

use landfall_common::progress::Count;
use serde::{Deserialize, Serialize};

use super::plan::{self, Plan};
use super::run::Run;
use super::{Step, StepEnd};
use crate::destination::database::create_table::{self, Target};
use crate::destination::database::errors::number;
use crate::destination::database::facts::ServerFacts;
use crate::destination::database::fence::our_tables;
use crate::destination::database::sql::{quote, quoted};
use crate::destination::database::{DatabaseError, all, execute, names};
use crate::failpoint::failpoint;
use crate::model::Table;
use crate::slice::SliceError;

/// What was made of a table's definition; in the journal as `created/0001`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Created {
    /// What is not as it was at the source.
    pub(super) notes: Vec<String>,
}

pub(super) fn key(number: u32) -> String {
    format!("created/{number:04}")
}

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    let (plan, schema) = run.planned().await?;
    let facts = ServerFacts::read(&mut run.conn).await?;
    let created: Vec<(String, Created)> = run.journal().list(&mut run.conn, "created/").await?;
    let mut done: BTreeSet<String> = created.into_iter().map(|(key, _)| key).collect();
    drop_unfinished(run, &plan, &done).await?;
    let mut taken = taken_names(run).await?;
    let mut free = 0;
    for incoming in &plan.tables {
        if done.contains(&key(incoming.number)) {
            continue;
        }
        let table = plan::definition(&schema, incoming)?;
        create(run, &plan, table, incoming.number, &facts, &mut taken, &mut free).await?;
        done.insert(key(incoming.number));
        let total = u64::try_from(plan.tables.len()).ok();
        run.progress(Step::CreateTables, Count { done: done.len() as u64, total }, Count::default());
        if run.slice.should_end() && done.len() < plan.tables.len() {
            return Ok(StepEnd::More);
        }
    }
    Ok(StepEnd::Done)
}

async fn create(
    run: &mut Run<'_>,
    plan: &Plan,
    table: &Table,
    number: u32,
    facts: &ServerFacts,
    taken: &mut BTreeSet<String>,
    free: &mut u32,
) -> Result<(), SliceError> {
    let token = run.claim.token();
    let name = names::shadow(token, number);
    let shadows = plan.shadows(token);
    let mut free_name = || {
        *free += 1;
        names::constraint(token, *free)
    };
    let mut target = Target {
        source_name: &table.name,
        name: &name,
        shadows: &shadows,
        server: facts,
        taken,
        free_name: &mut free_name,
    };
    let mut adapted = create_table::adapt(&table.create_sql, &mut target)?;
    match send(run, &adapted.sql, &table.name).await {
        Err(error) if error.number() == Some(number::TOO_LONG_KEY) => {
            let Some(short) = create_table::with_short_keys(&adapted.sql) else { return Err(error.into()) };
            send(run, &short, &table.name).await?;
            adapted
                .notes
                .push("keys are cut to 191 characters: the server's indexes hold no more".to_owned());
        }
        other => other?,
    }
    failpoint("import.table_created").await?;
    let journal = run.journal();
    Ok(journal.put(&mut run.conn, &key(number), &Created { notes: adapted.notes }).await?)
}

/// A table that is there without an entry was cut off, and would keep the names of its keys from the next one.
async fn drop_unfinished(run: &mut Run<'_>, plan: &Plan, done: &BTreeSet<String>) -> Result<(), SliceError> {
    run.claim.check(&mut run.conn).await?;
    let there = our_tables(&mut run.conn).await?;
    for incoming in plan.tables.iter().filter(|incoming| !done.contains(&key(incoming.number))) {
        let name = names::shadow(run.claim.token(), incoming.number);
        if !there.contains(&name) {
            continue;
        }
        let drop = format!("DROP TABLE IF EXISTS {}", quote(&name));
        execute(&mut run.conn, drop, || format!("{name} cannot be dropped")).await?;
    }
    Ok(())
}

async fn send(run: &mut Run<'_>, sql: &str, table: &str) -> Result<(), DatabaseError> {
    let result = execute(&mut run.conn, sql, || format!("table {table} cannot be made")).await;
    match result {
        // What the server says of a definition is a refusal, unless it is of the kind that passes or is about rights
        // or space.
        Err(error)
            if error.code() == Some("destination.server_error")
                && error.number() != Some(number::TOO_LONG_KEY) =>
        {
            Err(DatabaseError::refused("destination.schema_refused", error.to_string()))
        }
        other => other,
    }
}

/// Names of foreign keys and checks that tables of the destination have, lower case; those of our own shadow tables
/// included, for a step that goes on after a crash.
async fn taken_names(run: &mut Run<'_>) -> Result<BTreeSet<String>, SliceError> {
    let query = format!(
        "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {} \
         AND CONSTRAINT_TYPE IN ('FOREIGN KEY', 'CHECK')",
        quoted(run.claim.database().name())
    );
    let names: Vec<String> =
        all(&mut run.conn, &query, || "the constraints cannot be listed".to_owned()).await?;
    Ok(names.into_iter().map(|name| name.to_lowercase()).collect())
}
