//! Requests that may be sent twice and take effect once.
//!
//! The result is stored in the same commit as the effect, expected to be absent. So of two requests with one key,
//! in whatever processes, one commits and the other conflicts and finds the result of the first. Within one
//! process the second of two concurrent requests is told to wait instead.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use landfall_common::OrganizationId;
use landfall_common::ports::{DocumentKey, DocumentKind, DocumentWrite, Expect, Write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::state::ApiState;

/// Longest key, in bytes.
const KEY_MAX: usize = 255;

/// Names a request that takes effect once, and what was in it.
#[derive(Debug, Clone)]
pub(crate) struct OnceKey {
    id: String,
    payload: String,
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    payload: String,
    result: T,
}

impl OnceKey {
    /// The key of a scope (an organization, a token) and the payload that it stands for.
    pub(crate) fn new(scope: &str, key: &str, payload: &impl Serialize) -> Self {
        let payload = serde_json::to_vec(payload).expect("payloads are plain data");
        Self {
            // Hashed, because keys are the clients' and may hold anything.
            id: format!("{scope}/{}", blake3::hash(key.as_bytes()).to_hex()),
            payload: blake3::hash(&payload).to_hex().to_string(),
        }
    }

    /// The result of an earlier request with this key; a problem where it had another payload.
    pub(crate) async fn earlier<T: DeserializeOwned>(&self, state: &ApiState) -> Result<Option<T>, Problem> {
        let (_, found) = state.records.read::<Stored<T>>(DocumentKind::Idempotency, &self.id).await?;
        match found.map(|found| found.value) {
            Some(stored) if stored.payload == self.payload => Ok(Some(stored.result)),
            Some(_) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "api.idempotency_key_reused",
                "the same key came with another request before",
            )),
            None => Ok(None),
        }
    }

    /// Stores the result, for the commit of the effect.
    pub(crate) fn store(&self, result: &impl Serialize, keep: Duration) -> DocumentWrite {
        let stored = Stored { payload: self.payload.clone(), result };
        let body = serde_json::to_vec(&stored).expect("results are plain data");
        DocumentWrite {
            key: DocumentKey::new(DocumentKind::Idempotency, &self.id),
            expect: Expect::Absent,
            write: Write::Put(body.into()),
            expires_in: Some(keep),
        }
    }
}

/// The `Idempotency-Key` of a request that needs one, within its organization.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "api.idempotency_key_missing", detail);
    let value =
        headers.get("idempotency-key").ok_or_else(|| missing("the header Idempotency-Key is missing"))?;
    let key = value.to_str().map_err(|_| missing("the Idempotency-Key is not printable ASCII"))?.trim();
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(missing("the Idempotency-Key has to have 1 to 255 characters"));
    }
    Ok(key)
}

/// The scope of an organization's keys.
pub(crate) fn scope_of(organization: OrganizationId) -> String {
    organization.to_string()
}

/// Keys of requests that this process is working on: at most one for each open request.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<String>>>);

/// The right to work on a key; given back when dropped.
#[derive(Debug)]
pub(crate) struct Working {
    keys: InFlight,
    id: String,
}

impl InFlight {
    /// Takes the key, or says that a request with it is under way.
    pub(crate) fn take(&self, key: &OnceKey) -> Result<Working, Problem> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(key.id.clone()) {
            return Ok(Working { keys: self.clone(), id: key.id.clone() });
        }
        let detail = "a request with this Idempotency-Key is under way";
        Err(Problem::new(StatusCode::CONFLICT, "api.idempotency_in_progress", detail)
            .retry_after(Duration::from_secs(1)))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
