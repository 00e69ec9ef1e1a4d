//! Probes.

use axum::http::StatusCode;

use crate::app::App;
use crate::faulty::Fault;

#[tokio::test]
async fn a_process_without_store_lives_and_gets_no_traffic() {
    let app = App::new();
    app.fault(Fault::Unavailable);
    assert_eq!(app.anonymous().get("/livez").await.status, StatusCode::OK);
    let problem = app.anonymous().get("/readyz").await.problem(503, "api.unavailable");
    assert_eq!(problem["checks"]["store"], "down");
}

#[tokio::test]
async fn a_process_with_store_and_queue_is_ready() {
    let app = App::new();
    let ready = app.anonymous().get("/readyz").await.expect(StatusCode::OK);
    assert_eq!(ready, serde_json::json!({ "ready": true, "store": "ok", "queue": "ok" }));
}

#[tokio::test]
async fn a_hanging_store_does_not_hang_the_probe() {
    let app = App::new();
    app.fault(Fault::Hangs);
    app.anonymous().get("/readyz").await.problem(503, "api.unavailable");
}

#[tokio::test]
async fn what_this_installation_lacks_is_not_found() {
    let app = App::new();
    app.anonymous().get("/metrics").await.problem(404, "api.not_found");
    let zip = app.anonymous().get("/v1/plugin.zip").await;
    assert_eq!((zip.status, zip.header("content-type")), (StatusCode::OK, "application/zip"));
    app.anonymous().get("/errors/no.such").await.problem(404, "api.not_found");
}
