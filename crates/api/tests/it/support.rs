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
    let replay = json!({ "from": "checkpoint", "reason": "made room" });
    support.post(&format!("/v1/support/cases/{case}/replay"), &replay).await.expect(StatusCode::OK);
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

#[tokio::test]
async fn a_case_that_still_stops_its_migration_is_not_just_closed() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    let (migration, case) = failed(&app, &owner, "doomed", "destination.disk_full").await;
    let path = format!("/v1/support/cases/{case}/resolve");
    support.post(&path, &json!({ "resolution": "moved by hand" })).await.problem(409, "api.conflict");
    let with = json!({ "resolution": "moved by hand", "cancel": true });
    assert_eq!(support.post(&path, &with).await.expect(StatusCode::OK)["state"], "resolved");
    assert_eq!(app.migration(&migration).await.state.name(), StateName::Cancelled);
    owner.noop_migration("doomed").await;

    let (migration, case) = failed(&app, &owner, "given-up", "destination.disk_full").await;
    let cancel = format!("/v1/migrations/{migration}/cancel");
    owner.post(&cancel, &json!({})).await.expect(StatusCode::OK);
    let closed = support.get(&format!("/v1/support/cases/{case}")).await.expect(StatusCode::OK);
    assert_eq!(
        (&closed["state"], &closed["resolution"]),
        (&"resolved".into(), &"The migration was cancelled.".into())
    );
    assert_eq!(app.records.store().count(&[index::CASES_OPEN.to_owned()]).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_case_is_found_claimed_and_noted_on() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let (ann, bob) = (app.role("support", organization()).await, app.role("support", organization()).await);
    let (migration, first) = failed(&app, &owner, "bakery", "destination.disk_full").await;
    let (_, second) = failed(&app, &owner, "florist", "staging.corrupt").await;
    for (query, expected) in [
        ("q=BAKERY", vec![&first]),
        ("code=staging.corrupt", vec![&second]),
        ("phase=snapshot", vec![&second, &first]),
        ("phase=import", vec![]),
        ("claimed_by=nobody&q=florist", vec![&second]),
        ("opened_after=2199-01-01T00:00:00Z", vec![]),
        ("opened_before=2199-01-01T00:00:00Z", vec![&second, &first]),
        ("outside_allowance=true", vec![]),
        (&format!("q={migration}"), vec![&first]),
    ] {
        let page = ann.get(&format!("/v1/support/cases?{query}")).await.expect(StatusCode::OK);
        assert_eq!(ids(&page), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
    ann.get("/v1/support/cases?opened_after=yesterday").await.problem(422, "api.invalid");
    let path = |action: &str| format!("/v1/support/cases/{first}/{action}");
    let mine = ann.post(&path("claim"), &json!({})).await.expect(StatusCode::OK);
    let by = mine["claimed_by"].as_str().unwrap().to_owned();
    bob.post(&path("claim"), &json!({})).await.problem(409, "api.conflict");
    let taken = bob.post(&path("claim"), &json!({ "take_over": true })).await.expect(StatusCode::OK);
    assert_ne!(taken["claimed_by"], by.as_str());
    bob.post(&path("notes"), &json!({ "text": "asked the host" })).await.expect(StatusCode::OK);
    let released = bob.post(&path("release"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(
        (&released["claimed_by"], &released["notes"][0]["text"]),
        (&Value::Null, &"asked the host".into())
    );
    owner.post(&path("notes"), &json!({ "text": "me too" })).await.problem(403, "api.forbidden");
}

#[tokio::test]
async fn many_are_grouped_counted_and_sent_round_a_few_a_minute() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    let mut migrations = Vec::new();
    for number in 0..6 {
        migrations.push(failed(&app, &owner, &format!("shop-{number}"), "destination.disk_full").await.0);
    }
    let (_, other) = failed(&app, &owner, "other", "staging.corrupt").await;
    let groups = support.get("/v1/support/groups").await.expect(StatusCode::OK);
    assert_eq!(
        (&groups["items"][0]["cases"], &groups["items"][1]["case"]),
        (&6.into(), &other.clone().into())
    );
    let fingerprint = groups["items"][0]["fingerprint"].as_str().unwrap();

    let mut body = json!({
        "filter": { "fingerprint": fingerprint }, "from": "checkpoint", "reason": "made room", "per_minute": 60, "dry_run": true,
    });
    let dry = support.post("/v1/support/replays", &body).await.expect(StatusCode::OK);
    assert_eq!((&dry["matched"], dry["replayed"].as_array().unwrap().len()), (&6.into(), 0));
    assert_eq!(app.migration(&migrations[0]).await.state.name(), StateName::NeedsSupport);
    body["dry_run"] = false.into();
    let done = support.post("/v1/support/replays", &body).await.expect(StatusCode::OK);
    assert_eq!((done["replayed"].as_array().unwrap().len(), &done["last_starts_in_s"]), (6, &5.into()));
    for migration in &migrations {
        assert_eq!(app.migration(migration).await.state.name(), StateName::Queued);
    }
    let again = json!({ "ids": [done["replayed"][0], other], "from": "start", "reason": "and these" });
    let again = support.post("/v1/support/replays", &again).await.expect(StatusCode::OK);
    assert_eq!(
        (again["replayed"].as_array().unwrap().len(), again["refused"].as_array().unwrap().len()),
        (1, 1)
    );
    for bad in [
        json!({ "from": "start", "reason": "none named" }),
        json!({ "ids": ["case_x"], "from": "start", "reason": "no id" }),
        json!({ "ids": [other], "filter": {}, "from": "start", "reason": "both" }),
        json!({ "ids": [other], "from": "start", "reason": "too fast", "per_minute": 100_000 }),
    ] {
        support.post("/v1/support/replays", &bad).await.problem(422, "api.invalid");
    }
    owner.post("/v1/support/replays", &body).await.problem(403, "api.forbidden");
}

#[tokio::test]
async fn support_edits_the_options_of_a_replay_and_downloads_the_evidence() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    let (migration, case) = failed(&app, &owner, "doomed", "destination.disk_full").await;
    let bundle = support.get(&format!("/v1/support/cases/{case}/bundle")).await;
    assert!(bundle.header("content-disposition").contains(&case));
    let bundle = bundle.json();
    assert_eq!(
        (&bundle["case"]["id"], &bundle["migration"]["id"]),
        (&case.clone().into(), &migration.clone().into())
    );
    assert!(bundle["timeline"].as_array().unwrap().len() >= 3 && bundle["help"]["remedy"].is_string());
    assert!(!bundle.to_string().contains("owner@"), "mailboxes are taken out");
    let replay =
        json!({ "from": "start", "reason": "less", "options": { "exclude": ["wp-content/backups"] } });
    support.post(&format!("/v1/support/cases/{case}/replay"), &replay).await.expect(StatusCode::OK);
    assert_eq!(app.migration(&migration).await.options.exclude, ["wp-content/backups"]);
    owner.get(&format!("/v1/support/cases/{case}/bundle")).await.problem(403, "api.forbidden");
}
