//! Dumps as mysqldump, mariadb-dump and mydumper write them, and damaged ones.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use landfall_rewrite::{DumpOptions, DumpReport, DumpRewriter, RewriteMap, Rewriter};
use proptest::prelude::*;

fn rewriter() -> Rewriter {
    let map = RewriteMap::new()
        .url("https://old.example", "https://new-site.test")
        .path("/var/www/old", "/srv/new");
    Rewriter::new(map).unwrap()
}

fn run_in_pieces(dump: &[u8], options: &DumpOptions, piece: usize) -> (Vec<u8>, DumpReport) {
    let mut dumped = DumpRewriter::new(rewriter(), options.clone());
    let mut out = Vec::new();
    for bytes in dump.chunks(piece) {
        dumped.push(bytes, &mut out);
    }
    let report = dumped.finish(&mut out);
    (out, report)
}

fn run(dump: &str, options: &DumpOptions) -> (String, DumpReport) {
    let (out, report) = run_in_pieces(dump.as_bytes(), options, usize::MAX);
    (String::from_utf8(out).unwrap(), report)
}

const SCHEMA: &str = "/*!40101 SET NAMES utf8mb4 */;\n-- it's a dump of https://old.example\nCREATE TABLE `wp_posts` (\n  `ID` bigint(20) NOT NULL,\n  `post_content` longtext NOT NULL DEFAULT 'https://old.example' COMMENT 'a (b), c',\n  `guid` varchar(255),\n  `raw` varbinary(64) DEFAULT NULL,\n  PRIMARY KEY (`ID`),\n  KEY `x` (`guid`(191))\n) ENGINE=InnoDB;\n";

#[test]
fn values_of_text_change_and_identifiers_binaries_and_all_else_do_not() {
    let dump = format!(
        "{SCHEMA}INSERT INTO `wp_posts` VALUES (1,'see https://old.example/a, it\\'s','https://old.example/?p=1',_binary 'https://old.example'),\n(2,'a:1:{{s:1:\\\"u\\\";s:19:\\\"https://old.example\\\";}}','','https://old.example'),(-3,NULL,NULL,0x68);\nUNLOCK TABLES;\n"
    );
    let expected = dump
        .replace("see https://old.example/a", "see https://new-site.test/a")
        .replace("s:19:\\\"https://old.example\\\"", "s:21:\\\"https://new-site.test\\\"");
    let (out, report) = run(&dump, &DumpOptions::default());
    assert_eq!(out, expected);
    assert_eq!((report.rows, report.total().values_changed), (3, 2));
    let guid = &report.columns[&("wp_posts".to_owned(), "guid".to_owned())];
    assert_eq!((guid.values_skipped, guid.values_changed), (2, 0));
    assert!(report.damaged_rows.is_empty());
}

#[test]
fn what_is_asked_for_is_done() {
    let dump = format!(
        "{SCHEMA}INSERT INTO `wp_posts` (`ID`, `guid`, `raw`) VALUES (1,'https://old.example',X'68747470733a2f2f6f6c642e6578616d706c65'),(2,'',0x68747470733A2F2F6f6c642e6578616d706c65);"
    );
    let options =
        DumpOptions { include: ["wp_posts.guid".to_owned()].into(), binary: true, ..DumpOptions::default() };
    let (out, _) = run(&dump, &options);
    assert!(out.ends_with(
        "(1,'https://new-site.test',X'68747470733a2f2f6e65772d736974652e74657374'),(2,'',0x68747470733A2F2F6E65772D736974652E74657374);"
    ), "{out}");
    let options = DumpOptions { skip: ["post_content".to_owned()].into(), ..DumpOptions::default() };
    let dump = format!("{SCHEMA}INSERT INTO `wp_posts` VALUES (1,'https://old.example',NULL,NULL);");
    assert_eq!(run(&dump, &options).0, dump);
}

