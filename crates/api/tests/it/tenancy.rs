//! Who may what: a matrix of roles and organizations over every endpoint.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{App, Caller, Reply, organization};

/// Everything that one organization has, and a support case.
struct World {
    app: App,
    site: String,
    migration: String,
    case: String,
    token_id: String,
    /// Callers by name.
    callers: Vec<(&'static str, Caller)>,
}

async fn world() -> World {
    let app = App::new();
    let (ours, theirs) = (organization(), organization());
    let owner = app.role("owner", ours).await;
    let site = owner.noop_site("ours").await;
    let migration = owner.noop_migration("ours").await;
    app.fail(&migration, "destination.disk_full").await;
    let case = app.migration(&migration).await.case.unwrap().to_string();
    let spare = json!({ "name": "spare", "owner_email": "o@example.org", "role": "owner" });
    let spare = owner.post("/v1/machine-tokens", &spare).await.expect(StatusCode::CREATED);
    let callers = vec![
        ("anonymous", app.anonymous()),
        ("stranger", app.role("owner", theirs).await),
        ("strange submitter", app.role("submitter", theirs).await),
        ("submitter", app.role("submitter", ours).await),
        ("support", app.role("support", theirs).await),
        ("owner", owner),
        ("operator", app.operator()),
    ];
    World { app, site, migration, case, token_id: crate::app::id_of(&spare), callers }
}

/// One request of the matrix: what is asked, and which statuses each caller gets, in the order of `callers`.
struct Row {
    method: Method,
    path: String,
    body: Option<Value>,
    statuses: [u16; 7],
}

fn row(method: Method, path: String, body: Option<Value>, statuses: [u16; 7]) -> Row {
    Row { method, path, body, statuses }
}

fn matrix(world: &World) -> Vec<Row> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let (site, migration, case, token) = (&world.site, &world.migration, &world.case, &world.token_id);
    let submission = json!({ "site": "ours", "source": { "kind": "noop", "units": 1, "unit_ms": 1 } });
    let credentials = json!({ "database_password": "x" });
    let replay = json!({ "from": "checkpoint", "reason": "x" });
    //                        anonymous, stranger, strange submitter, submitter, support, owner, operator
    vec![
        row(get.clone(), format!("/v1/sites/{site}"), None, [401, 404, 404, 200, 200, 200, 200]),
        row(get.clone(), "/v1/sites/ours".into(), None, [401, 404, 404, 200, 200, 200, 200]),
        row(
            put,
            format!("/v1/sites/{site}/credentials"),
            Some(credentials),
            [401, 404, 404, 403, 403, 204, 204],
        ),
        row(get.clone(), format!("/v1/migrations/{migration}"), None, [401, 404, 404, 200, 200, 200, 200]),
        row(
            get.clone(),
            format!("/v1/migrations/{migration}/events"),
            None,
            [401, 404, 404, 200, 200, 200, 200],
        ),
        row(
            get.clone(),
            format!("/v1/migrations/{migration}/report"),
            None,
            [401, 404, 404, 404, 404, 404, 404],
        ),
        row(get.clone(), format!("/v1/migrations?site={site}"), None, [401, 404, 404, 200, 200, 200, 200]),
        // The site is busy, so even those who may submit create nothing.
        row(post.clone(), "/v1/migrations".into(), Some(submission), [401, 404, 404, 409, 403, 409, 409]),
        row(
            post.clone(),
            format!("/v1/migrations/{migration}/pause"),
            None,
            [401, 404, 404, 403, 403, 409, 409],
        ),
        row(
            post.clone(),
            format!("/v1/migrations/{migration}/resume"),
            None,
            [401, 404, 404, 403, 403, 409, 409],
        ),
        row(
            post.clone(),
            format!("/v1/migrations/{migration}/rollback"),
            None,
            [401, 404, 404, 403, 403, 409, 409],
        ),
        row(get.clone(), "/v1/support/cases".into(), None, [401, 403, 403, 403, 200, 403, 200]),
        row(get.clone(), format!("/v1/support/cases/{case}"), None, [401, 403, 403, 403, 200, 403, 200]),
        row(
            post.clone(),
            format!("/v1/support/cases/{case}/replay"),
            Some(replay),
            [401, 403, 403, 403, 200, 403, 409],
        ),
        row(
            post.clone(),
            format!("/v1/support/cases/{case}/resolve"),
            Some(json!({ "resolution": "x" })),
            [401, 403, 403, 403, 200, 403, 409],
        ),
        row(post, format!("/v1/migrations/{migration}/cancel"), None, [401, 404, 404, 403, 403, 200, 409]),
        row(get, "/v1/machine-tokens".into(), None, [401, 200, 403, 403, 403, 200, 200]),
        row(delete, format!("/v1/machine-tokens/{token}"), None, [401, 404, 403, 403, 403, 204, 204]),
    ]
}

