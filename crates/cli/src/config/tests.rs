use std::collections::HashMap;
use std::io::Write as _;

use secrecy::ExposeSecret as _;

use super::{Config, DEFAULTS, Fault, MailKind, QueueKind, Role, Sources, StoreKind};

fn sources(file: &str, variables: &[(&str, &str)]) -> (Sources, tempfile::NamedTempFile) {
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let environment: HashMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    (Sources { file: Some(written.path().to_owned()), environment }, written)
}

fn load(file: &str, variables: &[(&str, &str)], roles: &[Role]) -> Result<Config, Vec<Fault>> {
    let (sources, _written) = sources(file, variables);
    Config::load(&sources, roles).map_err(|faults| faults.0)
}

fn keys(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.key.as_str()).collect()
}

/// A configuration with everything that servers need.
fn whole() -> String {
    let identity = landfall_backends::staging::generate_identity();
    format!(
        r#"
[staging]
path = "/var/lib/landfall/staging"
age_identity = "{}"
[sealing]
keys = [{{ id = "2026", key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }}]
"#,
        identity.expose_secret()
    )
}

#[test]
fn the_default_layer_alone_is_enough_for_dev() {
    let config = load("", &[], &[Role::Dev]).unwrap();
    assert_eq!(config.api.listen.port(), 8080);
    assert!(config.worker.slots.values().all(|slots| *slots > 0));
    assert!(matches!(config.mail.kind, MailKind::None));
}

#[test]
fn servers_get_what_the_file_says_and_variables_win() {
    let variables = [
        ("LANDFALL__API__LISTEN", "127.0.0.1:9000"),
        ("LANDFALL__WORKER__SLOTS__IMPORT", "7"),
        ("LANDFALL__WORKER__RESOLVE", "a.example:81=127.0.0.1:81, b.example=127.0.0.2"),
        ("LANDFALL__WORKER__SOURCE__ALLOW_NETWORKS", r#"["10.0.0.0/8"]"#),
        ("LANDFALL__STORE__PREFIX", "12"),
        ("LANDFALL_SERVER", "https://elsewhere.example.org"),
    ];
    let whole = whole();
    let file = format!("{whole}\n[api]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://m.example.org\"\n");
    let config = load(&file, &variables, &Role::SERVERS).unwrap();
    assert_eq!(config.api.listen.port(), 9000);
    assert_eq!(config.api.public_url.unwrap().as_str(), "https://m.example.org/");
    assert_eq!(config.worker.slots[&landfall_common::Phase::Import], 7);
    assert_eq!(config.worker.resolve.len(), 2);
    assert_eq!(config.worker.resolve[1].address.to_string(), "127.0.0.2");
    assert_eq!(config.worker.allow_networks[0].to_string(), "10.0.0.0/8");
    assert!(matches!(config.store.kind, StoreKind::Redis { prefix, .. } if prefix == "12"));
    assert!(matches!(config.queue.kind, QueueKind::Rabbitmq { .. }));
}

#[test]
fn every_fault_is_reported_at_once_with_its_key_and_place() {
    let file = r#"
[api]
listen = "nowhere"
lisen = "127.0.0.1:1"
operator_token = "short"
[worker]
heartbeat_s = "often"
resolve = ["a=b"]
failpoints = "x=explode"
platform_plugins = [{ file = "../x", zip = "/nowhere.zip", sha256 = "12" }]
[worker.slots]
import = -1
[mail]
kind = "pigeon"
[telemetry]
log_level = "info,landfall=["
[wrong]
key = 1
"#;
    let variables = [("LANDFALL__SCHEDULER__SWEEP_MS", "0"), ("LANDFALL__STORE", "redis")];
    let faults = load(file, &variables, &Role::SERVERS).unwrap_err();
    let found = keys(&faults);
    for key in [
        "api.listen",
        "api.lisen",
        "api.operator_token",
        "worker.heartbeat_s",
        "worker.resolve",
        "worker.failpoints",
        "worker.platform_plugins",
        "worker.slots.import",
        "mail.kind",
        "telemetry.log_level",
        "wrong",
        "scheduler.sweep_ms",
        "store",
        "staging.path",
        "staging.age_identity",
        "sealing.keys",
    ] {
        assert!(found.contains(&key), "{key} is missing in {found:?}");
    }
    let text = super::Faults(faults.clone()).to_string();
    assert!(text.contains("did you mean `listen`?"), "{text}");
    assert!(text.contains("LANDFALL__SCHEDULER__SWEEP_MS"), "{text}");
    assert!(!text.contains("short\""), "{text}");
}

#[test]
fn a_file_that_is_no_toml_is_one_fault_and_the_other_layers_are_still_read() {
    let faults = load("[api\n", &[("LANDFALL__API__LISTEN", "x")], &[]).unwrap_err();
    assert_eq!(keys(&faults), ["", "api.listen"]);
}

#[test]
fn a_secret_may_stand_in_a_file_but_not_in_both_places() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"redis://:hunter2@127.0.0.1:6379\n").unwrap();
    let path = secret.path().display();
    let whole = whole();
    let config = load(&format!("{whole}\n[store]\nurl_file = \"{path}\""), &[], &Role::SERVERS).unwrap();
    let StoreKind::Redis { url, .. } = config.store.kind else { panic!("the store is Redis") };
    assert_eq!(url.expose_secret(), "redis://:hunter2@127.0.0.1:6379");

    let both = format!("{whole}\n[store]\nurl_file = \"{path}\"\nurl = \"redis://127.0.0.1\"");
    assert!(keys(&load(&both, &[], &Role::SERVERS).unwrap_err()).contains(&"store.url_file"));
    let gone = load("[store]\nurl_file = \"/nowhere\"", &[], &[]).unwrap_err();
    assert!(keys(&gone).contains(&"store.url_file"), "{gone:?}");
}

