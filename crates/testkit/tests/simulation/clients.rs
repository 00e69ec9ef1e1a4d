//! People and services at the API: they submit, enrol, change their minds, and bring what stopped to its end.
//!
//! A client lives in the API's process, as the far end of its connections: when the process dies, what was asked for
//! and not answered is asked for again by the next one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use landfall_common::case::{CaseState, SupportCase};
use landfall_common::migration::State;
use landfall_common::ports::DocumentKind;
use landfall_common::{CaseId, Migration};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::scene::{Order, Plan, Scene};

/// The operator's token.
pub(crate) const OPERATOR: &str = "the-operator-of-the-simulation";
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at what stopped.
const LOOK: Duration = Duration::from_secs(20);
/// How often support sends a migration round in the calm.
const REPLAYS_MAX: usize = 2;

/// Calls the API.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) scene: Arc<Scene>,
    pub(crate) router: Router,
}

impl Clients {
    /// Makes what is not there yet, then lets every client do its part.
    pub(crate) async fn run(self) {
        self.set_up().await;
        for plan in self.scene.plans.clone() {
            let client = self.clone();
            tokio::spawn(async move { client.follow(plan).await });
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let content = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.header(header::CONTENT_TYPE, "application/json").body(content);
        let request = request.expect("a request of ours is well formed");
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap_or_default();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Sites and tokens: before anything goes wrong.
    async fn set_up(&self) {
        for plan in &self.scene.plans {
            if !self.scene.shared().tokens.contains_key(&plan.organization) {
                let body = json!({
                    "name": "owner", "owner_email": "owner@example.org", "role": "owner",
                    "organization": plan.organization,
                });
                let (status, made) =
                    self.ask(Method::POST, "/v1/machine-tokens", OPERATOR, None, &body).await;
                assert_eq!(status, StatusCode::CREATED, "{made}");
                let token = made["token"].as_str().expect("a token").to_owned();
                self.scene.shared().tokens.insert(plan.organization, token);
            }
            if self.scene.known(&plan.name).site.is_none() {
                let destination = if plan.has_source { hosted() } else { json!({ "kind": "noop" }) };
                let body = json!({ "name": plan.name, "destination": destination });
                let (status, made) =
                    self.ask(Method::POST, "/v1/sites", &self.token(plan), None, &body).await;
                assert_eq!(status, StatusCode::CREATED, "{made}");
                let site = made["id"].as_str().and_then(|id| id.parse().ok());
                self.scene.learn(&plan.name, |known| known.site = site);
            }
        }
        self.scene.shared().is_set_up = true;
    }

    fn token(&self, plan: &Plan) -> String {
        self.scene.shared().tokens.get(&plan.organization).cloned().unwrap_or_default()
    }

    async fn follow(self, plan: Plan) {
        let until = plan.begins.as_micros() as u64;
        let now = self.scene.world.lock().now();
        tokio::time::sleep(Duration::from_micros(until.saturating_sub(now))).await;
        self.submit(&plan).await;
        if plan.has_source && plan.enrols {
            self.enrol(&plan).await;
        }
        loop {
            let given = self.scene.known(&plan.name).given;
            let Some((wait, order)) = plan.orders.get(given).filter(|_| !self.scene.shared().is_calm) else {
                break;
            };
            tokio::time::sleep(*wait).await;
            self.give(&plan, *order).await;
            self.scene.learn(&plan.name, |known| known.given += 1);
        }
        self.bring_to_its_end(&plan).await;
    }

    /// Until it is accepted: the same key, however often.
    async fn submit(&self, plan: &Plan) {
        let body = submission(plan);
        while self.scene.known(&plan.name).migration.is_none() {
            let (status, made) =
                self.ask(Method::POST, "/v1/migrations", &self.token(plan), Some(&plan.key), &body).await;
            if status == StatusCode::ACCEPTED {
                let id = made["id"].as_str().and_then(|id| id.parse().ok());
                self.scene.learn(&plan.name, |known| known.migration = id);
            } else {
                self.must_be_trouble(status, &made);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn enrol(&self, plan: &Plan) {
        let body = json!({
            "token": self.token(plan), "site": plan.name, "url": format!("https://{}.example.org", plan.name),
            "wordpress": { "version": "6.1.1", "multisite": false }, "php": { "version": "8.2.7" },
            "plugin_version": "0.1.0", "nonce": format!("0123456789abcdef-{}", plan.name),
        });
        while !self.scene.known(&plan.name).has_enrolled {
            let (status, answer) = self.ask(Method::POST, "/v1/enrolments", "", None, &body).await;
            match status {
                StatusCode::CREATED => self.scene.learn(&plan.name, |known| known.has_enrolled = true),
                // Cancelled before, or lost with the store's last second.
                StatusCode::CONFLICT | StatusCode::NOT_FOUND => return,
                _ => {
                    self.must_be_trouble(status, &answer);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A submission that is not accepted is answered with what can be tried again; nothing else is wrong with it.
    fn must_be_trouble(&self, status: StatusCode, answer: &Value) {
        let is_known = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || answer["code"] == "api.idempotency_in_progress"
            || (answer["code"] == "api.conflict");
        if !is_known {
            self.scene.world.lock().violated(format!("the API answers {status}: {answer}"));
        }
    }

    async fn give(&self, plan: &Plan, order: Order) {
        let known = self.scene.known(&plan.name);
        let Some(id) = known.migration else { return };
        let token = self.token(plan);
        let steer = async |verb: &str| {
            let path = format!("/v1/migrations/{id}/{verb}");
            self.ask(Method::POST, &path, &token, None, &Value::Null).await
        };
        let (status, answer) = match order {
            Order::Pause => steer("pause").await,
            Order::Resume => steer("resume").await,
            Order::Cancel => steer("cancel").await,
            Order::RollBack => steer("rollback").await,
            Order::Credentials => {
                let site = known.site.map(|site| site.to_string()).unwrap_or_default();
                let body = json!({ "database_password": "a new one" });
                self.ask(Method::PUT, &format!("/v1/sites/{site}/credentials"), &token, None, &body).await
            }
            Order::Rival => {
                let key = format!("rival-{}-{}", plan.name, known.given);
                self.scene.shared().rivals.insert(key.clone());
                self.ask(Method::POST, "/v1/migrations", &token, Some(&key), &submission(plan)).await
            }
            Order::Replay(from) => {
                let Some(case) = self.case_of(plan) else { return };
                let body = json!({ "from": from, "reason": "the simulation" });
                self.ask(Method::POST, &format!("/v1/support/cases/{case}/replay"), OPERATOR, None, &body)
                    .await
            }
        };
        self.scene.world.lock().note("order", &format_args!("{order:?} for {id}: {status}"));
        if let (true, Some(action)) = (status.is_success(), action(order)) {
            *self.scene.shared().done.entry((id.to_string(), action.to_owned())).or_default() += 1;
        }
        if status == StatusCode::INTERNAL_SERVER_ERROR || status == StatusCode::BAD_REQUEST {
            self.scene.world.lock().violated(format!("the API answers {order:?} with {status}: {answer}"));
        }
    }

    fn migration(&self, plan: &Plan) -> Option<Migration> {
        let id = self.scene.known(&plan.name).migration?;
        self.scene.world.lock().migration(id)
    }

    fn case_of(&self, plan: &Plan) -> Option<CaseId> {
        match self.migration(plan)?.state {
            State::NeedsSupport { case, .. } => Some(case),
            State::AwaitingSource
            | State::Queued { .. }
            | State::Running { .. }
            | State::Paused { .. }
            | State::Succeeded
            | State::Cancelled { .. }
            | State::Rejected { .. }
            | State::RolledBack => None,
        }
    }

    /// In the calm, whoever waits for a person gets one.
    async fn bring_to_its_end(&self, plan: &Plan) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.scene.shared().is_calm {
                continue;
            }
            let Some(migration) = self.migration(plan) else { continue };
            match migration.state {
                State::Paused { .. } => self.give(plan, Order::Resume).await,
                State::NeedsSupport { .. } if self.scene.known(&plan.name).replays < REPLAYS_MAX => {
                    self.scene.learn(&plan.name, |known| known.replays += 1);
                    let from = if self.scene.known(&plan.name).replays == 1 { "checkpoint" } else { "start" };
                    self.give(plan, Order::Replay(from)).await;
                }
                State::AwaitingSource
                | State::Queued { .. }
                | State::Running { .. }
                | State::NeedsSupport { .. }
                | State::Succeeded
                | State::Cancelled { .. }
                | State::Rejected { .. }
                | State::RolledBack => {}
            }
        }
    }
}

/// What the audit calls it; none for what is noted under another name than the migration's.
fn action(order: Order) -> Option<&'static str> {
    match order {
        Order::Pause => Some("migration.pause"),
        Order::Resume => Some("migration.resume"),
        Order::Cancel => Some("migration.cancel"),
        Order::RollBack => Some("migration.rollback"),
        Order::Replay(_) => Some("case.replay"),
        Order::Credentials | Order::Rival => None,
    }
}

fn submission(plan: &Plan) -> Value {
    let source = if plan.has_source {
        json!({ "kind": "wordpress", "url": format!("https://{}.example.org", plan.name) })
    } else {
        json!({ "kind": "noop", "units": 1, "unit_ms": 1 })
    };
    json!({ "site": plan.name, "source": source })
}

/// Whether support was told of every case that is open.
pub(crate) fn untold_cases(scene: &Scene) -> Vec<CaseId> {
    let world = scene.world.lock();
    let cases = world.store.documents(DocumentKind::Case);
    let cases = cases.filter_map(|(_, body)| serde_json::from_slice::<SupportCase>(body).ok());
    cases.filter(|case| case.state == CaseState::Open && !case.announced).map(|case| case.id).collect()
}

fn hosted() -> Value {
    json!({
        "kind": "hosted",
        "url": "https://new.example.org",
        "files": {
            "kind": "sftp", "host": "files.example.org", "user": "site", "root": "/htdocs",
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS",
        },
        "database": { "host": "db.example.org", "user": "site", "name": "site" },
        "document_root": "/srv/site/htdocs",
    })
}
