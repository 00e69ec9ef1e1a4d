//! Sites and their secrets.

use axum::http::StatusCode;
use landfall_common::migration::StateName;
use landfall_common::site::SiteCredentials;
use serde_json::{Value, json};

use crate::app::{App, destination, organization};

#[tokio::test]
async fn credentials_are_sealed_and_never_shown() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let body = json!({
        "name": "shop", "destination": destination(),
        "credentials": { "database_password": "hush-1", "sftp_password": "hush-2" },
    });
    let created = owner.post("/v1/sites", &body).await;
    let id = crate::app::id_of(&created.expect(StatusCode::CREATED));
    let shown = owner.get(&format!("/v1/sites/{id}")).await;
    assert_eq!(shown.expect(StatusCode::OK)["has_credentials"], true);
    for text in [created.text, shown.text, owner.get("/v1/sites").await.text] {
        assert!(!text.contains("hush"), "{text}");
    }
    let secret: SiteCredentials = app.secret(&id).await.unwrap();
    assert_eq!(
        (secret.database_password.as_str(), secret.sftp_password.as_deref()),
        ("hush-1", Some("hush-2"))
    );
    let put = json!({ "database_password": "hush-3" });
    assert_eq!(owner.put(&format!("/v1/sites/{id}/credentials"), &put).await.status, StatusCode::NO_CONTENT);
    let secret: SiteCredentials = app.secret(&id).await.unwrap();
    assert_eq!((secret.database_password.as_str(), secret.sftp_password), ("hush-3", None));
}

#[tokio::test]
async fn new_credentials_wake_the_migration_that_waits_for_them() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let site = owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    app.fail(&id, "destination.access_denied").await;
    assert_eq!(app.migration(&id).await.state.name(), StateName::Paused);
    let put = json!({ "database_password": "right" });
    assert_eq!(
        owner.put(&format!("/v1/sites/{site}/credentials"), &put).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.migration(&id).await.state.name(), StateName::Queued);
}

#[tokio::test]
async fn a_name_is_given_once_in_the_installation() {
    let app = App::new();
    let (one, two) = (app.role("owner", organization()).await, app.role("owner", organization()).await);
    one.noop_site("shop").await;
    let body = json!({ "name": "shop", "destination": { "kind": "noop" } });
    two.post("/v1/sites", &body).await.problem(409, "api.name_taken");
    let races = (0..10).map(|number| {
        let caller = if number % 2 == 0 { one.clone() } else { two.clone() };
        async move {
            caller.post("/v1/sites", &json!({ "name": "race", "destination": { "kind": "noop" } })).await
        }
    });
    let replies = futures::future::join_all(races).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == StatusCode::CREATED).count(), 1);
}

#[tokio::test]
async fn only_operators_name_folders_of_the_worker() {
    let app = App::new();
    let mut spec = destination();
    spec["files"] = json!({ "kind": "local", "root": "/etc" });
    let body = json!({ "name": "shop", "destination": spec });
    let owner = app.role("owner", organization()).await;
    owner.post("/v1/sites", &body).await.problem(403, "api.forbidden");
    app.operator().post("/v1/sites", &body).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn every_fault_of_a_destination_is_reported_at_once() {
    let app = App::new();
    let body = json!({
        "name": "Shop!",
        "destination": {
            "kind": "hosted", "url": "https://a:b@example.org",
            "files": { "kind": "sftp", "host": "a b", "port": 0, "root": "htdocs", "host_key": "none" },
            "database": { "host": "db", "name": "", "table_prefix": "wp-" },
            "document_root": "../x",
        },
        "credentials": { "sftp_private_key": "not a key" },
    });
    let problem = app.operator().post("/v1/sites", &body).await.problem(422, "api.invalid");
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    let expected = [
        "name",
        "destination.url",
        "destination.files.host",
        "destination.files.port",
        "destination.files.user",
        "destination.files.root",
        "destination.files.host_key",
        "destination.database.user",
        "destination.database.name",
        "destination.database.table_prefix",
        "destination.document_root",
        "credentials.database_password",
        "credentials.sftp_private_key",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn a_refused_body_does_not_repeat_its_secrets() {
    let app = App::new();
    let body = json!({ "database_password": ["hush-1"], "sftp_password": "hush-2" });
    let site = app.operator().noop_site("probe").await;
    let reply = app.operator().put(&format!("/v1/sites/{site}/credentials"), &body).await;
    reply.problem(422, "api.invalid");
    assert!(!reply.text.contains("hush"), "{}", reply.text);
    let text: Value = json!({ "database_password": "hush-3", "hush-4": 1 });
    let reply = app.operator().put(&format!("/v1/sites/{site}/credentials"), &text).await;
    assert!(!reply.text.contains("hush-3"), "{}", reply.text);
}