#[test]
fn embedded_backends_are_refused_for_roles_of_their_own() {
    let whole = whole();
    let file = format!("{whole}\n[store]\nkind = \"sqlite\"\npath = \"/tmp/x\"\n[queue]\nkind = \"memory\"");
    assert_eq!(keys(&load(&file, &[], &Role::SERVERS).unwrap_err()), ["store.kind", "queue.kind"]);
}

#[test]
fn what_holds_is_shown_without_its_secrets() {
    let whole = whole();
    let file = format!(
        "{whole}\n[api]\noperator_token = \"correct-horse-battery-staple\"\n[mail]\npassword = \"hunter2\""
    );
    let (sources, _written) = sources(&file, &[("LANDFALL__STORE__URL", "redis://:hunter2@127.0.0.1")]);
    let shown = Config::effective(&sources);
    for secret in ["hunter2", "correct-horse", "AGE-SECRET", "AAAAAAAA"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("operator_token = \"[redacted]\""), "{shown}");
    assert!(shown.contains("[api.limits]") && shown.contains("listen = \"127.0.0.1:8080\""), "{shown}");
    config::Config::builder()
        .add_source(config::File::from_str(&shown, config::FileFormat::Toml))
        .build()
        .expect("what is shown is TOML");
}

#[test]
fn every_key_of_the_default_file_has_a_comment_and_is_read() {
    let sections = super::sections_source();
    let (mut section, mut is_commented) = (String::new(), false);
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            assert!(is_commented, "section {name} has no comment");
            section = name.to_owned();
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            // The slots' section says what each of its three keys is.
            let is_phase = ["snapshot", "transfer", "import"].contains(&name);
            assert!(is_commented || is_phase, "{section}.{name} has no comment");
            let key = format!("\"{section}.{name}\"");
            let base = name.trim_end_matches("_file");
            let is_read = is_phase
                || sections.contains(&key)
                || sections.contains(&format!("secret(\"{section}.{base}\")"))
                || (base != name && sections.contains(&format!("server_url(reader, \"{section}.{base}\"")))
                || sections.contains(&format!(
                    "rate(reader, \"{}\")",
                    base.trim_end_matches("_every_ms").trim_end_matches("_burst")
                ));
            assert!(is_read, "{section}.{name} is in the default file, and nothing reads it");
        }
        is_commented = line.starts_with('#') || (is_commented && line.is_empty());
    }
}

#[test]
fn a_client_is_not_kept_from_its_work_by_faults_of_other_sections() {
    let (sources, _written) =
        sources("[worker]\nheartbeat_s = \"x\"\n[client]\nserver = \"https://m.example.org\"", &[]);
    let client = Config::load_client(&sources).unwrap();
    assert_eq!(client.server.as_str(), "https://m.example.org/");
    let (sources, _written) = self::sources("[client]\nserver = \"::\"", &[]);
    assert_eq!(keys(&Config::load_client(&sources).unwrap_err().0), ["client.server"]);
}
