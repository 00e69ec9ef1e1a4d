//! Garbage on every endpoint: always a problem of the client's, never a panic, and nothing is created.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{Method, Request};
use landfall_common::records::index;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::app::{App, OPERATOR};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Every path with a body, and one of each kind with an id.
const BODIES: &[(&str, &str)] = &[
    ("POST", "/v1/migrations"),
    ("POST", "/v1/sites"),
    ("PUT", "/v1/sites/{site}/credentials"),
    ("POST", "/v1/machine-tokens"),
    ("POST", "/v1/enrolments"),
    ("POST", "/v1/support/cases/{case}/replay"),
    ("POST", "/v1/support/cases/{case}/resolve"),
];

/// Words that bodies of the API know, so that garbage gets past the first check.
const WORDS: &[&str] = &[
    "site",
    "source",
    "kind",
    "noop",
    "wordpress",
    "url",
    "units",
    "unit_ms",
    "options",
    "overwrite",
    "paths",
    "from",
    "to",
    "name",
    "destination",
    "hosted",
    "files",
    "sftp",
    "local",
    "root",
    "database",
    "host",
    "port",
    "credentials",
    "database_password",
    "role",
    "owner",
    "owner_email",
    "organization",
    "expires_in_days",
    "token",
    "nonce",
    "admin_url",
    "multisite",
    "php",
    "version",
    "reason",
    "checkpoint",
    "start",
    "resolution",
    "https://example.org",
    "-1",
    "../..",
    "\u{0}",
    "\u{202e}",
    "'; DROP TABLE documents; --",
    "{{7*7}}",
];

fn value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(WORDS).prop_map(str::to_owned);
    let text = prop_oneof![word.clone(), ".{0,40}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => value().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1usize..2000).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

struct Scene {
    app: App,
    site: String,
    case: String,
}

fn scene() -> Scene {
    RUNTIME.block_on(async {
        let app = App::new();
        let operator = app.operator();
        let site = operator.noop_site("probe").await;
        let migration = operator.noop_migration("probe").await;
        app.fail(&migration, "destination.disk_full").await;
        let case = app.migration(&migration).await.case.unwrap().to_string();
        Scene { app, site, case }
    })
}

impl Scene {
    fn path(&self, path: &str) -> String {
        path.replace("{site}", &self.site).replace("{case}", &self.case)
    }

    fn counts(&self) -> Vec<u64> {
        let names = [index::MIGRATIONS, index::SITES, index::CASES_OPEN].map(str::to_owned);
        RUNTIME.block_on(async { self.app.records.store().count(&names).await.unwrap() })
    }
}

#[test]
fn garbage_bodies_are_refused_and_change_nothing() {
    let scene = scene();
    let before = scene.counts();
    for (method, path) in BODIES {
        let path = scene.path(path);
        runner(60)
            .run(&body(), |body| {
                let request = Request::builder()
                    .method(*method)
                    .uri(&path)
                    .header("authorization", format!("Bearer {OPERATOR}"))
                    .header("content-type", "application/json")
                    .header("idempotency-key", "k")
                    .body(Body::from(body))
                    .unwrap();
                let reply = RUNTIME.block_on(scene.app.anonymous().send(request));
                prop_assert!(reply.status.is_client_error(), "{} {}", reply.status, reply.text);
                reply.is_problem();
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(scene.counts(), before);
}

#[test]
fn garbage_paths_queries_and_headers_are_answered() {
    let scene = scene();
    let ids = [
        "/v1/migrations/",
        "/v1/sites/",
        "/v1/support/cases/",
        "/v1/machine-tokens/",
        "/v1/enrolments/",
        "/errors/",
        "/",
    ];
    let queries = ["cursor", "limit", "state", "site", "organization", "phase", "code", "after", "x"];
    let strategy = (
        prop::sample::select(ids.to_vec()),
        "[!-~&&[^?#<>\\^`{|}\"]]{0,60}",
        prop::sample::select(queries.to_vec()),
        "[!-~&&[^#<>\\^`{|}\"]]{0,60}",
        prop::collection::vec(any::<u8>().prop_filter("a header's byte", |b| *b >= 32 && *b != 127), 0..80),
        prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"]),
    );
    runner(400)
        .run(&strategy, |(path, id, name, value, header, method)| {
            let uri = format!("{path}{id}?{name}={value}");
            let Ok(request) = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(&uri)
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("if-match", header.as_slice())
                .header("last-event-id", header.as_slice())
                .header("accept", header.as_slice())
                .header("traceparent", header.as_slice())
                .header("x-request-id", header.as_slice())
                .header("x-forwarded-for", header.as_slice())
                .header("idempotency-key", header.as_slice())
                .body(Body::empty())
            else {
                return Ok(());
            };
            let reply = RUNTIME.block_on(scene.app.anonymous().send(request));
            prop_assert!(!reply.status.is_server_error(), "{uri}: {} {}", reply.status, reply.text);
            if reply.status.is_client_error() && method != "HEAD" {
                reply.is_problem();
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn near_misses_of_cursors_are_refused() {
    use base64::Engine;
    let scene = scene();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let operator = scene.app.operator();
    RUNTIME.block_on(async {
        let other = operator.noop_site("another").await;
        assert!(!other.is_empty());
        let page = operator.get("/v1/sites?limit=1").await.json();
        let good = page["next"].as_str().unwrap().to_owned();
        assert_eq!(operator.get(&format!("/v1/sites?limit=1&cursor={good}")).await.status.as_u16(), 200);
        let mut cursor: Value = serde_json::from_slice(&engine.decode(&good).unwrap()).unwrap();
        for score in [json!(u64::MAX), json!(-1), json!(1.5), json!("x"), Value::Null] {
            cursor["score"] = score;
            let text = engine.encode(cursor.to_string());
            operator.get(&format!("/v1/sites?limit=1&cursor={text}")).await.problem(400, "api.bad_request");
        }
        for text in ["x", "", "e30", &"A".repeat(600)] {
            operator.get(&format!("/v1/sites?limit=1&cursor={text}")).await.problem(400, "api.bad_request");
        }
    });
}
