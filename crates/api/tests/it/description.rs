//! The OpenAPI description tells the truth about the router.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::app::App;

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

fn operations(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect()
}

#[tokio::test]
async fn the_description_lists_exactly_the_routes() {
    let app = App::new();
    let description = app.anonymous().get("/openapi.json").await.expect(StatusCode::OK);
    let operations = operations(&description);
    insta::assert_snapshot!(
        "operations",
        operations.iter().map(|(path, method)| format!("{method} {path}")).collect::<Vec<_>>().join("\n")
    );
    let paths: BTreeSet<&String> = operations.iter().map(|(path, _)| path).collect();
    for path in paths {
        let real = path.replace("{id}", "x").replace("{migration}", "x").replace("{code}", "x");
        for method in METHODS {
            let reply = app.anonymous().send(app.anonymous().request(method.clone(), &real, None)).await;
            let is_described = operations.contains(&(path.clone(), method.to_string()));
            let is_routed = reply.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_described, is_routed, "{method} {path}: {}", reply.status);
        }
    }
}

#[test]
fn routes_are_mounted_with_their_description_alone() {
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for way in [".route(", ".route_service(", ".nest(", ".merge("] {
            assert!(!text.contains(way), "{} mounts by {way}, which is not described", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn the_description_is_openapi_3_1_and_every_reference_resolves() {
    let description = serde_json::to_value(landfall_api::description()).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect(&description, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if name == "$ref" => references.push(text.to_owned()),
                    Some(_) | None => collect(member, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_operation_says_what_it_answers_and_who_may_ask() {
    let description = serde_json::to_value(landfall_api::description()).unwrap();
    assert_eq!(description["security"][0]["machine_token"], serde_json::json!([]));
    for (path, method) in operations(&description) {
        let operation = &description["paths"][&path][method.to_lowercase()];
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()));
        let is_open = operation.get("security").is_some();
        assert_eq!(
            is_open,
            !path.starts_with("/v1/") || path == "/v1/plugin.zip" || (path == "/v1/enrolments"),
            "{path}"
        );
    }
}