#[test]
fn a_damaged_row_is_left_and_spoils_nothing_behind_it() {
    for damaged in [
        "(2,'it's https://old.example','x','y')",
        "(2,'https://old.example)",
        "(2,'https://old.example','one','two','three')",
        "(2,'https://old.example' 'x','y','z')",
    ] {
        let row = "(1,'https://old.example',NULL,NULL)";
        let after = "INSERT INTO `wp_posts` VALUES (4,'https://old.example',NULL,NULL);\n";
        let on_lines = format!("{SCHEMA}INSERT INTO `wp_posts` VALUES\n{row},\n{damaged},\n{row};\n{after}");
        let (out, report) = run(&on_lines, &DumpOptions::default());
        let moved = on_lines
            .replace("(1,'https://old.example'", "(1,'https://new-site.test'")
            .replace("(4,'https://old.example'", "(4,'https://new-site.test'");
        assert_eq!(out, moved, "{damaged}");
        assert_eq!((report.rows, report.damaged_rows["wp_posts"]), (3, 1), "{damaged}");

        let in_one_line = format!("{SCHEMA}INSERT INTO `wp_posts` VALUES {row},{damaged},{row};\n{after}");
        let (out, report) = run(&in_one_line, &DumpOptions::default());
        assert!(
            out.contains(damaged) && out.ends_with(&after.replace("old.example", "new-site.test")),
            "{out}"
        );
        assert_eq!(report.damaged_rows["wp_posts"], 1, "{damaged}");
    }
}

#[test]
fn routines_delimiters_and_statements_of_other_kinds_stay() {
    let dump = "DELIMITER ;;\n/*!50003 CREATE*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW BEGIN\n  INSERT INTO `x` VALUES ('https://old.example');\nEND */;;\nCREATE PROCEDURE p() BEGIN INSERT INTO x VALUES ('https://old.example'); END;;\nDELIMITER ;\nUPDATE x SET y = 'https://old.example';\nREPLACE INTO db.`x` VALUES (\"https://old.example\") ON DUPLICATE KEY UPDATE a = 'https://old.example';\n";
    let expected = dump.replace("(\"https://old.example\")", "(\"https://new-site.test\")");
    assert_eq!(run(dump, &DumpOptions::default()).0, expected);
}

#[test]
fn a_dump_that_breaks_off_comes_out_whole() {
    let dump = format!(
        "{SCHEMA}INSERT INTO `wp_posts` VALUES (1,'https://old.example',NULL,NULL),(2,'https://old.exam"
    );
    let (out, report) = run(&dump, &DumpOptions::default());
    assert_eq!(out, dump.replace("(1,'https://old.example'", "(1,'https://new-site.test'"));
    assert_eq!(report.damaged_rows["wp_posts"], 1);
}

proptest! {
    #[test]
    fn pieces_of_any_size_make_no_difference(
        piece in 1_usize..40,
        rows in proptest::collection::vec("[a-z'\\\\\",();\n-]{0,12}", 1..6),
    ) {
        let rows: Vec<String> = rows.iter().map(|text| format!("(1,'{text}https://old.example',NULL,NULL)")).collect();
        let dump = format!("{SCHEMA}INSERT INTO `wp_posts` VALUES {};\nINSERT INTO `wp_posts` VALUES (2,'https://old.example',NULL,NULL);\n", rows.join(",\n"));
        let whole = run_in_pieces(dump.as_bytes(), &DumpOptions::default(), usize::MAX);
        let pieces = run_in_pieces(dump.as_bytes(), &DumpOptions::default(), piece);
        prop_assert_eq!(String::from_utf8_lossy(&whole.0), String::from_utf8_lossy(&pieces.0));
        prop_assert_eq!(whole.1, pieces.1);
    }

    #[test]
    fn no_bytes_are_lost_whatever_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let dump = [b"INSERT INTO t VALUES (", &bytes[..]].concat();
        let (out, _) = run_in_pieces(&dump, &DumpOptions::default(), 7);
        prop_assert_eq!(out, dump);
    }
}

/// What a value becomes in a dump is what it becomes by itself, however it was searched.
mod agreement {
    use landfall_rewrite::{Base64Rule, ColumnRule, Stats};

