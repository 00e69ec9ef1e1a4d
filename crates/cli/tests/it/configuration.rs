use std::io::Write as _;

use crate::bench::{Ran, landfall};

#[test]
fn config_check_names_all_faults_at_once_and_exits_2() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[api]\nlisten = \"nowhere\"\n[worker]\nslotz = 1\n").unwrap();
    let ran = Ran::of(landfall().arg("--config").arg(file.path()).args(["config", "check"]));
    assert_eq!(ran.code, 2, "{ran:?}");
    for part in ["api.listen", "worker.slotz", "did you mean `slots`?", "staging.path", "sealing.keys"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    let alone = Ran::of(landfall().args(["config", "check", "--role", "scheduler"]));
    assert_eq!((alone.code, alone.out.as_str()), (0, "ok\n"), "{alone:?}");
}

#[test]
fn config_check_shows_what_holds_and_no_secret() {
    let ran = Ran::of(
        landfall()
            .args(["config", "check", "--role", "scheduler", "--show"])
            .env("LANDFALL__QUEUE__URL", "amqp://u:hunter2@127.0.0.1")
            .env("LANDFALL__BRAND__NAME", "Harbour"),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("name = \"Harbour\"") && !ran.out.contains("hunter2"), "{}", ran.out);
}

#[test]
fn a_named_file_that_is_missing_is_a_fault() {
    let ran = Ran::of(landfall().args(["--config", "/nowhere/landfall.toml", "config", "check"]));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("/nowhere/landfall.toml"), "{}", ran.err);
}

#[test]
fn usage_is_2_and_help_lists_the_exit_codes() {
    assert_eq!(Ran::of(landfall().arg("migrate")).code, 2);
    assert_eq!(
        Ran::of(landfall().args(["migrate", "--site", "x", "--noop", "1", "--source-url", "http://x"])).code,
        2
    );
    let help = Ran::of(landfall().arg("help"));
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Exit codes:") && help.out.contains("6  ended otherwise"), "{}", help.out);
    assert!(Ran::of(landfall().args(["completions", "bash"])).out.contains("_landfall"));
}

#[test]
fn an_api_that_is_not_there_is_5() {
    let ran = Ran::of(landfall().args(["status", "--server", "http://127.0.0.1:1"]));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("http://127.0.0.1:1/ does not answer"), "{}", ran.err);
}

#[test]
fn every_command_and_exit_code_is_in_the_guide() {
    let guide = include_str!("../../../../docs/cli.md");
    let help = Ran::of(landfall().arg("help")).out;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for name in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(guide.contains(&format!("landfall {name}")), "landfall {name} is not in docs/cli.md");
        count += 1;
    }
    assert!(count > 10, "{help}");
    for code in 0..=6 {
        assert!(guide.contains(&format!("| {code} |")), "exit code {code} is not in docs/cli.md");
    }
}
