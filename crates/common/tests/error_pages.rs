//! Each error code has a page in `docs/errors/`, made from the catalogue; `make docs` writes them.

use std::path::PathBuf;

use landfall_common::codes::{CATALOGUE, CatalogueEntry, Class, ScheduleEnd};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn page(entry: &CatalogueEntry) -> String {
    let what = match entry.class {
        None => "The request is refused; nothing has changed.".to_owned(),
        Some(Class::Retryable(schedule)) => format!(
            "The migration tries again by itself, first after {} s, then less and less often; after {} failures in a row without progress {}.",
            schedule.first.as_secs(),
            schedule.failures_max,
            match schedule.then {
                ScheduleEnd::Support => "a support case is opened",
                ScheduleEnd::Pause(_) => "it pauses",
            }
        ),
        Some(Class::Pause(_)) => {
            "The migration pauses and says what it waits for; it goes on from there when that is cured."
                .to_owned()
        }
        Some(Class::Support) => {
            "The migration stops and a support case is opened; support can replay it from where it stopped."
                .to_owned()
        }
        Some(Class::Reject) => "The migration ends as `rejected`; nothing was changed anywhere.".to_owned(),
    };
    format!(
        "# `{}`\n\n**{}**\n\n## What happened\n\n{}\n\n## What Landfall does\n\n{what}\n\n## What you can do\n\n{}\n",
        entry.code, entry.title, entry.cause, entry.remedy
    )
}

fn index() -> String {
    let mut text = "# Error codes\n\nStable codes; each has a page. Made from `crates/common/src/codes/catalogue.rs` by `make docs`.\n\n| code | meaning |\n|---|---|\n".to_owned();
    for entry in CATALOGUE {
        text += &format!("| [`{0}`]({0}.md) | {1} |\n", entry.code, entry.title);
    }
    text
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let mut wanted: Vec<(String, String)> =
        CATALOGUE.iter().map(|entry| (format!("{}.md", entry.code), page(entry))).collect();
    wanted.push(("README.md".to_owned(), index()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for (name, text) in &wanted {
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    for (name, text) in &wanted {
        let found = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert_eq!(&found, text, "docs/errors/{name} is not up to date: run `make docs`");
    }
    for file in std::fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(wanted.iter().any(|(wanted, _)| *wanted == name), "docs/errors/{name} belongs to no code");
    }
}
