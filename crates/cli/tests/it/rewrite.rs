//! `landfall rewrite`, from standard input to standard output.

use std::io::Write as _;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::bench::landfall;

const MAP: [&str; 3] = ["--map", "https://old.example", "https://new-site.test"];

/// The exit code, standard output and standard error.
fn rewrite(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = landfall();
    command.arg("rewrite").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let mut stdin = process.stdin.take().expect("its input is ours");
    let done = thread::scope(|scope| {
        // Where the arguments are refused nothing is read.
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        process.wait_with_output().expect("it ends")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().expect("no signal"), text(&done.stdout), text(&done.stderr))
}

#[test]
fn a_dump_streams_through_and_is_reported_by_column() {
    let dump = "INSERT INTO `wp_posts` (`ID`,`post_content`,`guid`) VALUES (1,'https://old.example/a','https://old.example/?p=1');\n";
    let (code, out, report) = rewrite(&[&MAP[..], &["--report", "json"]].concat(), dump);
    assert_eq!(
        (code, out),
        (0, dump.replace("https://old.example/a", "https://new-site.test/a")),
        "{report}"
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["rows"], &report["total"]["changed"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(report["columns"][1]["column"], "post_content");

    let (code, out, report) = rewrite(&[&MAP[..], &["--dry-run"]].concat(), dump);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(report.contains("wp_posts.post_content") && report.contains("1 values would change"), "{report}");
}

#[test]
fn a_single_value_is_rewritten_as_its_column_wants() {
    let value = "s:19:\"https://old.example\";";
    let as_value = |more: &[&str]| rewrite(&[&MAP[..], &["--format", "value"], more].concat(), value);
    assert_eq!(as_value(&[]).1, "s:21:\"https://new-site.test\";");
    assert_eq!(as_value(&["--column", "wp_posts.guid"]).1, value);
    assert_eq!(
        as_value(&["--column", "wp_posts.guid", "--include-columns", "guid"]).1,
        "s:21:\"https://new-site.test\";"
    );
    assert_eq!(as_value(&["--binary"]).1, value);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    for (arguments, reason) in [
        (&["--format", "sql"][..], "nothing to rewrite"),
        (&["--map", "", "https://a.test"], "the source is empty"),
        (&["--map", "old.example", "new.example"], "does not begin with http"),
        (&["--map", "https://a.test"], "2 values required"),
        (&["--map", "https://a.test", "https://b.test", "--column", "a.b"], "--format value"),
    ] {
        let (code, out, error) = rewrite(arguments, "x");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(error.contains(reason), "{arguments:?}: {error}");
    }
}

#[test]
fn several_threads_keep_the_order_and_count_the_same() {
    let rows: Vec<String> = (0..40_000).map(|id| format!("({id},'https://old.example/{id}')")).collect();
    let dump = format!("INSERT INTO `t` (`id`,`text`) VALUES\n{};\n", rows.join(",\n"));
    let (code, alone, counted) = rewrite(&[&MAP[..], &["--jobs", "1", "--report", "json"]].concat(), &dump);
    assert_eq!((code, alone == dump.replace("old.example", "new-site.test")), (0, true));
    for jobs in ["2", "5"] {
        let (code, out, report) = rewrite(&[&MAP[..], &["--jobs", jobs, "--report", "json"]].concat(), &dump);
        assert_eq!((code, out == alone, report), (0, true, counted.clone()), "{jobs}");
    }
    assert_eq!(rewrite(&[&MAP[..], &["--jobs", "0"]].concat(), &dump).0, 2);
}
