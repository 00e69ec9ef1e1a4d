//! Cancel, pause, resume, roll back; and lists.

use axum::http::{Method, StatusCode};
use landfall_common::migration::StateName;
use landfall_common::ports::Store;
use landfall_common::records::stream;
use serde_json::Value;

use crate::app::{App, Caller, Reply, organization};

async fn steer(caller: &Caller, id: &str, verb: &str, if_match: Option<&str>) -> Reply {
    let mut request = caller.request(Method::POST, &format!("/v1/migrations/{id}/{verb}"), None);
    if let Some(tag) = if_match {
        request.headers_mut().insert("if-match", tag.parse().unwrap());
    }
    caller.send(request).await
}

async fn audit(app: &App) -> Vec<Value> {
    let store: &dyn Store = app.records.store().as_ref();
    let lines = store.events(stream::AUDIT, 0, 500).await.unwrap();
    lines.iter().map(|line| serde_json::from_slice(&line.body).unwrap()).collect()
}

#[tokio::test]
async fn a_migration_is_paused_resumed_and_cancelled() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    let paused = steer(&owner, &id, "pause", None).await.expect(StatusCode::OK);
    assert_eq!((paused["state"].as_str(), paused["reason"].as_str()), (Some("paused"), Some("person")));
    assert_eq!(steer(&owner, &id, "resume", None).await.expect(StatusCode::OK)["state"], "queued");
    steer(&owner, &id, "rollback", None).await.problem(409, "api.conflict");
    assert_eq!(steer(&owner, &id, "cancel", None).await.expect(StatusCode::OK)["state"], "cancelled");
    steer(&owner, &id, "cancel", None).await.problem(409, "api.conflict");
    let actions: Vec<String> = audit(&app)
        .await
        .iter()
        .filter_map(|line| line["facts"]["action"].as_str().map(str::to_owned))
        .collect();
    let steered = ["migration.create", "migration.pause", "migration.resume", "migration.cancel"];
    assert_eq!(actions[actions.len() - 4..], steered);
}

#[tokio::test]
async fn if_match_guards_against_what_the_caller_did_not_see() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    let seen = owner.get(&format!("/v1/migrations/{id}")).await;
    let tag = seen.header("etag").to_owned();
    app.claim(&id).await;
    steer(&owner, &id, "cancel", Some(&tag)).await.problem(412, "api.conflict");
    steer(&owner, &id, "cancel", Some("W/\"other\"")).await.problem(412, "api.conflict");
    assert!(app.migration(&id).await.request.is_none());
    let now = owner.get(&format!("/v1/migrations/{id}")).await;
    let done = steer(&owner, &id, "cancel", Some(now.header("etag"))).await;
    assert_eq!(done.expect(StatusCode::OK)["requested"], "cancel");
    let shown = owner.get(&format!("/v1/migrations/{id}")).await;
    assert_eq!(done.header("etag"), shown.header("etag"), "the answer's tag is the one that holds now");
    steer(&owner, &id, "cancel", Some("*")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn racing_commands_leave_one_winner_and_a_whole_audit() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    let races = (0..24).map(|number| {
        let (owner, id) = (owner.clone(), id.clone());
        async move { steer(&owner, &id, ["pause", "resume", "cancel"][number % 3], None).await }
    });
    let replies = futures::future::join_all(races).await;
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status.as_u16())));
    assert_eq!(app.migration(&id).await.state.name(), StateName::Cancelled);
    let done = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    let noted = audit(&app).await;
    let noted = noted.iter().filter(|line| line["facts"]["migration"] == id.as_str()).count();
    assert_eq!(noted, done + 1, "one line for each command that took effect, and one for the creation");
}

#[tokio::test]
async fn a_rollback_is_refused_while_another_migration_has_the_site() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let first = owner.noop_migration("probe").await;
    app.succeed(&first).await;
    let second = owner.noop_migration("probe").await;
    let problem = steer(&owner, &first, "rollback", None).await.problem(409, "api.site_busy");
    assert_eq!(problem["migration"], second.as_str());
    steer(&owner, &second, "cancel", None).await.expect(StatusCode::OK);
    let back = steer(&owner, &first, "rollback", None).await.expect(StatusCode::OK);
    assert_eq!((back["state"].as_str(), back["goal"].as_str()), (Some("queued"), Some("roll_back")));
}

#[tokio::test]
async fn lists_page_through_everything_once_and_cursors_keep_to_their_filter() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let mut made = Vec::new();
    for number in 0..7 {
        let site = format!("site-{number}");
        owner.noop_site(&site).await;
        made.push(owner.noop_migration(&site).await);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = owner.get(&format!("/v1/migrations?limit=3{cursor}")).await.expect(StatusCode::OK);
        seen.extend(page["items"].as_array().unwrap().iter().map(crate::app::id_of));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, made, "newest first, each once");
    owner.get(&format!("/v1/migrations?state=queued{cursor}")).await.problem(400, "api.bad_request");
    let stranger = app.role("owner", organization()).await;
    stranger.get(&format!("/v1/migrations?limit=3{cursor}")).await.problem(400, "api.bad_request");
    owner.get("/v1/migrations?limit=0").await.problem(400, "api.bad_request");
    owner.get("/v1/migrations?stat=queued").await.problem(400, "api.bad_request");
}

#[tokio::test]
async fn lists_filter_by_state_and_site() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("one").await;
    owner.noop_site("two").await;
    let one = owner.noop_migration("one").await;
    let two = owner.noop_migration("two").await;
    app.fail(&two, "destination.disk_full").await;
    let ids = async |query: &str| -> Vec<String> {
        let page = owner.get(&format!("/v1/migrations?{query}")).await.expect(StatusCode::OK);
        page["items"].as_array().unwrap().iter().map(crate::app::id_of).collect()
    };
    assert_eq!(ids("state=queued").await, std::slice::from_ref(&one));
    assert_eq!(ids("state=needs_support").await, std::slice::from_ref(&two));
    assert_eq!(ids("site=two").await, [two]);
    assert_eq!(ids("site=one&state=queued").await, [one]);
    assert!(ids("site=two&state=queued").await.is_empty());
    assert!(ids("state=succeeded").await.is_empty());
}

#[tokio::test]
async fn the_report_is_shown_as_json_and_as_text() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    let path = format!("/v1/migrations/{id}/report");
    owner.get(&path).await.problem(404, "api.not_found");
    put_report(&app, &id).await;
    assert_eq!(owner.get(&path).await.expect(StatusCode::OK)["tables"], 3);
    let mut request = owner.request(Method::GET, &path, None);
    request.headers_mut().insert("accept", "text/plain".parse().unwrap());
    let text = owner.send(request).await;
    assert_eq!(
        (text.header("content-type"), text.text.as_str()),
        ("text/plain; charset=utf-8", "3 tables\n")
    );
}

/// As the worker writes it.
async fn put_report(app: &App, id: &str) {
    use landfall_common::ports::{Commit, DocumentKey, DocumentKind, DocumentWrite, Expect, Write};
    let mut commit = Commit::new(app.records.request());
    let body = serde_json::json!({ "json": { "tables": 3 }, "text": "3 tables\n" });
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Report, id),
        expect: Expect::Any,
        write: Write::Put(body.to_string().into()),
        expires_in: None,
    });
    app.records.commit(&commit).await.unwrap();
}
