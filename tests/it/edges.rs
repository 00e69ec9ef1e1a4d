//! The dependency edges of the design, kept by a look at what cargo knows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// For each crate, the crates of ours that it may depend on. Dev-dependencies do not count.
const ALLOWED: &[(&str, &[&str])] = &[
    ("common", &[]),
    ("rewrite", &[]),
    ("backends", &["common"]),
    ("api", &["common"]),
    ("worker", &["common", "rewrite"]),
    ("scheduler", &["common"]),
    ("cli", &["common", "rewrite", "backends", "api", "worker", "scheduler"]),
    ("testkit", &["common"]),
    ("tests", &["testkit"]),
];

/// Crates without I/O may not have these, whatever for.
const IO: &[&str] =
    &["tokio", "reqwest", "redis", "lapin", "rusqlite", "object_store", "mysql_async", "russh"];

#[test]
fn crates_depend_only_downwards() {
    let found = dependencies();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, edges)| (*name, edges.iter().copied().collect())).collect();
    assert_eq!(
        found.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        allowed.keys().copied().collect(),
        "a crate came or went: say in ALLOWED what it may depend on"
    );
    for (name, dependencies) in &found {
        let ours = dependencies.iter().filter_map(|dependency| dependency.strip_prefix("landfall-"));
        for dependency in ours {
            assert!(allowed[name.as_str()].contains(dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_vocabulary_and_the_rewrite_engine_do_no_io() {
    let found = dependencies();
    for name in ["common", "rewrite"] {
        for io in IO {
            assert!(!found[name].contains(*io), "{name} must not depend on {io}");
        }
    }
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a name").trim_start_matches("landfall-").to_owned();
            let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
            let normal = dependencies
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().expect("a name").to_owned());
            (name, normal.collect())
        })
        .collect()
}
