//! A source that is written to while it is copied.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::api::until;
use crate::installation::Backends;
use crate::journey::Reach;
use crate::stage::Stage;

const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(50);
/// The tables that are written to, without their prefix.
const WRITTEN: &[&str] = &["options", "posts"];

/// Rows are inserted from before the copy until it is sealed: the migration succeeds, and its report names the tables.
pub async fn a_site_arrives_while_it_is_written_to() -> Result<Vec<String>> {
    let stage = Stage::set(Backends::Embedded, 0).await?;
    let copied = CancellationToken::new();
    let write = async {
        let written = insert_rows(&stage, &copied).await;
        written.context("rows are inserted at the source")
    };
    let migrate = async {
        let journey = stage.begin(Reach::Local).await?;
        until("the snapshot is sealed", LIMIT, || async {
            let events = journey.owner.events(&journey.migration).await.unwrap_or_default();
            events.iter().any(|event| event["kind"] == "phase_done")
        })
        .await?;
        copied.cancel();
        journey.owner.wait_for(&journey.migration, &["succeeded"], LIMIT).await?;
        anyhow::Ok(journey)
    };
    let (rows, journey) = tokio::try_join!(write, migrate)?;
    ensure!(rows > 10, "only {rows} rows were inserted while the source was copied");
    stage.ensure_new_site().await?;

    let path = format!("/v1/migrations/{}/report", journey.migration);
    let moved = moved_tables(&journey.owner.get(&path).await?.success()?)?;
    let meant: Vec<String> =
        WRITTEN.iter().map(|name| format!("{}{name}", stage.source.site.prefix)).collect();
    ensure!(moved == meant, "the report names {moved:?}, written to were {meant:?}");
    let text = journey.owner.text(&path).await?;
    let line = format!("Written to during the copy: {}", meant.join(", "));
    ensure!(text.contains(&line), "the text lacks {line:?}:\n{text}");
    Ok(moved)
}

/// The tables that a report says were written to during the copy.
pub fn moved_tables(report: &Value) -> Result<Vec<String>> {
    let moved =
        report["source"]["moved_tables"].as_array().with_context(|| format!("no report: {report}"))?;
    Ok(moved.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// Inserts a row into each table again and again until `stop`; how many there were of each.
async fn insert_rows(stage: &Stage, stop: &CancellationToken) -> Result<u64> {
    let (database, prefix) = (&stage.source.site.database.database, &stage.source.site.prefix);
    let mut rows = 0;
    while !stop.is_cancelled() {
        rows += 1;
        let insert = format!(
            "INSERT INTO `{database}`.`{prefix}options` (option_name, option_value, autoload) \
             VALUES ('a_busy_shop_{rows}', 'order {rows}', 'no'); \
             INSERT INTO `{database}`.`{prefix}posts` (post_date, post_date_gmt, post_content, post_title, \
             post_excerpt, post_status, post_name, to_ping, pinged, post_modified, post_modified_gmt, \
             post_content_filtered, post_type) VALUES (NOW(), UTC_TIMESTAMP(), 'order {rows}', 'Order {rows}', '', \
             'publish', 'order-{rows}', '', '', NOW(), UTC_TIMESTAMP(), '', 'post')"
        );
        stage.source.mariadb.sql(&insert).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(rows)
}
