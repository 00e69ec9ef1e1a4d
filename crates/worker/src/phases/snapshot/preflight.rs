//! Step `preflight`: learns what the source is, refuses what cannot be done, and notes the schema.

use super::copy::Copy;
use super::cursor::Ground;
use super::exclusions::exclusions_of;
use super::port::failed;
use super::{SnapshotLimits, step_event};
use crate::failpoint::failpoint;
use crate::model::Schema;
use crate::slice::SliceError;
use crate::snapshot_format::SourceFacts;
use crate::snapshot_format::to_sql::schema_sql;
use crate::source::{Preflight, SourceSchema};

const STEP: &str = "preflight";

/// False: the slice should end here.
pub(super) async fn run(copy: &Copy, limits: &SnapshotLimits) -> Result<bool, SliceError> {
    if copy.cursor().await.ground.is_some() {
        return Ok(true);
    }
    copy.slice
        .tell(step_event(STEP, "Asking the source what it is.".to_owned(), serde_json::json!({})))
        .await?;
    let exclusions = exclusions_of(&copy.slice.migration.options);
    let found = copy.source.preflight(&exclusions).await.map_err(failed)?;
    refuse(&found, limits)?;
    let schema = copy.source.schema().await.map_err(failed)?;
    refuse_schema(&schema, limits)?;
    let names: Vec<String> = schema.schema.tables.iter().map(|table| table.name.clone()).collect();
    let marks = copy.source.table_marks(&names).await.map_err(failed)?;
    let ground = Ground {
        preflight: copy.writer.put_json("preflight.json.zst", &found).await?,
        schema: copy.writer.put_json("schema.json.zst", &schema.schema).await?,
        schema_sql: copy.writer.put_text("schema.sql.zst", schema_sql(&schema.schema).into_bytes()).await?,
        left_out_objects: copy.writer.put_json("left-out-objects.json.zst", &schema.left_out).await?,
        marks: copy.writer.put_json("marks.json.zst", &marks).await?,
        facts: facts_of(&found),
        files_expected: found.files.files + found.files.folders + found.files.links,
        file_bytes_expected: found.files.bytes,
        rows_expected: marks.iter().filter_map(|mark| mark.rows).sum(),
        row_bytes_expected: schema.schema.tables.iter().map(|table| table.bytes_estimate).sum(),
    };
    failpoint("snapshot.preflight").await?;
    let message = told(&found, &schema.schema);
    let facts = serde_json::json!({
        "wordpress": found.wordpress.version, "php": found.php.version, "tables": names.len(),
        "files": found.files.files, "file_bytes": found.files.bytes, "host": found.host.signature,
    });
    copy.commit(Vec::new(), Vec::new(), STEP, |cursor| cursor.ground = Some(ground)).await?;
    copy.checkpoint().await?;
    copy.slice.tell(step_event(STEP, message, facts)).await?;
    Ok(!copy.slice.should_end())
}

fn refuse(found: &Preflight, limits: &SnapshotLimits) -> Result<(), SliceError> {
    if found.wordpress.multisite {
        let why = "The source is a site network (multisite); it is migrated by hand.";
        return Err(SliceError::failed("source.site_network", why));
    }
    if found.files.bytes > limits.file_bytes_max {
        let why =
            format!("{} bytes of files, at most {} are taken", found.files.bytes, limits.file_bytes_max);
        return Err(SliceError::failed("snapshot.limit_exceeded", why));
    }
    Ok(())
}

fn refuse_schema(schema: &SourceSchema, limits: &SnapshotLimits) -> Result<(), SliceError> {
    let tables = schema.schema.tables.len();
    if tables > limits.tables_max {
        let why = format!("{tables} tables, at most {} are taken", limits.tables_max);
        return Err(SliceError::failed("snapshot.limit_exceeded", why));
    }
    Ok(())
}

/// The manifest's facts: where the site was, by the names that the import rewrites.
fn facts_of(found: &Preflight) -> SourceFacts {
    let mut paths = found.paths.places.clone();
    paths.insert("root".to_owned(), found.paths.root.clone());
    paths.insert("abspath".to_owned(), found.paths.abspath.clone());
    for mount in &found.paths.mounts {
        paths.insert(format!("mount:{}", mount.at), mount.path.clone());
    }
    let versions = [
        ("wordpress", &found.wordpress.version),
        ("php", &found.php.version),
        ("database", &found.database.version),
        ("database_kind", &found.database.kind),
    ];
    SourceFacts {
        home: found.wordpress.home.clone(),
        siteurl: found.wordpress.siteurl.clone(),
        table_prefix: found.database.prefix.clone(),
        paths,
        versions: versions.map(|(name, version)| (name.to_owned(), version.clone())).into(),
        charset: found.database.charset.clone(),
        collation: found.database.collation.clone(),
    }
}

fn told(found: &Preflight, schema: &Schema) -> String {
    let more = if found.files.complete { "" } else { " or more" };
    format!(
        "The source runs WordPress {} on PHP {}: {} tables, {}{more} files of {} MB.",
        found.wordpress.version,
        found.php.version,
        schema.tables.len(),
        found.files.files,
        found.files.bytes / 1_000_000,
    )
}
