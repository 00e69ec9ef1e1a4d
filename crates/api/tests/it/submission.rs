//! Creating migrations, once each.

use axum::http::StatusCode;
use landfall_common::migration::Priority;
use landfall_common::migration::StateName;
use landfall_common::ports::DueQuery;
use landfall_common::records::{SliceDue, index, lane};
use landfall_common::wire::SliceTicket;
use landfall_common::{MigrationId, Phase};
use serde_json::json;

use crate::app::{App, id_of, noop, organization};

async fn count(app: &App, index: &str) -> u64 {
    app.records.store().count(&[index.to_owned()]).await.unwrap()[0]
}

async fn due(app: &App) -> Vec<SliceTicket> {
    let query = DueQuery {
        lane: lane::slices(Phase::Snapshot, Priority::Normal),
        tenants: 10,
        per_tenant: 10,
        skip_tenants: 0,
        skip_entries: 0,
        epoch: 0,
    };
    let (_, entries) = app.records.store().due(&query).await.unwrap();
    entries.iter().map(|entry| serde_json::from_slice::<SliceDue>(&entry.body).unwrap().ticket).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_posts_with_one_key_make_one_migration() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let posts: Vec<_> = (0..100)
        .map(|_| {
            let owner = owner.clone();
            tokio::spawn(async move { owner.submit("one-key", &noop("probe")).await })
        })
        .collect();
    let mut bodies = Vec::new();
    for post in posts {
        let reply = post.await.unwrap();
        match reply.status {
            StatusCode::ACCEPTED => bodies.push(reply.text),
            _ => {
                reply.problem(409, "api.idempotency_in_progress");
                assert_eq!(reply.header("retry-after"), "1");
            }
        }
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "every accepted answer is the same");
    assert_eq!(count(&app, index::MIGRATIONS).await, 1);
    let later = owner.submit("one-key", &noop("probe")).await;
    assert_eq!((later.text.as_str(), later.header("idempotent-replayed")), (bodies[0].as_str(), "true"));
    let other = json!({ "site": "probe", "source": { "kind": "noop", "units": 4, "unit_ms": 1 } });
    owner.submit("one-key", &other).await.problem(422, "api.idempotency_key_reused");
    assert_eq!(count(&app, index::MIGRATIONS).await, 1);
}

#[tokio::test]
async fn two_processes_with_one_key_agree_on_one_migration() {
    // Two APIs over one store share nothing but the store: the in-process guard does not help them.
    let app = App::new();
    let other = landfall_api::router(landfall_api::ApiState::new(landfall_api::ApiOptions {
        records: app.records.clone(),
        queue: None,
        sealer: app.sealer.clone(),
        bootstrap_token: Some(crate::app::OPERATOR.into()),
        public_url: "https://landfall.test".parse().unwrap(),
        metrics: None,
        plugin_zip: None,
        limits: App::limits(),
    }));
    let here = app.operator();
    here.noop_site("probe").await;
    let there = crate::app::Caller::of(other, crate::app::OPERATOR);
    for round in 0..10 {
        let key = format!("key-{round}");
        let (body_here, body_there) = (noop("probe"), noop("probe"));
        let (one, two) = tokio::join!(here.submit(&key, &body_here), there.submit(&key, &body_there));
        assert_eq!(one.expect(StatusCode::ACCEPTED), two.expect(StatusCode::ACCEPTED));
        let id = id_of(&one.json());
        app.apply(&id, landfall_common::migration::Command::Cancel { by: "a test".to_owned() }).await;
    }
}

#[tokio::test]
async fn keys_belong_to_their_organization() {
    let app = App::new();
    let (one, two) = (app.role("owner", organization()).await, app.role("owner", organization()).await);
    one.noop_site("first").await;
    two.noop_site("second").await;
    let first = one.submit("same", &noop("first")).await.expect(StatusCode::ACCEPTED);
    let second = two.submit("same", &noop("second")).await.expect(StatusCode::ACCEPTED);
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn a_key_has_to_be_there_and_short() {
    let app = App::new();
    let operator = app.operator();
    operator.noop_site("probe").await;
    operator.post("/v1/migrations", &noop("probe")).await.problem(400, "api.idempotency_key_missing");
    operator.submit(" ", &noop("probe")).await.problem(400, "api.idempotency_key_missing");
    operator.submit(&"k".repeat(256), &noop("probe")).await.problem(400, "api.idempotency_key_missing");
    assert_eq!(count(&app, index::MIGRATIONS).await, 0);
}

#[tokio::test]
async fn a_site_takes_one_active_migration_and_the_refusal_names_it() {
    let app = App::new();
    let operator = app.operator();
    operator.noop_site("probe").await;
    let first = operator.noop_migration("probe").await;
    let refused = operator.submit("another", &noop("probe")).await.problem(409, "api.site_busy");
    assert_eq!(refused["migration"], first.as_str());
    app.succeed(&first).await;
    assert_ne!(operator.noop_migration("probe").await, first);
}

#[tokio::test]
async fn a_noop_migration_is_due_at_once_with_the_caller_s_trace() {
    let app = App::new();
    let operator = app.operator();
    operator.noop_site("probe").await;
    let mut request = operator.request(axum::http::Method::POST, "/v1/migrations", Some(&noop("probe")));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.headers_mut().insert("traceparent", trace.parse().unwrap());
    request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    let reply = operator.send(request).await;
    let id = id_of(&reply.expect(StatusCode::ACCEPTED));
    assert_eq!(reply.header("location"), format!("/v1/migrations/{id}"));
    let tickets = due(&app).await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0].migration, id.parse::<MigrationId>().unwrap());
    assert_eq!(tickets[0].traceparent, trace);
}

#[tokio::test]
async fn a_wordpress_migration_waits_for_its_source() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.hosted_site("shop").await;
    let id = owner.wordpress_migration("shop", "https://old.example.org").await;
    assert_eq!(app.migration(&id).await.state.name(), StateName::AwaitingSource);
    assert!(due(&app).await.is_empty());
}

#[tokio::test]
async fn source_and_destination_have_to_fit() {
    let app = App::new();
    let operator = app.operator();
    operator.noop_site("probe").await;
    operator.hosted_site("shop").await;
    operator.submit("a", &noop("shop")).await.problem(422, "api.invalid");
    let body =
        json!({ "site": "probe", "source": { "kind": "wordpress", "url": "https://old.example.org" } });
    operator.submit("b", &body).await.problem(422, "api.invalid");
    operator.submit("c", &noop("nowhere")).await.problem(404, "api.not_found");
}

#[tokio::test]
async fn every_fault_of_the_fields_is_reported_at_once() {
    let app = App::new();
    let body = json!({
        "source": { "kind": "wordpress", "url": "ftp://user@old.example.org" },
        "options": { "exclude": ["", "ok"], "paths": [{ "from": "/a/../b", "to": "c" }], "noop_fail": "source.dns" },
        "organization": "none", "owner_email": "x",
    });
    let problem = app.operator().submit("k", &body).await.problem(422, "api.invalid");
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    assert_eq!(
        fields,
        [
            "site",
            "source.url",
            "options.exclude[0]",
            "options.paths[0].from",
            "options.paths[0].to",
            "options.noop_fail",
            "organization",
            "owner_email",
        ]
    );
}
