//! The HTTP API as its users call it: JSON in, JSON out. Shares no type with the product.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use url::Url;

/// How often a state is asked for.
const POLL: Duration = Duration::from_millis(200);

/// A caller with a token.
#[derive(Debug, Clone)]
pub struct Api {
    base: Url,
    token: String,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success; a failure with all that the answer says otherwise.
    pub fn success(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "the API answered {}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Api {
    /// A caller of the API at `base`.
    pub fn new(base: Url, token: impl Into<String>) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { base, token: token.into(), http })
    }

    /// The same API with another token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// Where the API is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(self.base.join(path)?)).await
    }

    /// POST of JSON; each call has an idempotency key of its own.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let key = format!("test-{:032x}", rand::random::<u128>());
        self.send(self.http.post(self.base.join(path)?).header("idempotency-key", key).json(body)).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.http.put(self.base.join(path)?).json(body)).await
    }

    /// The bytes at a path.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.http.get(self.base.join(path)?).bearer_auth(&self.token).send().await?;
        Ok(answer.error_for_status()?.bytes().await?.to_vec())
    }

    /// The text at a path.
    pub async fn text(&self, path: &str) -> Result<String> {
        let request = self.http.get(self.base.join(path)?).header("accept", "text/plain");
        Ok(request.bearer_auth(&self.token).send().await?.error_for_status()?.text().await?)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let answer = request.bearer_auth(&self.token).send().await.context("the API does not answer")?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// A site without files and database, for no-op migrations.
    pub async fn noop_site(&self, name: &str) -> Result<String> {
        let body = json!({ "name": name, "destination": { "kind": "noop" } });
        text_of(&self.post("/v1/sites", &body).await?.success()?, "id")
    }

    /// A no-op migration to that site.
    pub async fn noop_migration(
        &self,
        site: &str,
        units: u32,
        unit_ms: u32,
        options: Value,
    ) -> Result<String> {
        let source = json!({ "kind": "noop", "units": units, "unit_ms": unit_ms });
        let body = json!({ "site": site, "source": source, "options": options });
        text_of(&self.post("/v1/migrations", &body).await?.success()?, "id")
    }

    /// A migration.
    pub async fn migration(&self, id: &str) -> Result<Value> {
        self.get(&format!("/v1/migrations/{id}")).await?.success()
    }

    /// The name of its state.
    pub async fn state(&self, id: &str) -> Result<String> {
        state_of(&self.migration(id).await?)
    }

    /// Waits until it is in one of these states; fails at once in any other that it will not leave by itself.
    pub async fn wait_for(&self, id: &str, states: &[&str], limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            // The store may be on its way back up: that is what some tests are about.
            let last = match self.migration(id).await {
                Ok(migration) => {
                    let state = state_of(&migration)?;
                    if states.contains(&state.as_str()) {
                        return Ok(migration);
                    }
                    let moves = ["queued", "running", "awaiting_source", "paused"].contains(&state.as_str());
                    ensure!(moves, "{id} is {state}, not {states:?}: {migration}");
                    state
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                let events = self.events(id).await.map(|events| messages(&events)).unwrap_or_default();
                bail!("{id} is not {states:?} after {limit:?}: {last}\n{}", events.join("\n"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its timeline.
    pub async fn events(&self, id: &str) -> Result<Vec<Value>> {
        let body = self.get(&format!("/v1/migrations/{id}/events?limit=500")).await?.success()?;
        Ok(body["items"].as_array().cloned().unwrap_or_default())
    }
}

/// Asks again and again whether something holds, at most for `limit`, and not so often that the API's limit of requests
/// is reached.
pub async fn until<F, R>(what: &str, limit: Duration, mut is_so: F) -> Result<()>
where
    F: FnMut() -> R,
    R: Future<Output = bool>,
{
    let deadline = Instant::now() + limit;
    while !is_so().await {
        ensure!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The messages of events.
pub fn messages(events: &[Value]) -> Vec<String> {
    events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
}

/// The name of a migration's state.
pub fn state_of(migration: &Value) -> Result<String> {
    migration["state"]
        .as_str()
        .or_else(|| migration["state"]["name"].as_str())
        .map(str::to_owned)
        .with_context(|| format!("a migration has a state: {migration}"))
}

/// A text field.
pub fn text_of(value: &Value, field: &str) -> Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("{field} is missing in {value}"))
}
