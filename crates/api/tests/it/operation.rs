//! Holds, what organizations get, and when slices may start.

use axum::http::StatusCode;
use landfall_common::hold::{Hold, Scope};
use landfall_common::migration::Priority;
use landfall_common::organization::OrganizationSettings;
use landfall_common::ports::{DocumentKind, DueQuery, OutboxEntry};
use landfall_common::records::lane;
use landfall_common::{OrganizationId, Phase};
use serde_json::json;
use uuid::Uuid;

use crate::app::{App, id_of, noop, organization};

async fn due(app: &App, priority: Priority) -> Vec<OutboxEntry> {
    let query = DueQuery {
        lane: lane::slices(Phase::Snapshot, priority),
        tenants: 10,
        per_tenant: 10,
        skip_tenants: 0,
        skip_entries: 0,
        epoch: 0,
    };
    app.records.store().due(&query).await.unwrap().1
}

#[tokio::test]
async fn holds_are_set_seen_and_lifted_by_operators_alone() {
    let app = App::new();
    let (operator, support) = (app.operator(), app.role("support", organization()).await);
    let reason = json!({ "reason": "the storage is full" });
    let owner = app.role("owner", organization()).await;
    for caller in [&support, &owner] {
        caller.put("/v1/holds/all", &reason).await.problem(403, "api.forbidden");
        caller.delete("/v1/holds/all").await.problem(403, "api.forbidden");
    }
    owner.get("/v1/holds").await.problem(403, "api.forbidden");
    for scope in ["all".to_owned(), "import".to_owned(), organization().to_string()] {
        let hold = operator.put(&format!("/v1/holds/{scope}"), &reason).await.expect(StatusCode::OK);
        assert_eq!(hold["scope"], scope.as_str());
    }
    operator.put("/v1/holds/everything", &reason).await.problem(422, "api.invalid");
    operator.put("/v1/holds/all", &json!({})).await.problem(422, "api.invalid");
    let listed = support.get("/v1/holds").await.expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    let (_, held) = app.records.read::<Hold>(DocumentKind::Hold, Scope::Phase(Phase::Import)).await.unwrap();
    assert_eq!(held.unwrap().value.reason, "the storage is full");
    for _ in 0..2 {
        let gone = operator.delete("/v1/holds/import").await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
    }
    let listed = support.get("/v1/holds").await.expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_an_organization_gets_is_the_operators_to_say_and_its_own_to_see() {
    let app = App::new();
    let own = organization();
    let (operator, owner) = (app.operator(), app.role("owner", own).await);
    let path = format!("/v1/organizations/{own}/settings");
    let usual = owner.get(&path).await.expect(StatusCode::OK);
    assert_eq!(
        (&usual["weight"], &usual["assisted_max"], &usual["assisted_left"]),
        (&1.into(), &5.into(), &5.into())
    );
    owner.put(&path, &json!({ "weight": 100 })).await.problem(403, "api.forbidden");
    let foreign = format!("/v1/organizations/{}/settings", OrganizationId::from_uuid(Uuid::from_u128(99)));
    owner.get(&foreign).await.problem(404, "api.not_found");
    operator.put(&path, &json!({ "weight": 101, "assisted_max": 5000 })).await.problem(422, "api.invalid");
    operator.put(&path, &json!({ "weight": 3, "slices_max": 40 })).await.expect(StatusCode::OK);
    operator.put(&path, &json!({ "assisted_max": 7 })).await.expect(StatusCode::OK);
    let (_, kept) = app.records.read::<OrganizationSettings>(DocumentKind::Organization, own).await.unwrap();
    let kept = kept.unwrap().value;
    assert_eq!((kept.weight, kept.slices_max, kept.assisted_max()), (3, Some(40), 7));
}

#[tokio::test]
async fn a_submitter_says_what_goes_first_and_when() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let with = |site: &str, options| {
        let mut body = noop(site);
        body["options"] = options;
        body
    };
    for (name, options) in [
        ("first", json!({ "priority": "high" })),
        ("last", json!({ "priority": "low" })),
        ("later", json!({ "start": { "not_before": "2199-01-01T00:00:00+01:00" } })),
        ("usual", json!({})),
    ] {
        let site = owner.noop_site(name).await;
        let accepted = owner.submit(name, &with(&site, options)).await.expect(StatusCode::ACCEPTED);
        let shown = owner.get(&format!("/v1/migrations/{}", id_of(&accepted))).await.expect(StatusCode::OK);
        if name == "later" {
            assert_eq!(shown["options"]["start"]["not_before"], "2198-12-31T23:00:00Z");
        }
    }
    let counts =
        [due(&app, Priority::High).await, due(&app, Priority::Normal).await, due(&app, Priority::Low).await]
            .map(|entries| entries.len());
    assert_eq!(counts, [1, 1, 1], "what may not start yet is not due");
    let site = owner.noop_site("refused").await;
    for options in [
        json!({ "priority": "urgent" }),
        json!({ "start": { "not_before": "tomorrow" } }),
        json!({ "start": { "hours": { "from": "22:00", "to": "22:00", "time_zone": "UTC" } } }),
        json!({ "start": { "hours": { "from": "22:00", "to": "06:00", "time_zone": "Mars/Base" } } }),
        json!({ "start": { "hours": { "from": "22:00" } } }),
    ] {
        owner.submit("refused", &with(&site, options)).await.is_problem();
    }
}
