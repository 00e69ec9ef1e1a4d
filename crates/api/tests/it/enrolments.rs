//! The plugin joins its migration, and nobody else does.

use axum::http::StatusCode;
use base64::Engine;
use landfall_common::migration::{Command, SliceEnd, StateName};
use landfall_common::site::SourceSecret;
use serde_json::{Value, json};

use crate::app::{App, Caller, organization};

/// What the plugin sends.
pub(crate) fn introduction(token: &str, site: &str, url: &str) -> Value {
    json!({
        "token": token, "site": site, "url": url, "admin_url": "https://old.example.org/wp-admin/",
        "wordpress": { "version": "6.1.1", "multisite": false, "siteurl": url, "locale": "de_DE" },
        "php": { "version": "8.2.7" },
        "plugin_version": "0.1.0",
        "nonce": "0123456789abcdef0123456789abcdef",
        "from_a_later_plugin": { "unknown": true },
    })
}

struct Scene {
    app: App,
    token: String,
    owner: Caller,
    migration: String,
}

async fn scene() -> Scene {
    let app = App::new();
    let token = app.token("owner", organization()).await;
    let owner = app.caller(&token);
    owner.hosted_site("shop").await;
    let migration = owner.wordpress_migration("shop", "https://old.example.org").await;
    Scene { app, token, owner, migration }
}

impl Scene {
    async fn enrol(&self, body: &Value) -> crate::app::Reply {
        self.app.anonymous().post("/v1/enrolments", body).await
    }

    /// Nothing happened.
    async fn still_waits(&self) {
        assert_eq!(self.app.migration(&self.migration).await.state.name(), StateName::AwaitingSource);
        assert!(self.app.secret::<SourceSecret>(&self.migration).await.is_none());
    }
}

#[tokio::test]
async fn an_enrolment_starts_the_migration_and_seals_the_secret_in_one_commit() {
    let scene = scene().await;
    let enrolled = scene.enrol(&introduction(&scene.token, "shop", "http://OLD.example.org")).await;
    let enrolled = enrolled.expect(StatusCode::CREATED);
    assert_eq!(enrolled["migration"], scene.migration.as_str());
    let secret =
        base64::engine::general_purpose::STANDARD.decode(enrolled["secret"].as_str().unwrap()).unwrap();
    assert_eq!(secret.len(), 32);
    let migration = scene.app.migration(&scene.migration).await;
    assert_eq!(migration.state.name(), StateName::Queued);
    assert_eq!(migration.owner_email, "owner@example.org");
    let sealed: SourceSecret = scene.app.secret(&scene.migration).await.unwrap();
    assert_eq!(sealed.key_bytes().unwrap(), secret);
    assert_eq!(sealed.url.as_str(), "http://old.example.org/");
    assert_eq!(sealed.admin_url.as_deref(), Some("https://old.example.org/wp-admin/"));
}

#[tokio::test]
async fn the_same_nonce_is_answered_with_the_same_and_another_one_is_refused() {
    let scene = scene().await;
    let body = introduction(&scene.token, "shop", "https://old.example.org");
    let first = scene.enrol(&body).await.expect(StatusCode::CREATED);
    assert_eq!(scene.enrol(&body).await.expect(StatusCode::CREATED), first);
    let mut other_claim = body.clone();
    other_claim["url"] = "https://evil.example.org".into();
    scene.enrol(&other_claim).await.problem(422, "api.idempotency_key_reused");
    let mut other_nonce = body;
    other_nonce["nonce"] = "ffffffffffffffffffffffffffffffff".into();
    scene.enrol(&other_nonce).await.problem(409, "enrolment.nothing_waiting");
}

#[tokio::test]
async fn of_many_enrolments_at_once_one_wins_and_its_repeats_agree() {
    let scene = scene().await;
    let tries = (0..20).map(|number| {
        let mut body = introduction(&scene.token, "shop", "https://old.example.org");
        body["nonce"] = format!("nonce-of-process-{}", number % 2).into();
        let caller = scene.app.anonymous();
        async move { caller.post("/v1/enrolments", &body).await }
    });
    let replies = futures::future::join_all(tries).await;
    let mut answers: Vec<String> = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::CREATED)
        .map(|reply| reply.text.clone())
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(replies.iter().all(|reply| [201, 409].contains(&reply.status.as_u16())));
}

