//! A destination that refuses, a site that does not come up, a plugin of the platform.

use landfall_common::migration::Goal;
use landfall_common::site::DestinationSpec;
use landfall_testkit::lab::PlatformPluginZip;
use landfall_worker::phases::import::PlatformPlugin;
use landfall_worker::slice::{PhaseRun, SliceError};
use mysql_async::prelude::Queryable as _;

use super::copies;
use super::site::{ImportLab, assert_same, named_like};

fn code(result: Result<PhaseRun, SliceError>) -> String {
    match result {
        Err(SliceError::Failed(failure)) => failure.code.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_destination_that_refuses_is_left_as_it_is_and_says_why() {
    let mut lab = ImportLab::start().await;
    let before = lab.standing_without_ours().await;
    let prefix = lab.destination.site.prefix.clone();
    let mut conn = copies::connect(&lab.destination.site.database).await;

    let password = std::mem::take(&mut lab.credentials.database_password);
    assert_eq!(code(lab.run().await), "destination.access_denied");
    lab.credentials.database_password = password;

    lab.migration.options.overwrite = false;
    assert_eq!(code(lab.run().await), "destination.not_empty");
    lab.migration.options.overwrite = true;

    let referring = format!(
        "CREATE TABLE crm (p BIGINT UNSIGNED, CONSTRAINT crm_post FOREIGN KEY (p) REFERENCES {prefix}posts (ID))"
    );
    conn.query_drop(referring).await.unwrap();
    assert_eq!(code(lab.run().await), "destination.table_referenced");
    conn.query_drop("DROP TABLE crm").await.unwrap();

    let url = "http://127.0.0.1:9/".parse().unwrap();
    let DestinationSpec::Hosted(site) = &mut lab.migration.destination else { unreachable!() };
    let right = std::mem::replace(&mut site.url, url);
    assert_eq!(code(lab.run().await), "destination.unreachable");
    let DestinationSpec::Hosted(site) = &mut lab.migration.destination else { unreachable!() };
    site.url = right;

    lab.aim(Goal::CleanUp);
    lab.run().await.unwrap();
    assert_same(&lab.standing().await, &before, "cleaned up");
}

#[tokio::test]
async fn a_site_that_does_not_come_up_is_replaced_by_the_old_one_and_can_be_tried_again() {
    let lab = ImportLab::start().await;
    let old = lab.page("").await.1;
    let before = copies::dump(&lab.destination.site.database).await;
    let folder = lab.destination.site.docroot.parent().unwrap().to_owned();
    let broken = named_like(&folder, "wp-settings.php");
    let staged = broken.iter().find(|path| path.to_string_lossy().contains(".landfall-")).unwrap().clone();
    let good = std::fs::read(&staged).unwrap();
    std::fs::write(&staged, "<?php no_such_function();").unwrap();

    assert_eq!(code(lab.run().await), "import.site_dead");
    assert_eq!(lab.page("").await.1, old);
    let after = copies::dump(&lab.destination.site.database).await;
    let theirs: Vec<&String> = after.iter().filter(|line| !line.contains("lf_")).collect();
    assert_eq!(theirs, before.iter().collect::<Vec<_>>());

    let broken = named_like(&folder, "wp-settings.php");
    let staged = broken.iter().find(|path| path.to_string_lossy().contains(".landfall-")).unwrap();
    std::fs::write(staged, good).unwrap();
    lab.run().await.unwrap();
    let checked = lab.check().await;
    assert!(checked.equal, "{:#?}", checked.differences);
}

#[tokio::test]
async fn the_platforms_plugin_is_really_activated_and_nothing_that_did_it_is_left() {
    let mut lab = ImportLab::start().await;
    let before = lab.standing_without_ours().await;
    let made = PlatformPluginZip::write(&lab.lab).unwrap();
    let plugin = PlatformPlugin { zip: made.zip, sha256: made.sha256, file: made.file.to_owned() };
    lab.options.platform_plugins = vec![PlatformPlugin { sha256: "00".repeat(32), ..plugin.clone() }];
    assert_eq!(code(lab.run().await), "worker.internal");
    lab.options.platform_plugins = vec![plugin];
    let PhaseRun::Done { report: Some(report), .. } = lab.run().await.unwrap() else { panic!("no report") };
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["json"]["plugins"][made.file], "active");

    let site = &lab.destination.site;
    let option = site.php(&format!("echo get_option('{}'), ' ', home_url();", made.option)).await.unwrap();
    assert_eq!(option.trim(), format!("hook ran {}", site.base_url()));
    let mut conn = copies::connect(&site.database).await;
    conn.query_drop(format!("SELECT id FROM {}platform_sessions", site.prefix)).await.unwrap();
    assert!(named_like(&site.docroot, "landfall-activate").is_empty());
    assert_eq!(lab.page("wp-login.php").await.0, 200);

    lab.aim(Goal::RollBack);
    lab.run().await.unwrap();
    assert_same(&lab.standing().await, &before, "cleaned up");
    lab.run().await.expect("it was done already");
    lab.aim(Goal::RollBack);
    assert_eq!(code(lab.run().await), "import.rollback_gone");
}
