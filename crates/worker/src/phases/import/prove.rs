//! Writes the report out of the journal, the snapshot's manifest and what was seen on the way.

use bytes::Bytes;
use landfall_common::Phase;

use super::create_tables::Created;
use super::objects::NotMade;
use super::plan::{Plan, definition};
use super::run::{Run, output};
use super::verify::{Orphans, Verified, loaded};
use crate::destination::database::facts::ServerFacts;
use crate::failpoint::failpoint;
use crate::phases::transfer::TransferOutput;
use crate::report::{Destination, FileTotals, Omission, Report, Rewriting, Source, TableReport};
use crate::slice::{PhaseRun, SliceError};

pub(super) async fn finish(run: &mut Run<'_>) -> Result<PhaseRun, SliceError> {
    let report = report(run).await?;
    failpoint("import.before_report").await?;
    let whole = serde_json::json!({ "json": report, "text": report.text() });
    let bytes = serde_json::to_vec(&whole)
        .map_err(|error| SliceError::failed("worker.internal", error.to_string()))?;
    let output = serde_json::json!({
        "url": run.addresses.home,
        "tables": report.tables.len(),
        "rows": report.tables.iter().map(|table| table.rows).sum::<u64>(),
        "closed_ms": report.closed_ms,
    });
    Ok(PhaseRun::Done { output, report: Some(Bytes::from(bytes)) })
}

async fn report(run: &mut Run<'_>) -> Result<Report, SliceError> {
    let server: ServerFacts = run.entry("facts").await?;
    let not_made: Vec<NotMade> = run.entry("objects").await?;
    let constants: Vec<String> = run.journal().get(&mut run.conn, "config").await?.unwrap_or_default();
    let orphans: Vec<Orphans> = run.entry("orphans").await?;
    let activated = run.journal().get(&mut run.conn, "activated").await?.unwrap_or_default();
    let tables = tables(run).await?;
    let transfer: TransferOutput = output(run.slice, Phase::Transfer)?;
    let manifest = run.reader.manifest().clone();
    let mut left_out: Vec<Omission> = manifest
        .left_out
        .iter()
        .map(|left| Omission {
            what: format!("{} files or folders: {}", left.entries, left.examples.join(", ")),
            why: format!("rule {}", left.rule),
        })
        .collect();
    left_out.extend(
        transfer
            .not_placed
            .iter()
            .map(|entry| Omission { what: entry.path.clone(), why: not_placed_because(&entry.why) }),
    );
    left_out.extend(
        not_made
            .into_iter()
            .map(|object| Omission { what: format!("{} {}", object.kind, object.name), why: object.why }),
    );
    left_out.extend(constants.into_iter().map(|name| Omission {
        what: format!("constant {name} of wp-config.php"),
        why: "it belongs to the old host, or is not on the list of constants that come along".to_owned(),
    }));
    Ok(Report {
        schema: 1,
        migration: run.slice.migration.id,
        generation: run.slice.migration.generation,
        title: run.source.wordpress.title.clone(),
        source: Source {
            url: manifest.source.home.clone(),
            prefix: manifest.source.table_prefix.clone(),
            versions: manifest.source.versions.clone(),
            consistency: manifest.consistency.clone(),
            moved_tables: manifest.moved_tables.clone(),
        },
        destination: Destination {
            url: run.addresses.home.clone(),
            answers_at: run.site.url.to_string(),
            prefix: run.prefix_to().to_owned(),
            database: server,
            php: run.php.clone(),
        },
        rewriting: Rewriting { urls: run.addresses.urls.clone(), paths: run.addresses.paths.clone() },
        tables,
        files: FileTotals {
            files: manifest.totals.files,
            folders: manifest.totals.folders,
            links: manifest.totals.links,
            bytes: manifest.totals.file_bytes,
            unread: manifest.totals.unread,
        },
        staged: serde_json::to_value(transfer.totals).unwrap_or_default(),
        left_out,
        orphans: orphans.into_iter().map(|orphan| (orphan.key, orphan.rows)).collect(),
        plugins: activated,
        before: run.cursor.before.clone(),
        after: run.cursor.after.clone(),
        step_ms: run.cursor.step_ms.iter().map(|(step, ms)| (step.as_str().to_owned(), *ms)).collect(),
        closed_ms: run.cursor.closed_ms,
    })
}

async fn tables(run: &mut Run<'_>) -> Result<Vec<TableReport>, SliceError> {
    let plan: Plan = run.entry("plan").await?;
    let schema = run.reader.schema().await?;
    let loaded = loaded(run).await?;
    let mut tables = Vec::new();
    for incoming in &plan.tables {
        let verified: Verified = run.entry(&super::verify::key(incoming.number)).await?;
        let created: Created = run.entry(&super::create_tables::key(incoming.number)).await?;
        let part = loaded.get(&incoming.number).cloned().unwrap_or_default();
        let in_snapshot = run.reader.tables().iter().find(|table| table.name == incoming.source);
        let mut notes = created.notes;
        if definition(&schema, incoming)?.key.is_empty() {
            notes.push("it has no key: compared as a multiset".to_owned());
        }
        tables.push(TableReport {
            name: incoming.live.clone(),
            source: incoming.source.clone(),
            rows: verified.rows,
            rows_left_out: part.left_out,
            hash: verified.hash,
            source_hash: in_snapshot.map(|table| table.rows_hash).unwrap_or_default(),
            rewrite: part.rewrite,
            notes,
        });
    }
    Ok(tables)
}

/// The transfer's word for it, as a sentence.
fn not_placed_because(word: &str) -> String {
    let sentence = match word {
        "wp_config" => "it holds the old host's passwords; the destination gets its own",
        "drop_in" => "a drop-in of the old host, which would not work here",
        "user_ini" => "it sets paths of the old host's PHP",
        "maintenance" => "it would show a maintenance page",
        "landfall" => "the plugin that the site was read through is of no use here",
        "link_outside" => "a link that leads out of the site",
        "links_unsupported" => "the destination takes no links",
        other => other,
    };
    sentence.to_owned()
}
