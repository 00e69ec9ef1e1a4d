//! An import that is killed anywhere goes on and arrives; one that is stopped anywhere changes nothing any more once
//! another has taken over; and the way back is as safe.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use landfall_common::migration::Goal;
use landfall_worker::failpoint::{Failpoints, scoped};
use landfall_worker::slice::{PhaseRun, PhaseRunner as _, SliceError};

use super::site::{ImportLab, assert_same, named_like};

/// Runs slices to the end, killing each at the first point that no earlier one was killed at. Returns these points.
async fn run_killing_everywhere(lab: &ImportLab) -> (PhaseRun, BTreeSet<&'static str>) {
    let points = Failpoints::parse("*=hang").unwrap();
    for kills in 1..200 {
        let slice = lab.claim();
        let phase = lab.phase();
        let checkpoint = lab.lease.checkpoint();
        let run = scoped(Arc::clone(&points), phase.run(&slice, checkpoint));
        tokio::select! {
            done = run => match done {
                Ok(PhaseRun::More) => {}
                Ok(done) => return (done, points.hits().into_keys().collect()),
                Err(error) => panic!("after {kills} kills: {error}; {:?}", lab.lease.messages()),
            },
            // Dropped where it hangs, as a killed worker's.
            () = points.until_hanging(kills) => {}
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn an_import_killed_at_every_point_arrives_and_goes_back() {
    let mut lab = ImportLab::start().await;
    let before = lab.standing_without_ours().await;
    let old_title = lab.page("").await.1;
    let (done, points) = run_killing_everywhere(&lab).await;
    assert!(points.len() >= 18, "{points:?}");
    let PhaseRun::Done { report: Some(report), .. } = done else { panic!("no report") };
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let text = report["text"].as_str().unwrap();
    assert!(text.contains("The old shop has moved"), "{text}");

    let checked = lab.check().await;
    assert!(checked.equal, "{:#?}", checked.differences);
    assert!(checked.mapped_values > 0 && checked.rows > 0, "{checked:?}");
    let (status, page) = lab.page(&lab.source.site.seeded.post.clone()).await;
    assert_eq!(status, 200);
    assert!(page.contains(&lab.source.site.seeded.post_title));
    assert_eq!(lab.page("wp-login.php").await.0, 200);

    lab.aim(Goal::RollBack);
    let (_, points) = run_killing_everywhere(&lab).await;
    assert!(points.contains("import.after_rename_back"), "{points:?}");
    assert_same(&lab.standing().await, &before, "the old site is back, and nothing of ours is left");
    assert_eq!(lab.page("").await.1, old_title);
}

/// Stops a run at a point, lets another one finish, and lets the stopped one go on.
async fn stale_at<'a, F>(
    points: &Arc<Failpoints>,
    stopped: F,
    other: impl AsyncFnOnce() -> () + 'a,
) -> F::Output
where
    F: Future<Output = Result<PhaseRun, SliceError>>,
{
    let other = async {
        points.until_hanging(1).await;
        other().await;
        points.release();
    };
    let (result, ()) = futures::future::join(scoped(Arc::clone(points), stopped), other).await;
    result
}

#[tokio::test]
async fn a_worker_that_wakes_up_late_changes_nothing() {
    let mut lab = ImportLab::start().await;
    for point in [
        "import.table_created",
        "import.before_part_committed",
        "import.before_rename",
        "import.after_rename",
        "import.before_file_swap",
        "import.before_door_opens",
        "import.after_door_opened",
    ] {
        let points = Failpoints::parse(&format!("{point}=hang")).unwrap();
        let slice = lab.claim();
        let phase = lab.phase();
        let stopped = phase.run(&slice, None);
        let standing = std::sync::Mutex::new(None);
        let result = stale_at(&points, stopped, async || {
            let checked = async {
                lab.run().await.unwrap_or_else(|error| panic!("{point}: {error}"));
                *standing.lock().unwrap() = Some(lab.settled_standing().await);
            };
            checked.await;
        })
        .await;
        assert!(result.is_err(), "{point}: {result:?}");
        let standing = standing.lock().unwrap().take().unwrap();
        assert_same(&lab.standing().await, &standing, point);
        let checked = lab.check().await;
        assert!(checked.equal, "{point}: {:#?}", checked.differences);

        lab.aim(Goal::RollBack);
        lab.run().await.unwrap_or_else(|error| panic!("{point}: back: {error}"));
        lab.aim(Goal::Deliver);
        lab.stage().await;
    }
}

#[tokio::test]
async fn a_cancelled_import_leaves_the_destination_as_it_was() {
    let mut lab = ImportLab::start().await;
    let before = lab.standing_without_ours().await;
    for point in ["import.part_loaded", "import.door_closed", "import.after_rename"] {
        let points = Failpoints::parse(&format!("{point}=error")).unwrap();
        let slice = lab.claim();
        let failed = scoped(points, lab.phase().run(&slice, None)).await;
        assert!(failed.is_err(), "{point}: {failed:?}");
        lab.aim(Goal::CleanUp);
        lab.run().await.unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_same(&lab.standing().await, &before, point);
        // Once more: it was done already.
        lab.run().await.unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_eq!(
            named_like(lab.destination.site.docroot.parent().unwrap(), ".landfall-"),
            Vec::<std::path::PathBuf>::new()
        );
        lab.aim(Goal::Deliver);
        lab.stage().await;
    }
}
