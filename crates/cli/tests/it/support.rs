use crate::bench::Dev;

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
