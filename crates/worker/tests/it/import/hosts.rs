//! Destinations of other kinds: a chrooted SFTP account, a server that goes away, a table that somebody holds.

use std::sync::Arc;

use landfall_common::migration::Goal;
use landfall_testkit::lab::SftpLayout;
use landfall_worker::failpoint::{Failpoints, scoped};
use landfall_worker::slice::{PhaseRun, PhaseRunner as _, SliceError};
use mysql_async::prelude::Queryable as _;

use super::copies;
use super::site::{ImportLab, assert_same};

async fn arrives_and_goes_back(layout: SftpLayout) {
    let mut lab = ImportLab::over_sftp(layout).await;
    let before = lab.standing_without_ours().await;
    let PhaseRun::Done { report: Some(report), .. } = lab.run().await.unwrap() else { panic!("no report") };
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert!(report["json"]["closed_ms"].as_u64().unwrap() > 0);
    assert!(report["text"].as_str().unwrap().contains("Rewritten"));
    let checked = lab.check().await;
    assert!(checked.equal, "{:#?}", checked.differences);
    assert_eq!(lab.page("wp-login.php").await.0, 200);
    lab.aim(Goal::RollBack);
    lab.run().await.unwrap();
    assert_same(&lab.standing().await, &before, "back over SFTP");
}

#[tokio::test]
async fn a_site_arrives_over_sftp_beside_the_document_root() {
    arrives_and_goes_back(SftpLayout::ParentWritable).await;
}

#[tokio::test]
async fn a_site_arrives_over_sftp_within_the_document_root() {
    arrives_and_goes_back(SftpLayout::DocrootOnly).await;
}

fn code(result: &Result<PhaseRun, SliceError>) -> &str {
    match result {
        Err(SliceError::Failed(failure)) => failure.code.as_str(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_server_that_dies_under_the_load_costs_nothing_but_time() {
    let mut lab = ImportLab::start().await;
    for point in ["import.before_part_committed=hang@5", "import.before_rename=hang"] {
        let points = Failpoints::parse(point).unwrap();
        let slice = lab.claim();
        let phase = lab.phase();
        let run = scoped(Arc::clone(&points), phase.run(&slice, lab.lease.checkpoint()));
        let restart = async {
            points.until_hanging(1).await;
            lab.destination.mariadb.restart().await.unwrap();
            points.release();
        };
        let (result, ()) = futures::future::join(run, restart).await;
        assert_eq!(code(&result), "destination.unreachable", "{point}");
    }
    lab.run().await.unwrap();
    let checked = lab.check().await;
    assert!(checked.equal, "{:#?}", checked.differences);
}

#[tokio::test]
async fn a_table_that_somebody_holds_delays_the_cut_over_and_the_old_site_stays_open() {
    let lab = ImportLab::start().await;
    let old = lab.page("").await.1;
    let mut holder = copies::connect(&lab.destination.site.database).await;
    let prefix = &lab.destination.site.prefix;
    holder.query_drop(format!("START TRANSACTION; SELECT COUNT(*) FROM {prefix}posts")).await.unwrap();
    assert_eq!(code(&lab.run().await), "destination.locked");
    assert_eq!(lab.page("").await, (200, old));
    holder.query_drop("COMMIT").await.unwrap();
    lab.run().await.unwrap();
    let checked = lab.check().await;
    assert!(checked.equal, "{:#?}", checked.differences);
}
