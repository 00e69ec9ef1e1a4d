//! The HTTP API as a client of it sees it. Shares no type with the server: what it relies on is the published JSON.

mod problem;
mod stream;
mod types;

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::exit::Failure;

pub(crate) use problem::Problem;
pub(crate) use stream::{Follow, Message};
pub(crate) use types::{Case, Count, Event, Migration, Page, Progress, Site, Token};

/// How long the server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long an answer may take; event streams have a limit of their own.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Largest answer that is read. Bytes.
const ANSWER_MAX: usize = 64 << 20;

/// A caller of the API.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    server: Url,
    token: Option<SecretString>,
    http: reqwest::Client,
}

impl Client {
    /// A caller of the API at `server` that presents `token`.
    pub(crate) fn new(mut server: Url, token: Option<SecretString>) -> Result<Self, Failure> {
        if !server.path().ends_with('/') {
            let path = format!("{}/", server.path());
            server.set_path(&path);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("landfall-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(anyhow::Error::from)?;
        Ok(Self { server, token, http })
    }

    /// GET of JSON.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let query: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
        json(self.send(self.request(Method::GET, path)?.query(&query)).await?).await
    }

    /// GET of text.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.send(self.request(Method::GET, path)?.header(ACCEPT, "text/plain")).await?;
        Ok(String::from_utf8_lossy(&body(answer).await?).into_owned())
    }

    /// GET of bytes.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        body(self.send(self.request(Method::GET, path)?).await?).await
    }

    /// POST of JSON, with an idempotency key, so that sending it twice does it once.
    pub(crate) async fn post(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path)?.header("idempotency-key", key).json(body);
        json(self.send(request).await?).await
    }

    /// PUT of JSON.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        json(self.send(self.request(Method::PUT, path)?.json(body)).await?).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Failure> {
        json(self.send(self.request(Method::DELETE, path)?).await?).await
    }

    /// One migration.
    pub(crate) async fn migration(&self, id: &str) -> Result<(Value, Migration), Failure> {
        let value = self.get(&path(&["v1", "migrations", id]), &[]).await?;
        Ok((value.clone(), typed(value)?))
    }

    /// Follows the timeline of a migration, from its beginning, through outages.
    pub(crate) fn follow(&self, id: &str) -> Follow {
        Follow::new(self.clone(), path(&["v1", "migrations", id, "events"]))
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.server.join(path).map_err(|error| Failure::Usage(format!("{path:?}: {error}")))?;
        let mut request = self.http.request(method, url).timeout(ANSWER_LIMIT);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        Ok(request)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let bytes = body(answer).await.unwrap_or_default();
        Err(Problem::read(status, &bytes, self.token.is_some()).into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        Failure::Unreachable { server: self.server.to_string(), cause: root_cause(error) }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Problem(Box::new(problem))
    }
}

/// A path below the server's URL; each part is one segment, whatever characters it has.
pub(crate) fn path(parts: &[&str]) -> String {
    let mut url = Url::parse("http://localhost/").expect("the base is a URL");
    url.path_segments_mut().expect("the base has a path").pop_if_empty().extend(parts);
    url.path().trim_start_matches('/').to_owned()
}

/// JSON as a type of the client's.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    let read = serde_json::from_value(value);
    read.map_err(|error| {
        anyhow::Error::from(error).context("the server's answer has another form than expected").into()
    })
}

async fn json(answer: Response) -> Result<Value, Failure> {
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    let bytes = body(answer).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let read = serde_json::from_slice(&bytes);
    read.map_err(|error| anyhow::Error::from(error).context("the server's answer is not JSON").into())
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let chunk = answer.chunk().await.map_err(|error| Failure::Unreachable {
            server: answer.url().origin().ascii_serialization(),
            cause: root_cause(&error),
        })?;
        let Some(chunk) = chunk else { return Ok(bytes) };
        if bytes.len() + chunk.len() > ANSWER_MAX {
            return Err(anyhow::anyhow!("the server's answer is larger than {} MiB", ANSWER_MAX >> 20).into());
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// The innermost cause, which says more than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(path(&["v1", "sites", "my-shop"]), "v1/sites/my-shop");
        assert_eq!(path(&["v1", "sites", "../x?y#z/"]), "v1/sites/..%2Fx%3Fy%23z%2F");
    }
}
