//! Support cases: replayed in the commit of their migration, resolved, never by strangers.

use axum::http::StatusCode;
use landfall_common::migration::{Command, StateName};
use landfall_common::records::index;
use serde_json::{Value, json};

use crate::app::{App, Caller, id_of, organization};

async fn failed(app: &App, owner: &Caller, site: &str, code: &'static str) -> (String, String) {
    owner.noop_site(site).await;
    let migration = owner.noop_migration(site).await;
    app.fail(&migration, code).await;
    let case = app.migration(&migration).await.case.unwrap();
    (migration, case.to_string())
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(id_of).collect()
}

#[tokio::test]
async fn a_replay_moves_case_and_migration_together() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    let (migration, case) = failed(&app, &owner, "doomed", "destination.disk_full").await;
    let path = format!("/v1/support/cases/{case}/replay");
    let replay = json!({ "from": "checkpoint", "reason": "made room" });
    let replayed = support.post(&path, &replay).await.expect(StatusCode::OK);
    assert_eq!(replayed["state"], "replayed");
    let after = app.migration(&migration).await;
    assert_eq!((after.state.name(), after.generation), (StateName::Queued, 2));
    assert_eq!(app.records.store().count(&[index::CASES_OPEN.to_owned()]).await.unwrap(), [0]);
    support.post(&path, &replay).await.problem(409, "api.conflict");

    app.fail(&migration, "destination.disk_full").await;
    let second = app.migration(&migration).await.case.unwrap().to_string();
    assert_ne!(second, case, "it failed again: a case of its own");
    support.post(&path, &replay).await.problem(409, "api.conflict");
    let start = json!({ "from": "start", "reason": "once more" });
    support.post(&format!("/v1/support/cases/{second}/replay"), &start).await.expect(StatusCode::OK);
    let later = json!({ "from": "import", "reason": "too far" });
    app.fail(&migration, "destination.disk_full").await;
    let third = app.migration(&migration).await.case.unwrap();
    support.post(&format!("/v1/support/cases/{third}/replay"), &later).await.problem(409, "api.conflict");
}

#[tokio::test]
async fn racing_replays_send_it_round_once() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    let (migration, case) = failed(&app, &owner, "doomed", "destination.disk_full").await;
    let races = (0..12).map(|_| {
        let (support, case) = (support.clone(), case.clone());
        async move {
            let body = json!({ "from": "checkpoint", "reason": "made room" });
            support.post(&format!("/v1/support/cases/{case}/replay"), &body).await
        }
    });
    let replies = futures::future::join_all(races).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == StatusCode::OK).count(), 1);
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status.as_u16())));
    assert_eq!(app.migration(&migration).await.generation, 2);
}

#[tokio::test]
async fn a_resolved_case_says_what_was_done_and_stays_resolved() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let (migration, case) = failed(&app, &owner, "doomed", "destination.disk_full").await;
    let support = app.role("support", organization()).await;
    let path = format!("/v1/support/cases/{case}/resolve");
    let body = json!({ "resolution": "moved by hand" });
    let resolved = support.post(&path, &body).await.expect(StatusCode::OK);
    assert_eq!(resolved["resolution"], "moved by hand");
    support.post(&path, &body).await.problem(409, "api.conflict");
    let events = owner.get(&format!("/v1/migrations/{migration}/events")).await.expect(StatusCode::OK);
    assert_eq!(events["items"].as_array().unwrap().last().unwrap()["kind"], "case_resolved");
    app.apply(&migration, Command::Cancel { by: "a test".to_owned() }).await;
    let open = support.get("/v1/support/cases").await.expect(StatusCode::OK);
    assert!(ids(&open).is_empty());
    let all = support.get("/v1/support/cases?state=all").await.expect(StatusCode::OK);
    assert_eq!(ids(&all), [case]);
}

#[tokio::test]
async fn cases_are_found_by_code_phase_and_organization() {
    let app = App::new();
    let (here, there) = (organization(), organization());
    let (one, two) = (app.role("owner", here).await, app.role("owner", there).await);
    let (_, full) = failed(&app, &one, "one", "destination.disk_full").await;
    let (_, busy) = failed(&app, &two, "two", "destination.not_empty").await;
    let support = app.role("support", organization()).await;
    let found = async |query: String| {
        ids(&support.get(&format!("/v1/support/cases?{query}")).await.expect(StatusCode::OK))
    };
    assert_eq!(found(String::new()).await, [busy.clone(), full.clone()], "newest first");
    assert_eq!(found("code=destination.disk_full".to_owned()).await, std::slice::from_ref(&full));
    assert_eq!(found(format!("organization={there}")).await, std::slice::from_ref(&busy));
    assert_eq!(found(format!("organization={here}&state=all")).await, std::slice::from_ref(&full));
    assert_eq!(found("phase=snapshot&limit=1".to_owned()).await, [busy]);
    assert!(found("phase=import".to_owned()).await.is_empty());
    support.get("/v1/support/cases?phase=none").await.problem(400, "api.bad_request");
    support.get("/v1/support/cases?organization=none").await.problem(422, "api.invalid");
}
