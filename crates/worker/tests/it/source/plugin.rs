//! The plugin by itself: its own tests, the linter, and the rules of its code.

use std::path::Path;
use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = Command::new(program).args(arguments).current_dir(root).output();
    let done =
        done.unwrap_or_else(|error| panic!("{program} does not run ({error}): scripts/setup installs it"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{program} {arguments:?}\n{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    text
}

#[test]
fn its_own_tests_pass() {
    let said = run("php", &["plugin/tests/run.php"]);
    assert!(said.contains(" 0 failed") && said.lines().count() > 15, "{said}");
}

#[test]
fn its_code_keeps_to_the_rules_and_writes_nothing() {
    run("phpcs", &["--standard=plugin/phpcs.xml", "plugin/landfall-migrate"]);
}

#[test]
fn its_zip_is_the_same_each_time_and_holds_the_api() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = |name: &str, url: &str| {
        let zip = folder.path().join(name);
        let output = zip.to_str().expect("a plain path");
        run("scripts/plugin-zip", &["--api-url", url, "--brand", "It's \\ ours", "--output", output]);
        std::fs::read(zip).expect("a zip")
    };
    let (one, two) = (build("one.zip", "https://api.test/"), build("two.zip", "https://api.test/"));
    assert!(one == two && one != build("three.zip", "https://api.example"));
    let zip = folder.path().join("one.zip");
    let code = format!(
        "define('ABSPATH', '/'); $z = new ZipArchive(); $z->open('{}'); \
         eval('?>' . $z->getFromName('landfall-migrate/landfall-config.php')); echo LANDFALL_API_URL, LANDFALL_BRAND;",
        zip.display()
    );
    assert_eq!(run("php", &["-r", &code]), "https://api.testIt's \\ ours");
}
