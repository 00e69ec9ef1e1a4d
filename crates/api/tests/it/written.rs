//! What every endpoint answers, written down: a change of the surface shows in review.

use axum::http::Method;
use landfall_common::progress::{Count, Progress};
use landfall_common::{Phase, StoreTime};
use serde_json::json;

use crate::app::{App, Reply, destination, id_of, noop, organization};

/// Status, telling headers and body, with what differs from run to run replaced.
fn written(reply: &Reply) -> String {
    let mut text = format!("{}\n", reply.status.as_u16());
    let telling = [
        "location",
        "etag",
        "content-type",
        "retry-after",
        "www-authenticate",
        "allow",
        "idempotent-replayed",
    ];
    for name in telling {
        if !reply.header(name).is_empty() {
            text.push_str(&format!("{name}: {}\n", reply.header(name)));
        }
    }
    let json = reply.json();
    let body = if json.is_null() { reply.text.clone() } else { serde_json::to_string_pretty(&json).unwrap() };
    stable(&format!("{text}\n{body}"))
}

/// Ids are numbered by their first appearance; secrets, times and cursors are named.
fn stable(text: &str) -> String {
    let mut seen: Vec<String> = Vec::new();
    text.lines().map(|line| without_values(&without_ids(line, &mut seen))).collect::<Vec<_>>().join("\n")
}

fn without_ids(line: &str, seen: &mut Vec<String>) -> String {
    let mut line = line.to_owned();
    for prefix in ["mig_", "site_", "org_", "tok_", "case_", "req_", "wkr_"] {
        let mut from = 0;
        while let Some(found) = line[from..].find(prefix) {
            let at = from + found + prefix.len();
            let digits: String = line[at..].chars().take_while(char::is_ascii_hexdigit).collect();
            from = at;
            if digits.len() == 32 {
                let id = format!("{prefix}{digits}");
                let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
                    seen.push(id);
                    seen.len() - 1
                });
                line.replace_range(at..at + 32, &format!("<{number}>"));
            }
        }
    }
    line
}

fn without_values(line: &str) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("_at\"", "<time>"),
        ("\"at\"", "<time>"),
        ("\"token\"", "<token>"),
        ("\"next\"", "<cursor>"),
        ("\"secret\"", "<secret>"),
        ("\"status_token\"", "<status token>"),
    ];
    let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
    let Some((_, name)) = NAMES.iter().find(|(end, _)| key.ends_with(end)) else { return line.to_owned() };
    format!("{key}: \"{name}\"{}", if value.ends_with(',') { "," } else { "" })
}

#[tokio::test]
async fn submitting_and_showing() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.hosted_site("shop").await;
    let body = json!({
        "site": "shop",
        "source": { "kind": "wordpress", "url": "https://old.example.org/blog" },
        "options": {
            "overwrite": true, "destination_url": "https://www.example.org", "exclude": ["wp-content/backups/*"],
            "paths": [{ "from": "/home/old/htdocs", "to": "/srv/site/htdocs" }],
        },
    });
    let accepted = owner.submit("key-1", &body).await;
    insta::assert_snapshot!("migration_accepted", written(&accepted));
    let id = id_of(&accepted.json());
    insta::assert_snapshot!("migration_awaiting", written(&owner.get(&format!("/v1/migrations/{id}")).await));
    insta::assert_snapshot!(
        "migration_events",
        written(&owner.get(&format!("/v1/migrations/{id}/events")).await)
    );
    insta::assert_snapshot!(
        "migrations_list",
        written(&owner.get("/v1/migrations?limit=1&state=awaiting_source").await)
    );
    insta::assert_snapshot!(
        "migration_no_report",
        written(&owner.get(&format!("/v1/migrations/{id}/report")).await)
    );
    let busy = owner.submit("key-2", &body).await;
    insta::assert_snapshot!("migration_site_busy", written(&busy));
}

#[tokio::test]
async fn running_with_progress() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    app.claim(&id).await;
    let mut progress = Progress::at(Phase::Snapshot, "count_units");
    progress.files = Count { done: 1, total: Some(4) };
    let value = serde_json::to_vec(&progress).unwrap().into();
    let store = app.records.store();
    store.put_ephemeral(&format!("progress/{id}"), value, std::time::Duration::from_secs(60)).await.unwrap();
    insta::assert_snapshot!("migration_running", written(&owner.get(&format!("/v1/migrations/{id}")).await));
    let cancel = owner.send(owner.request(Method::POST, &format!("/v1/migrations/{id}/cancel"), None)).await;
    insta::assert_snapshot!("migration_cancel_requested", written(&cancel));
    let rollback =
        owner.send(owner.request(Method::POST, &format!("/v1/migrations/{id}/rollback"), None)).await;
    insta::assert_snapshot!("migration_rollback_refused", written(&rollback));
}

