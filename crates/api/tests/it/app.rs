//! The API in a test, and its callers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use landfall_api::{ApiOptions, ApiState, Limits, Rate};
use landfall_backends::memory::MemoryQueue;
use landfall_backends::seal::{KeyringSealer, SealingKey};
use landfall_backends::sqlite::{SqliteOptions, SqliteStore};
use landfall_common::migration::{Command, SliceEnd, SliceName};
use landfall_common::ports::{DocumentKind, Sealed, Sealer};
use landfall_common::records::Records;
use landfall_common::{AttemptId, CaseId, Failure, Migration, MigrationId, OrganizationId, State, WorkerId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

use crate::faulty::{Fault, Faulty};

/// The operator's token of every test.
pub(crate) const OPERATOR: &str = "operator-secret-of-the-test";

/// An API with a store of its own.
pub(crate) struct App {
    pub(crate) records: Records,
    /// The same store as other processes reach it, whatever the API's faults.
    pub(crate) direct: Records,
    pub(crate) sealer: Arc<KeyringSealer>,
    pub(crate) state: ApiState,
    router: Router,
    store: Arc<Faulty>,
    _folder: TempDir,
}

impl App {
    /// With limits that no test meets by accident.
    pub(crate) fn new() -> Self {
        Self::with(Self::limits())
    }

    /// What `new` takes.
    pub(crate) fn limits() -> Limits {
        let wide = Rate::new(Duration::from_micros(1), 1_000_000);
        Limits { per_address: wide, per_token: wide, enrolments: wide, ..Limits::default() }
    }

    /// With these limits.
    pub(crate) fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&SqliteOptions::new(folder.path().join("store.sqlite"))).unwrap();
        let direct = Arc::new(store);
        let store = Arc::new(Faulty::new(direct.clone()));
        let direct = Records::new(direct, Uuid::now_v7);
        let records = Records::new(store.clone(), Uuid::now_v7);
        let key = SealingKey {
            key_id: "k1".to_owned(),
            key: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
        };
        let sealer = Arc::new(KeyringSealer::new(&[key]).unwrap());
        let state = ApiState::new(ApiOptions {
            records: records.clone(),
            queue: Some(Arc::new(MemoryQueue::new())),
            sealer: sealer.clone(),
            bootstrap_token: Some(OPERATOR.into()),
            public_url: "https://landfall.test/".parse().unwrap(),
            metrics: None,
            plugin_zip: Some(Bytes::from_static(b"PK\x05\x06")),
            limits,
        });
        let router = landfall_api::router(state.clone());
        Self { records, direct, sealer, state, router, store, _folder: folder }
    }

    /// From now on the store does this.
    pub(crate) fn fault(&self, fault: Fault) {
        self.store.set(fault);
    }

    /// A caller with a token.
    pub(crate) fn caller(&self, token: &str) -> Caller {
        Caller { router: self.router.clone(), token: Some(token.to_owned()) }
    }

    /// A caller without any.
    pub(crate) fn anonymous(&self) -> Caller {
        Caller { router: self.router.clone(), token: None }
    }

    /// The operator.
    pub(crate) fn operator(&self) -> Caller {
        self.caller(OPERATOR)
    }

    /// The text of a new token.
    pub(crate) async fn token(&self, role: &str, organization: OrganizationId) -> String {
        let body = json!({
            "name": "a test's", "owner_email": "owner@example.org", "role": role, "organization": organization,
        });
        let made = self.operator().post("/v1/machine-tokens", &body).await.expect(StatusCode::CREATED);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A caller with a new token.
    pub(crate) async fn role(&self, role: &str, organization: OrganizationId) -> Caller {
        self.caller(&self.token(role, organization).await)
    }

    /// The migration as the store has it.
    pub(crate) async fn migration(&self, id: &str) -> Migration {
        self.records.migration(id.parse().unwrap()).await.unwrap().1.unwrap().value
    }

    /// Applies a command as another role would.
    pub(crate) async fn apply(&self, id: &str, command: Command) -> Migration {
        let id: MigrationId = id.parse().unwrap();
        self.records.apply(id, command, "", |_, _| {}).await.unwrap().transition.migration
    }

    /// A worker claims the slice that is due.
    pub(crate) async fn claim(&self, id: &str) -> AttemptId {
        let migration = self.migration(id).await;
        let State::Queued { at } = migration.state else { panic!("{id} is {}", migration.state.name()) };
        let attempt = AttemptId::from_uuid(Uuid::now_v7());
        let slice = SliceName { generation: migration.generation, phase: at.phase, slice: at.slice };
        let worker = WorkerId::from_uuid(Uuid::now_v7());
        self.apply(id, Command::Claim { slice, worker, attempt }).await;
        attempt
    }

    /// A worker ends the slice that it claimed.
    pub(crate) async fn end(&self, id: &str, attempt: AttemptId, end: SliceEnd) {
        let case = CaseId::from_uuid(Uuid::now_v7());
        self.apply(id, Command::EndSlice { attempt, end, checkpoint: None, case }).await;
    }

    /// The next slice fails with this code.
    pub(crate) async fn fail(&self, id: &str, code: &'static str) {
        let attempt = self.claim(id).await;
        self.end(id, attempt, SliceEnd::Failed(Failure::new(code, "as the test wants it"))).await;
    }

    /// All phases succeed.
    pub(crate) async fn succeed(&self, id: &str) {
        for _ in 0..3 {
            let attempt = self.claim(id).await;
            self.end(id, attempt, SliceEnd::PhaseDone { output: json!({}) }).await;
        }
    }

    /// What a worker finds in a sealed secret.
    pub(crate) async fn secret<T: DeserializeOwned>(&self, id: &str) -> Option<T> {
        let (_, found) = self.records.read::<Sealed>(DocumentKind::Secret, id).await.unwrap();
        let plain = self.sealer.open(id, &found?.value).unwrap();
        Some(serde_json::from_slice(&plain).unwrap())
    }
}

