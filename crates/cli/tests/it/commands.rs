use serde_json::Value;

use crate::bench::{Dev, Ran, landfall};

#[test]
fn a_migration_is_created_and_watched_to_its_end() {
    let dev = Dev::start();
    dev.noop_site("shop");
    let ran = dev.run(&["migrate", "--site", "shop", "--noop", "5", "--unit-ms", "5", "--watch"]);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", dev.log());
    let id = ran.out.lines().next().unwrap().to_owned();
    assert!(id.starts_with("mig_"), "{}", ran.out);
    assert!(ran.out.ends_with(&format!("{id}: succeeded\n")), "{}", ran.out);
    assert!(ran.out.contains("snapshot slice 1 runs"), "{}", ran.out);

    let text = dev.run(&["status", &id]).out;
    assert!(
        text.contains("state:") && text.contains("succeeded") && text.contains("noop, 5 units"),
        "{text}"
    );
    let listed = dev.run(&["status"]).out;
    assert!(listed.contains(&id) && listed.contains("shop"), "{listed}");
    assert_eq!(dev.json(&["status", "--state", "succeeded"])["items"][0]["id"], id.as_str());
    assert_eq!(dev.json(&["status", "--state", "running"])["items"], serde_json::json!([]));
}

#[test]
fn watch_in_json_prints_one_value_a_line_and_the_migration_last() {
    let dev = Dev::start();
    dev.noop_site("shop");
    let migration = dev.json(&["migrate", "--site", "shop", "--noop", "3", "--unit-ms", "1"]);
    let ran = dev.run(&["watch", migration["id"].as_str().unwrap(), "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["migration"]["state"], "succeeded");
    assert!(lines.iter().any(|line| line["event"]["kind"] == "succeeded"), "{}", ran.out);
}

#[test]
fn the_same_key_creates_one_migration() {
    let dev = Dev::start();
    dev.noop_site("shop");
    let submit = ["migrate", "--site", "shop", "--noop", "1", "--idempotency-key", "order-7"];
    assert_eq!(dev.json(&submit)["id"], dev.json(&submit)["id"]);
}

#[test]
fn exit_codes_tell_not_found_refused_and_ended_otherwise_apart() {
    let dev = Dev::start();
    let missing = dev.run(&["status", "mig_00000000000000000000000000000000"]);
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.err.contains("code api.not_found, request "), "{}", missing.err);

    dev.noop_site("shop");
    let first = dev.json(&["migrate", "--site", "shop", "--noop", "1000", "--unit-ms", "100"]);
    let id = first["id"].as_str().unwrap();
    let second = dev.run(&["migrate", "--site", "shop", "--noop", "1"]);
    assert_eq!(second.code, 4, "{second:?}");
    assert!(second.err.contains(id), "it names the first: {}", second.err);

    assert_eq!(dev.run(&["site", "create", "shop", "--noop", "--organization", "new"]).code, 4);
    assert_eq!(dev.run(&["resume", id]).code, 4, "it is not paused");

    let cancelled = dev.run(&["cancel", id]);
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    let watched = dev.run(&["watch", id]);
    assert_eq!(watched.code, 6, "{watched:?}");
    assert!(watched.err.contains("cancelled"), "{}", watched.err);
}

#[test]
fn a_migration_is_paused_and_goes_on() {
    let dev = Dev::start();
    dev.noop_site("shop");
    let migration = dev.json(&["migrate", "--site", "shop", "--noop", "40", "--unit-ms", "25"]);
    let id = migration["id"].as_str().unwrap();
    dev.wait_for(id, "running");
    assert_eq!(dev.run(&["pause", id]).code, 0);
    let paused = dev.wait_for(id, "paused");
    assert_eq!(paused["reason"], "person");
    assert_eq!(dev.run(&["resume", id]).code, 0);
    assert_eq!(dev.run(&["watch", id]).code, 0);
}

#[test]
fn a_token_of_an_organization_sees_its_own_and_nothing_once_it_is_revoked() {
    let dev = Dev::start();
    let site = dev.json(&["site", "create", "theirs", "--noop", "--organization", "new"]);
    let file = dev.folder.path().join("owner-token");
    let made = Ran::of(
        dev.command(&[
            "token",
            "create",
            "--name",
            "mine",
            "--owner-email",
            "me@example.org",
            "--organization",
            "new",
        ])
        .args(["-o", "json", "--to-file"])
        .arg(&file),
    );
    assert_eq!(made.code, 0, "{made:?}");
    assert!(!made.out.contains("lfm_"), "the text is in the file alone: {}", made.out);
    let token: Value = serde_json::from_str(&made.out).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("lfm_"), "{text}");

    let server = dev
        .command(&[])
        .get_envs()
        .find(|(name, _)| *name == "LANDFALL_SERVER")
        .unwrap()
        .1
        .unwrap()
        .to_owned();
    let as_owner = |arguments: &[&str]| {
        Ran::of(landfall().args(arguments).env("LANDFALL_SERVER", &server).env("LANDFALL_TOKEN", text.trim()))
    };
    assert_eq!(as_owner(&["site", "show", site["id"].as_str().unwrap()]).code, 3);
    assert_eq!(as_owner(&["site", "create", "ours", "--noop"]).code, 0);
    assert!(as_owner(&["site", "list"]).out.contains("ours"));
    assert_eq!(as_owner(&["support", "list"]).code, 4);

    assert!(
        dev.run(&["token", "list", "--organization", token["organization"].as_str().unwrap()])
            .out
            .contains("mine")
    );
    assert_eq!(dev.run(&["token", "revoke", token["id"].as_str().unwrap()]).code, 0);
    let refused = as_owner(&["site", "list"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("wrong, expired or revoked"), "{}", refused.err);
}

#[test]
fn a_hosted_site_is_created_from_options_and_its_credentials_are_replaced() {
    let dev = Dev::start();
    let secrets = dev.folder.path().join("secrets.json");
    std::fs::write(&secrets, br#"{"database_password":"hunter2"}"#).unwrap();
    let arguments = [
        "site",
        "create",
        "blog",
        "--organization",
        "new",
        "--url",
        "https://blog.example.org",
        "--local-root",
        "/srv/blog",
        "--db-host",
        "127.0.0.1:3307",
        "--db-name",
        "blog",
        "--db-user",
        "blog",
        "-o",
        "json",
    ];
    let made = dev.run(&arguments);
    assert_eq!(made.code, 0, "{made:?}");
    let site: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!(site["destination"]["database"]["port"], 3307);
    let replaced = Ran::of(dev.command(&["site", "credentials", "blog"]).arg("--file").arg(&secrets));
    assert_eq!(replaced.code, 0, "{replaced:?}");
    let shown = dev.run(&["site", "show", "blog"]).out;
    assert!(
        shown.contains("folder /srv/blog") && shown.contains("given") && !shown.contains("hunter2"),
        "{shown}"
    );

    let waiting = dev.run(&["migrate", "--site", "blog", "--source-url", "https://old.example.org"]);
    assert_eq!(waiting.code, 0, "{waiting:?}");
    assert!(
        waiting.out.contains("awaiting source") && waiting.out.contains("machine token"),
        "{}",
        waiting.out
    );
}

#[test]
fn the_plugin_comes_with_the_apis_address_in_it() {
    let dev = Dev::start();
    let file = dev.folder.path().join("plugin.zip");
    assert_eq!(Ran::of(dev.command(&["plugin"]).arg(&file)).code, 0);
    let mut archive = zip::ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut text = String::new();
    let mut config = archive.by_name("landfall-migrate/landfall-config.php").unwrap();
    std::io::Read::read_to_string(&mut config, &mut text).unwrap();
    assert!(text.contains("http://127.0.0.1:") && !text.contains("@@"), "{text}");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_in_silence() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = landfall().args(["config", "default"]).stdout(writer).output().unwrap();
    assert_eq!((ran.status.code(), ran.stderr.len()), (Some(0), 0), "{ran:?}");
}