    use super::*;

    const PIECES: &[&str] = &[
        "https://old.example",
        "http:\\/\\/old.example\\/a",
        "//old.example",
        "HTTPS://OLD.EXAMPLE/x",
        "https%3A%2F%2Fold.example%2F",
        "https:\\u002f\\u002fold.example",
        "&#x2F;&#x2F;old.example",
        "https://old.example.au",
        "me@old.example",
        "//user:old.example@x",
        "https://old.example:8080",
        "https://old.example:pa ss@other",
        "/var/www/old",
        "/var/www/old2",
        "\\/var\\/www\\/old\\/x",
        "file:///var/www/old",
        "s:19:\"https://old.example\";",
        "a:1:{s:1:\"u\";s:19:\"https://old.example\";}",
        "s:19:&quot;https://old.example&quot;;",
        "s%3A19%3A%22",
        "\"s:19:\\\"https://old.example\\\";\"",
        "\\u0022;",
        "aHR0cHM6Ly9vbGQuZXhhbXBsZS9hL2I=",
        " ",
        "'",
        "\"",
        "\\",
        "\n",
        "\t",
        ";",
        ",",
        "<",
        ".",
        "..",
        "-",
        "old.example",
        "caf\u{e9}",
        "\u{0}",
        "x",
        "a:1:",
        "%",
        "_",
        "=",
        "(",
    ];

    fn quoted(value: &str, quote: char) -> String {
        let mut out = String::new();
        for char in value.chars() {
            match char {
                '\n' => out.push_str("\\n"),
                '\0' => out.push_str("\\0"),
                '\\' => out.push_str("\\\\"),
                char if char == quote => out.extend([quote, quote]),
                '\'' | '"' => out.extend(['\\', char]),
                char => out.push(char),
            }
        }
        format!("{quote}{out}{quote}")
    }

    fn check(map: RewriteMap, values: &[Vec<usize>], quote: char) -> Result<(), TestCaseError> {
        let rewriter = Rewriter::new(map).unwrap();
        let values: Vec<String> =
            values.iter().map(|pieces| pieces.iter().map(|at| PIECES[*at]).collect()).collect();
        let dump_of = |values: &[String]| {
            let rows: Vec<String> =
                values.iter().map(|value| format!("(1,{})", quoted(value, quote))).collect();
            format!("INSERT INTO t VALUES {};\n", rows.join(",\n"))
        };
        let mut stats = Stats::default();
        let moved: Vec<String> = values
            .iter()
            .map(|value| {
                let moved = rewriter.rewrite(value.as_bytes(), ColumnRule::Text, &mut stats);
                String::from_utf8(moved.into_owned()).unwrap()
            })
            .collect();
        let mut dumped = DumpRewriter::new(rewriter, DumpOptions::default());
        let mut out = Vec::new();
        dumped.push(dump_of(&values).as_bytes(), &mut out);
        let report = dumped.finish(&mut out);
        // What is put in is escaped by backslashes alone; what was there keeps its own escapes.
        let unified = |dump: String| dump.replace(&format!("\\{quote}"), &format!("{quote}{quote}"));
        prop_assert_eq!(unified(String::from_utf8(out).unwrap()), unified(dump_of(&moved)));
        prop_assert_eq!(report.total(), stats);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn values_in_a_dump_become_what_they_become_alone(
            values in proptest::collection::vec(proptest::collection::vec(0..PIECES.len(), 0..7), 1..4),
            quote in prop_oneof![Just('\''), Just('"')],
            with_paths in any::<bool>(),
            base64 in any::<bool>(),
        ) {
            let map = RewriteMap::new().url("https://old.example", "https://new-site.test").url("http://old.example", "https://new-site.test");
            let map = if with_paths { map.path("/var/www/old", "/srv/its") } else { map };
            check(if base64 { map.base64(Base64Rule::Rewrite) } else { map }, &values, quote)?;
        }
    }
}