#[tokio::test]
async fn every_role_gets_what_is_its_own_and_nothing_else() {
    let world = world().await;
    for row in matrix(&world) {
        for ((name, caller), expected) in world.callers.iter().zip(row.statuses) {
            let mut request = caller.request(row.method.clone(), &row.path, row.body.as_ref());
            request.headers_mut().insert("idempotency-key", format!("key of {name}").parse().unwrap());
            let reply: Reply = caller.send(request).await;
            assert_eq!(
                reply.status.as_u16(),
                expected,
                "{name}: {} {}: {}",
                row.method,
                row.path,
                reply.text
            );
            if expected >= 400 {
                reply.is_problem();
            }
        }
    }
    assert_eq!(world.app.migration(&world.migration).await.state.name().as_str(), "cancelled");
}

#[tokio::test]
async fn a_stranger_cannot_tell_what_exists_from_what_does_not() {
    let world = world().await;
    let stranger = &world.callers[1].1;
    let mut without_id = Vec::new();
    for path in [
        format!("/v1/migrations/{}", world.migration),
        "/v1/migrations/mig_00000000000000000000000000000000".to_owned(),
    ] {
        let mut body = stranger.get(&path).await.problem(404, "api.not_found");
        body["request_id"] = Value::Null;
        without_id.push(body);
    }
    assert_eq!(without_id[0], without_id[1]);
}

#[tokio::test]
async fn lists_hold_what_is_the_caller_s() {
    let world = world().await;
    for (name, count) in [("stranger", 0), ("submitter", 1), ("owner", 1), ("support", 1), ("operator", 1)] {
        let caller = &world.callers.iter().find(|(known, _)| *known == name).unwrap().1;
        for path in ["/v1/migrations", "/v1/sites", "/v1/migrations?state=needs_support"] {
            let page = caller.get(path).await.expect(StatusCode::OK);
            assert_eq!(page["items"].as_array().unwrap().len(), count, "{name} {path}");
        }
    }
    let stranger = &world.callers[1].1;
    let ours = world.app.migration(&world.migration).await.organization;
    for path in ["/v1/migrations", "/v1/sites", "/v1/machine-tokens"] {
        stranger.get(&format!("{path}?organization={ours}")).await.problem(403, "api.forbidden");
    }
}

#[tokio::test]
async fn a_site_is_created_in_the_caller_s_organization_alone() {
    let world = world().await;
    let (stranger, operator) = (&world.callers[1].1, &world.callers[6].1);
    let ours = world.app.migration(&world.migration).await.organization;
    let body = |name: &str| json!({ "name": name, "destination": { "kind": "noop" }, "organization": ours });
    stranger.post("/v1/sites", &body("stolen")).await.problem(403, "api.forbidden");
    let given = operator.post("/v1/sites", &body("given")).await.expect(StatusCode::CREATED);
    assert_eq!(given["organization"], ours.to_string());
    let mut elsewhere = json!({ "site": "given", "source": { "kind": "noop", "units": 1, "unit_ms": 1 } });
    elsewhere["organization"] = organization().to_string().into();
    operator.submit("k", &elsewhere).await.problem(422, "api.invalid");
}
