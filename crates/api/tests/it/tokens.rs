//! Machine tokens.

use axum::http::StatusCode;
use landfall_common::ports::{Commit, DocumentKey, DocumentKind, DocumentWrite, Expect, Write};
use landfall_common::token::MachineToken;
use serde_json::json;

use crate::app::{App, id_of, organization};

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash() {
    let app = App::new();
    let body = json!({ "name": "x", "owner_email": "owner@example.org", "role": "owner" });
    let made = app.operator().post("/v1/machine-tokens", &body).await.expect(StatusCode::CREATED);
    let (text, id) = (made["token"].as_str().unwrap(), id_of(&made));
    let secret = text.splitn(3, '_').nth(2).unwrap();
    let (_, kept) = app.records.store().load(&[DocumentKey::new(DocumentKind::Token, &id)]).await.unwrap();
    let kept = String::from_utf8(kept[0].clone().unwrap().body.to_vec()).unwrap();
    assert!(!kept.contains(secret));
    assert!(kept.contains(blake3::hash(secret.as_bytes()).to_hex().as_str()));
    let list = app.caller(text).get("/v1/machine-tokens").await;
    list.expect(StatusCode::OK);
    assert!(!list.text.contains(secret));
}

#[tokio::test]
async fn a_wrong_revoked_or_expired_token_is_refused() {
    let app = App::new();
    let organization = organization();
    let text = app.token("owner", organization).await;
    let owner = app.caller(&text);
    let page = owner.get("/v1/machine-tokens").await.expect(StatusCode::OK);
    let id = id_of(&page["items"][0]);
    let mut wrong = text.clone();
    wrong.pop();
    for bad in [wrong.as_str(), "", "x", &text.to_uppercase(), &format!("{text}x")] {
        app.caller(bad).get("/v1/sites").await.problem(401, "api.unauthorized");
    }
    expire(&app, &id).await;
    owner.get("/v1/sites").await.problem(401, "api.unauthorized");
    let second = app.role("owner", organization).await;
    let page = second.get("/v1/machine-tokens").await.expect(StatusCode::OK);
    let own = id_of(&page["items"][0]);
    assert_eq!(second.delete(&format!("/v1/machine-tokens/{own}")).await.status, StatusCode::NO_CONTENT);
    second.get("/v1/sites").await.problem(401, "api.unauthorized");
}

/// Its time is over.
async fn expire(app: &App, id: &str) {
    let (now, found) = app.records.read::<MachineToken>(DocumentKind::Token, id).await.unwrap();
    let token = MachineToken { expires_at: now, ..found.unwrap().value };
    let mut commit = Commit::new(app.records.request());
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Token, id),
        expect: Expect::Any,
        write: Write::Put(serde_json::to_vec(&token).unwrap().into()),
        expires_in: None,
    });
    app.records.commit(&commit).await.unwrap();
}

#[tokio::test]
async fn nobody_makes_a_token_that_may_more_than_their_own() {
    let app = App::new();
    let organization = organization();
    let owner = app.role("owner", organization).await;
    let body = |role: &str| json!({ "name": "x", "owner_email": "o@example.org", "role": role });
    owner.post("/v1/machine-tokens", &body("operator")).await.problem(403, "api.forbidden");
    owner.post("/v1/machine-tokens", &body("support")).await.problem(403, "api.forbidden");
    let mut foreign = body("owner");
    foreign["organization"] = crate::app::organization().to_string().into();
    owner.post("/v1/machine-tokens", &foreign).await.problem(403, "api.forbidden");
    let made = owner.post("/v1/machine-tokens", &body("submitter")).await.expect(StatusCode::CREATED);
    assert_eq!(made["organization"], organization.to_string());
    let submitter = app.role("submitter", organization).await;
    submitter.post("/v1/machine-tokens", &body("submitter")).await.problem(403, "api.forbidden");
}

#[tokio::test]
async fn an_owner_s_token_without_organization_begins_one() {
    let app = App::new();
    let body = json!({ "name": "x", "owner_email": "o@example.org", "role": "owner" });
    let one = app.operator().post("/v1/machine-tokens", &body).await.expect(StatusCode::CREATED);
    let two = app.operator().post("/v1/machine-tokens", &body).await.expect(StatusCode::CREATED);
    assert_ne!(one["organization"], two["organization"], "strangers share nothing");
}

#[tokio::test]
async fn fields_of_a_token_are_checked() {
    let app = App::new();
    let body = json!({ "name": "", "owner_email": "a\r\nBcc: b@example.org", "expires_in_days": 0 });
    let problem = app.operator().post("/v1/machine-tokens", &body).await.problem(422, "api.invalid");
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "owner_email", "role", "expires_in_days"]);
}