#[tokio::test]
async fn sites() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let body = json!({
        "name": "shop", "destination": destination(),
        "credentials": { "database_password": "p1", "sftp_password": "p2" },
    });
    let created = owner.post("/v1/sites", &body).await;
    insta::assert_snapshot!("site_created", written(&created));
    insta::assert_snapshot!("site_shown", written(&owner.get("/v1/sites/shop").await));
    insta::assert_snapshot!("sites_list", written(&owner.get("/v1/sites").await));
    insta::assert_snapshot!("site_name_taken", written(&owner.post("/v1/sites", &body).await));
    let id = id_of(&created.json());
    let put = owner.put(&format!("/v1/sites/{id}/credentials"), &json!({ "database_password": "p3" })).await;
    insta::assert_snapshot!("site_credentials_replaced", written(&put));
}

#[tokio::test]
async fn machine_tokens() {
    let app = App::new();
    let operator = app.operator();
    let body = json!({ "name": "the owner's", "owner_email": "owner@example.org", "role": "owner" });
    let made = operator.post("/v1/machine-tokens", &body).await;
    insta::assert_snapshot!("token_made", written(&made));
    let id = id_of(&made.json());
    let owner = app.caller(made.json()["token"].as_str().unwrap());
    insta::assert_snapshot!("tokens_list", written(&owner.get("/v1/machine-tokens").await));
    insta::assert_snapshot!(
        "token_revoked",
        written(&owner.delete(&format!("/v1/machine-tokens/{id}")).await)
    );
    insta::assert_snapshot!("token_refused", written(&owner.get("/v1/machine-tokens").await));
}

#[tokio::test]
async fn enrolling() {
    let app = App::new();
    let organization = organization();
    let token = app.token("owner", organization).await;
    let owner = app.caller(&token);
    owner.hosted_site("shop").await;
    owner.wordpress_migration("shop", "https://old.example.org").await;
    let body = crate::enrolments::introduction(&token, "shop", "https://old.example.org/");
    let enrolled = app.anonymous().post("/v1/enrolments", &body).await;
    insta::assert_snapshot!("enrolled", written(&enrolled));
    let status_url = enrolled.json()["status_url"].as_str().unwrap().to_owned();
    let page = app.caller(enrolled.json()["status_token"].as_str().unwrap());
    let status = page.get(status_url.trim_start_matches("https://landfall.test")).await;
    insta::assert_snapshot!("enrolment_status", written(&status));
}

#[tokio::test]
async fn support_cases() {
    let app = App::new();
    let owner = app.role("owner", organization()).await;
    let support = app.role("support", organization()).await;
    owner.noop_site("doomed").await;
    let migration = owner.noop_migration("doomed").await;
    app.fail(&migration, "destination.disk_full").await;
    let list = support.get("/v1/support/cases?code=destination.disk_full&phase=snapshot").await;
    insta::assert_snapshot!("cases_list", written(&list));
    let id = id_of(&list.json()["items"][0]);
    insta::assert_snapshot!("case_shown", written(&support.get(&format!("/v1/support/cases/{id}")).await));
    let replay = json!({ "from": "checkpoint", "reason": "made room" });
    let replayed = support.post(&format!("/v1/support/cases/{id}/replay"), &replay).await;
    insta::assert_snapshot!("case_replayed", written(&replayed));
    let again = support.post(&format!("/v1/support/cases/{id}/replay"), &replay).await;
    insta::assert_snapshot!("case_overtaken", written(&again));
    let resolve = json!({ "resolution": "the disk was full" });
    let resolved = support.post(&format!("/v1/support/cases/{id}/resolve"), &resolve).await;
    insta::assert_snapshot!("case_resolved", written(&resolved));
}

#[tokio::test]
async fn problems() {
    let app = App::new();
    let operator = app.operator();
    let bad = json!({
        "site": "", "source": { "kind": "noop", "units": 0 }, "owner_email": "nobody",
        "options": { "paths": [{ "from": "relative" }], "noop_fail": "no.such", "destination_url": "ftp://x" },
    });
    insta::assert_snapshot!("problem_invalid_fields", written(&operator.submit("k", &bad).await));
    let wrong = json!({ "site": "x", "source": { "kind": "noop", "units": "many", "unit_ms": 1 } });
    insta::assert_snapshot!("problem_wrong_type", written(&operator.submit("k", &wrong).await));
    insta::assert_snapshot!("problem_no_key", written(&operator.post("/v1/migrations", &noop("x")).await));
    insta::assert_snapshot!("problem_unauthorized", written(&app.anonymous().get("/v1/migrations").await));
    insta::assert_snapshot!("problem_unknown_path", written(&operator.get("/nowhere").await));
    insta::assert_snapshot!("problem_method", written(&operator.delete("/v1/migrations").await));
    insta::assert_snapshot!("error_page", written(&app.anonymous().get("/errors/api.site_busy").await));
    app.fault(crate::faulty::Fault::Unavailable);
    insta::assert_snapshot!("problem_unavailable", written(&operator.get("/v1/migrations").await));
    insta::assert_snapshot!("not_ready", written(&operator.get("/readyz").await));
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let id = landfall_common::MigrationId::from_uuid(uuid::Uuid::now_v7());
    let at = StoreTime(1);
    let text =
        stable(&format!("{{\n \"id\": \"{id}\",\n \"created_at\": \"{at:?}\",\n \"again\": \"{id}\"\n}}"));
    assert_eq!(text, "{\n \"id\": \"mig_<0>\",\n \"created_at\": \"<time>\",\n \"again\": \"mig_<0>\"\n}");
}
