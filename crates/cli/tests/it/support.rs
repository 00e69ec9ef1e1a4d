use crate::bench::{Dev, rest};

#[test]
fn what_fails_becomes_a_case_and_its_replay_succeeds() {
    let dev = Dev::start();
    dev.noop_site("doomed");
    let arguments =
        ["migrate", "--site", "doomed", "--noop", "2", "--noop-fail", "destination.disk_full", "--watch"];
    let failed = dev.run(&arguments);
    assert_eq!(failed.code, 6, "{failed:?}\n{}", dev.log());
    assert!(failed.err.contains("destination.disk_full"), "{}", failed.err);

    let cases = dev.json(&["support", "list", "--state", "open"]);
    let case = &cases["items"][0];
    let id = case["id"].as_str().unwrap();
    assert!(failed.err.contains(id), "{}", failed.err);
    let shown = dev.run(&["support", "show", id]).out;
    assert!(shown.contains("destination.disk_full") && shown.contains("timeline:"), "{shown}");

    let replayed = dev.run(&["support", "replay", id, "--reason", "made room", "--watch"]);
    assert_eq!(replayed.code, 0, "{replayed:?}\n{}", dev.log());
    assert_eq!(dev.run(&["support", "replay", id, "--reason", "again"]).code, 4);
    assert_eq!(dev.run(&["support", "resolve", id, "--resolution", "the disk was full"]).code, 0);
    let resolved = dev.json(&["support", "show", id]);
    assert_eq!(resolved["state"], "resolved");
    assert_eq!(dev.json(&["support", "list", "--state", "open"])["items"], serde_json::json!([]));
}

#[test]
fn cases_are_grouped_worked_on_and_replayed_many_at_once() {
    let dev = Dev::start();
    let first = dev.json(&["site", "create", "doomed-first", "--noop", "--organization", "new"]);
    let organization = first["organization"].as_str().unwrap().to_owned();
    for number in 0..6 {
        let site = format!("doomed-{number}");
        dev.json(&["site", "create", &site, "--noop", "--organization", &organization]);
        let arguments =
            ["migrate", "--site", &site, "--noop", "1", "--noop-fail", "destination.disk_full", "--watch"];
        assert_eq!(dev.run(&arguments).code, 6, "{}", dev.log());
    }
    let groups = dev.json(&["support", "groups"]);
    assert_eq!(groups["items"][0]["cases"], 6, "{groups}");
    let found = dev.json(&["support", "list", "--search", "DOOMED-3"]);
    let id = found["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(dev.run(&["support", "claim", &id]).code, 0);
    assert_eq!(dev.run(&["support", "note", &id, "the disk was full"]).code, 0);
    let shown = dev.run(&["support", "show", &id]).out;
    assert!(shown.contains("the disk was full") && shown.contains("doomed-3"), "{shown}");

    // The first five are assisted, the sixth is outside.
    dev.eventually("the desk has counted them", || {
        let settings = dev.json(&["organization", "show", &organization]);
        let outside = dev.json(&["support", "list", "--outside-allowance"]);
        settings["assisted_left"] == 0 && outside["items"].as_array().is_some_and(|items| items.len() == 1)
    });
    let many = ["support", "replay-many", "--code", "destination.disk_full", "--reason", "made room"];
    let dry = dev.run(&[&many[..], &["--dry-run"]].concat());
    assert!(dry.out.contains("6 cases would be replayed"), "{dry:?}");
    let done = dev.run(&[&many[..], &["--per-minute", "600"]].concat());
    assert!(done.out.contains("6 of 6 cases replayed"), "{done:?}");
    dev.eventually("all have arrived", || {
        dev.json(&["status", "--state", "succeeded"])["items"]
            .as_array()
            .is_some_and(|items| items.len() == 6)
    });
}

#[test]
fn what_is_held_does_not_start_until_it_is_let_go() {
    let dev = Dev::start();
    assert_eq!(dev.run(&["hold", "set", "all", "--reason", "an incident"]).code, 0);
    assert_eq!(dev.json(&["hold", "list"])["items"][0]["reason"], "an incident");
    dev.noop_site("patient");
    let migration =
        dev.json(&["migrate", "--site", "patient", "--noop", "1"])["id"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        rest();
        assert_eq!(dev.json(&["status", &migration])["state"], "queued");
    }
    assert_eq!(dev.run(&["hold", "lift", "all"]).code, 0);
    assert_eq!(dev.run(&["watch", &migration]).code, 0);
    assert_eq!(dev.json(&["hold", "list"])["items"], serde_json::json!([]));
}
