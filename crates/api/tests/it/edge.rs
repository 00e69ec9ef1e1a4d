//! What holds for every request: ids, limits, and problems for whatever goes wrong.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use landfall_api::{Limits, Rate};
use serde_json::json;

use crate::app::{App, noop};
use crate::faulty::Fault;

#[tokio::test]
async fn every_answer_has_an_id_and_a_harmless_one_is_kept() {
    let app = App::new();
    let fresh = app.anonymous().get("/livez").await;
    assert!(fresh.header("x-request-id").starts_with("req_"));
    let with = async |id: &str| {
        let request = Request::get("/v1/sites").header("x-request-id", id).body(Body::empty()).unwrap();
        let reply = app.anonymous().send(request).await;
        reply.problem(401, "api.unauthorized");
        reply.header("x-request-id").to_owned()
    };
    assert_eq!(with("caller-7_x").await, "caller-7_x");
    for bad in ["", "a b", "<script>", &"x".repeat(65)] {
        assert!(with(bad).await.starts_with("req_"), "{bad}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = App::new();
    for path in ["/", "/v1", "/v1/migrations/", "/v2/sites", "/%00", "/v1/migrations/x/y/z"] {
        app.anonymous().get(path).await.problem(404, "api.not_found");
    }
    let reply = app.operator().delete("/v1/sites").await;
    reply.problem(405, "api.method_not_allowed");
    assert_eq!(reply.header("allow"), "POST,GET,HEAD");
}

#[tokio::test]
async fn bodies_have_to_be_json_of_limited_size() {
    let app = App::new();
    let operator = app.operator();
    let send = async |kind: Option<&str>, body: String| {
        let mut request = operator.request(Method::POST, "/v1/sites", None);
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        *request.body_mut() = Body::from(body);
        operator.send(request).await
    };
    send(None, "{}".to_owned()).await.problem(415, "api.unsupported_media_type");
    send(Some("text/plain"), "{}".to_owned()).await.problem(415, "api.unsupported_media_type");
    send(Some("application/x-www-form-urlencoded"), "a=b".to_owned())
        .await
        .problem(415, "api.unsupported_media_type");
    let json = Some("application/json; charset=utf-8");
    send(json, "{".to_owned()).await.problem(400, "api.bad_request");
    send(json, "{} {}".to_owned()).await.problem(400, "api.bad_request");
    send(json, String::new()).await.problem(400, "api.bad_request");
    send(json, "[".repeat(100_000)).await.problem(400, "api.bad_request");
    send(json, "[\"shop\"]".to_owned()).await.problem(400, "api.bad_request");
    send(json, format!("{{\"name\":\"{}\"}}", "x".repeat(256 * 1024))).await.problem(413, "api.too_large");
}

#[tokio::test]
async fn headers_are_of_limited_size() {
    let app = App::new();
    let request =
        Request::get("/v1/sites").header("x-much", "x".repeat(17 * 1024)).body(Body::empty()).unwrap();
    app.anonymous().send(request).await.problem(431, "api.too_large");
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_comes_back() {
    let app = App::new();
    let operator = app.operator();
    operator.noop_site("probe").await;
    app.fault(Fault::Unavailable);
    for path in ["/v1/sites", "/v1/migrations", "/v1/support/cases", "/v1/machine-tokens"] {
        let reply = operator.get(path).await;
        reply.problem(503, "api.unavailable");
        assert_eq!(reply.header("retry-after"), "5");
    }
    operator.submit("k", &noop("probe")).await.problem(503, "api.unavailable");
    app.fault(Fault::None);
    operator.submit("k", &noop("probe")).await.expect(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn faults_within_are_500_and_say_nothing() {
    let app = App::new();
    for fault in [Fault::Broken, Fault::Panics] {
        app.fault(fault);
        let reply = app.operator().get("/v1/sites").await;
        reply.problem(500, "api.internal");
        assert!(!reply.text.contains("nonsense") && !reply.text.contains("panic"), "{}", reply.text);
    }
    app.fault(Fault::None);
    app.operator().get("/v1/sites").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let app = App::with(Limits { request_time: Duration::from_millis(50), ..App::limits() });
    app.fault(Fault::Hangs);
    app.operator().get("/v1/sites").await.problem(504, "api.timeout");
}

#[tokio::test]
async fn an_abandoned_submission_frees_its_key() {
    let app = App::with(Limits { request_time: Duration::from_millis(50), ..App::limits() });
    app.operator().noop_site("probe").await;
    app.fault(Fault::Hangs);
    app.operator().submit("k", &noop("probe")).await.problem(504, "api.timeout");
    app.fault(Fault::None);
    app.operator().submit("k", &noop("probe")).await.expect(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_token_over_its_rate_waits_and_others_do_not() {
    let slow = Rate::new(Duration::from_secs(3600), 3);
    let app = App::with(Limits { per_token: slow, ..App::limits() });
    let (one, two) = (
        app.token("owner", crate::app::organization()).await,
        app.token("owner", crate::app::organization()).await,
    );
    let caller = app.caller(&one);
    for _ in 0..3 {
        caller.get("/v1/sites").await.expect(StatusCode::OK);
    }
    let reply = caller.get("/v1/sites").await;
    reply.problem(429, "api.rate_limited");
    assert!((3000..=3600).contains(&reply.header("retry-after").parse::<u64>().unwrap()));
    app.caller(&two).get("/v1/sites").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_address_over_its_rate_is_stopped_before_the_store_is_asked_but_probes_pass() {
    let app = App::with(Limits { per_address: Rate::new(Duration::from_secs(3600), 2), ..App::limits() });
    app.fault(Fault::Unavailable);
    app.operator().get("/v1/sites").await.problem(503, "api.unavailable");
    app.operator().get("/v1/sites").await.problem(503, "api.unavailable");
    app.operator().get("/v1/sites").await.problem(429, "api.rate_limited");
    for _ in 0..5 {
        assert_eq!(app.anonymous().get("/livez").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn enrolments_have_a_tighter_rate() {
    let app = App::with(Limits { enrolments: Rate::new(Duration::from_secs(3600), 2), ..App::limits() });
    let body = crate::enrolments::introduction("lfm_guess", "shop", "https://old.example.org");
    for _ in 0..2 {
        app.anonymous().post("/v1/enrolments", &body).await.problem(401, "enrolment.token_refused");
    }
    app.anonymous().post("/v1/enrolments", &body).await.problem(429, "api.rate_limited");
    app.operator()
        .post("/v1/sites", &json!({ "name": "ok", "destination": { "kind": "noop" } }))
        .await
        .expect(StatusCode::CREATED);
}

#[tokio::test]
async fn answers_are_not_cached_or_sniffed() {
    let app = App::new();
    let reply = app.operator().get("/v1/sites").await;
    assert_eq!(
        (reply.header("cache-control"), reply.header("x-content-type-options")),
        ("no-store", "nosniff")
    );
}