#[tokio::test]
async fn bad_tokens_are_refused_and_nothing_changes() {
    let scene = scene().await;
    let url = "https://old.example.org";
    for token in
        ["", "nonsense", "lfm_00000000000000000000000000000007_secret", &scene.token[..scene.token.len() - 1]]
    {
        scene.enrol(&introduction(token, "shop", url)).await.problem(401, "enrolment.token_refused");
    }
    let id = scene.app.token("owner", organization()).await;
    scene.enrol(&introduction(&id, "shop", url)).await.problem(403, "enrolment.foreign_site");
    let organization = scene.app.migration(&scene.migration).await.organization;
    let submitter = scene.app.token("submitter", organization).await;
    scene.enrol(&introduction(&submitter, "shop", url)).await.problem(403, "api.forbidden");
    scene.still_waits().await;
}

#[tokio::test]
async fn another_site_url_or_network_is_refused_and_nothing_changes() {
    let scene = scene().await;
    let token = &scene.token;
    let unknown = introduction(token, "shp", "https://old.example.org");
    scene.enrol(&unknown).await.problem(404, "enrolment.nothing_waiting");
    for url in ["https://www.old.example.org", "https://old.example.org/blog", "https://old.example.org:8443"]
    {
        scene.enrol(&introduction(token, "shop", url)).await.problem(409, "enrolment.url_mismatch");
    }
    let mut network = introduction(token, "shop", "https://old.example.org");
    network["wordpress"]["multisite"] = true.into();
    scene.enrol(&network).await.problem(409, "enrolment.site_network");
    scene.owner.hosted_site("idle").await;
    let idle = introduction(token, "idle", "https://old.example.org");
    scene.enrol(&idle).await.problem(409, "enrolment.nothing_waiting");
    scene.still_waits().await;
}

#[tokio::test]
async fn a_source_that_lost_its_secret_enrols_again_and_the_migration_goes_on() {
    let scene = scene().await;
    let first = scene.enrol(&introduction(&scene.token, "shop", "https://old.example.org")).await;
    let first = first.expect(StatusCode::CREATED);
    scene.app.fail(&scene.migration, "source.plugin_missing").await;
    assert_eq!(scene.app.migration(&scene.migration).await.state.name(), StateName::Paused);
    let mut body = introduction(&scene.token, "shop", "https://old.example.org");
    body["nonce"] = "a-new-nonce-of-the-plugin".into();
    let second = scene.enrol(&body).await.expect(StatusCode::CREATED);
    assert_ne!(second["secret"], first["secret"]);
    assert_eq!(scene.app.migration(&scene.migration).await.state.name(), StateName::Queued);
}

#[tokio::test]
async fn the_status_needs_its_own_token_and_shows_the_end_too() {
    let scene = scene().await;
    let enrolled = scene.enrol(&introduction(&scene.token, "shop", "https://old.example.org")).await;
    let enrolled = enrolled.expect(StatusCode::CREATED);
    let path = format!("/v1/enrolments/{}", scene.migration);
    scene.app.anonymous().get(&path).await.problem(401, "api.unauthorized");
    scene.app.caller(&scene.token).get(&path).await.problem(401, "api.unauthorized");
    scene.app.caller("lfs_wrong").get(&path).await.problem(401, "api.unauthorized");
    let page = scene.app.caller(enrolled["status_token"].as_str().unwrap());
    let status = page.get(&path).await.expect(StatusCode::OK);
    assert_eq!((status["state"].as_str(), status["percent"].as_u64()), (Some("queued"), Some(0)));
    let attempt = scene.app.claim(&scene.migration).await;
    scene.app.end(&scene.migration, attempt, SliceEnd::PhaseDone { output: json!({}) }).await;
    assert_eq!(page.get(&path).await.expect(StatusCode::OK)["percent"], 33);
    scene.app.apply(&scene.migration, Command::Cancel { by: "a test".to_owned() }).await;
    let attempt = scene.app.claim(&scene.migration).await;
    scene.app.end(&scene.migration, attempt, SliceEnd::PhaseDone { output: json!({}) }).await;
    assert_eq!(page.get(&path).await.expect(StatusCode::OK)["state"], "cancelled");
    // The migration's own secret is gone with it.
    assert!(scene.app.secret::<SourceSecret>(&scene.migration).await.is_none());
}