/// A new organization.
pub(crate) fn organization() -> OrganizationId {
    OrganizationId::from_uuid(Uuid::now_v7())
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Caller {
    router: Router,
    token: Option<String>,
}

impl Caller {
    /// A caller of another router.
    pub(crate) fn of(router: Router, token: &str) -> Self {
        Self { router, token: Some(token.to_owned()) }
    }

    /// A request of this caller's; a body is JSON.
    pub(crate) fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(body.map_or_else(Body::empty, |body| body.to_string().into())).unwrap()
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Opens a response whose body goes on.
    pub(crate) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path, Some(body))).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PUT, path, Some(body))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path, None)).await
    }

    /// Submits with a key.
    pub(crate) async fn submit(&self, key: &str, body: &Value) -> Reply {
        let mut request = self.request(Method::POST, "/v1/migrations", Some(body));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    /// A site without destination; its id.
    pub(crate) async fn noop_site(&self, name: &str) -> String {
        let body = json!({ "name": name, "destination": { "kind": "noop" } });
        id_of(&self.post("/v1/sites", &body).await.expect(StatusCode::CREATED))
    }

    /// A site with a destination by SFTP; its id.
    pub(crate) async fn hosted_site(&self, name: &str) -> String {
        let body = json!({ "name": name, "destination": destination() });
        id_of(&self.post("/v1/sites", &body).await.expect(StatusCode::CREATED))
    }

    /// A no-op migration; its id.
    pub(crate) async fn noop_migration(&self, site: &str) -> String {
        let key = Uuid::now_v7().to_string();
        id_of(&self.submit(&key, &noop(site)).await.expect(StatusCode::ACCEPTED))
    }

    /// A migration that waits for its source; its id.
    pub(crate) async fn wordpress_migration(&self, site: &str, url: &str) -> String {
        let key = Uuid::now_v7().to_string();
        let body = json!({ "site": site, "source": { "kind": "wordpress", "url": url } });
        id_of(&self.submit(&key, &body).await.expect(StatusCode::ACCEPTED))
    }
}

/// A no-op submission.
pub(crate) fn noop(site: &str) -> Value {
    json!({ "site": site, "source": { "kind": "noop", "units": 3, "unit_ms": 1 } })
}

/// A destination by SFTP.
pub(crate) fn destination() -> Value {
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

/// The id of a thing.
pub(crate) fn id_of(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}")).to_owned()
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The body, if the status is this.
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The body of a problem, if its status and code are these. Checks what every problem has.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{}", self.text);
        self.is_problem();
        body
    }

    /// Whether it is a whole problem, whichever.
    #[track_caller]
    pub(crate) fn is_problem(&self) {
        let body = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(body["status"].as_u64(), Some(u64::from(self.status.as_u16())), "{}", self.text);
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{}", self.text);
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["type"].as_str(), Some(format!("/errors/{code}").as_str()));
        let known = landfall_common::codes::CATALOGUE.iter().find(|entry| entry.code == code);
        assert_eq!(body["title"].as_str(), Some(known.expect("the code is in the catalogue").title));
        assert!(body["detail"].is_string(), "{}", self.text);
    }

    /// A header's value; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
