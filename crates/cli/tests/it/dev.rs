use crate::bench::{Dev, Ran, landfall};

#[test]
fn sigterm_drains_and_a_restart_goes_on_from_the_checkpoint() {
    let mut dev = Dev::start();
    dev.noop_site("shop");
    let migration = dev.json(&["migrate", "--site", "shop", "--noop", "60", "--unit-ms", "25"]);
    let id = migration["id"].as_str().unwrap().to_owned();
    dev.wait_for(&id, "running");
    assert_eq!(dev.terminate(), Some(0), "{}", dev.log());
    assert!(dev.log().contains("drained"), "{}", dev.log());

    dev.start_again();
    let ran = dev.run(&["watch", &id]);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", dev.log());
    assert!(!ran.out.contains("lease"), "the drained slice was handed over, not lost: {}", ran.out);
    assert!(ran.out.contains("slice 2 runs"), "{}", ran.out);
}

#[test]
fn a_killed_process_loses_nothing_that_was_accepted() {
    let mut dev = Dev::start();
    dev.noop_site("shop");
    let migration = dev.json(&["migrate", "--site", "shop", "--noop", "1", "--unit-ms", "1"]);
    dev.kill();
    dev.start_again();
    assert_eq!(dev.run(&["watch", migration["id"].as_str().unwrap()]).code, 0, "{}", dev.log());
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let dev = Dev::start();
    let second = Ran::of(&mut dev.dev_command());
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("another `landfall dev` runs on"), "{}", second.err);
}

#[test]
fn keys_are_made_once_and_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut dev = Dev::start();
    let read = |dev: &Dev| {
        ["operator-token", "sealing-key", "age-identity"].map(|name| {
            let file = dev.data().join(name);
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
            std::fs::read_to_string(file).unwrap()
        })
    };
    let first = read(&dev);
    dev.terminate();
    dev.start_again();
    assert_eq!(read(&dev), first);
}

#[test]
fn a_client_in_the_same_folder_finds_server_and_token_by_itself() {
    let dev = Dev::start();
    let server = dev
        .command(&[])
        .get_envs()
        .find(|(name, _)| *name == "LANDFALL_SERVER")
        .unwrap()
        .1
        .unwrap()
        .to_owned();
    let ran =
        Ran::of(landfall().args(["status", "--server"]).arg(server).env("LANDFALL__DEV__DATA", dev.data()));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn doctor_tells_what_works_and_what_does_not() {
    let dev = Dev::start();
    let ran = Ran::of(
        dev.command(&["doctor", "--role", "dev"])
            .env("LANDFALL__STORE__URL", "redis://127.0.0.1:1")
            .env("LANDFALL__QUEUE__URL", "amqp://127.0.0.1:1"),
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = |name: &str| ran.out.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("configuration").starts_with("ok"), "{}", ran.out);
    assert!(line("store").starts_with("FAIL"), "{}", ran.out);
    assert!(line("api").starts_with("ok"), "{}", ran.out);
}
