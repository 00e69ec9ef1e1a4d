//! One request to the plugin: signed, sent, and its answer opened.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use reqwest::header::{HeaderValue, LOCATION};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::answer::{Answer, Expected};
use super::diagnosis::diagnose_transport;
use super::endpoint::{SourceEndpoint, SourceLimits};
use super::error::SourceError;
use super::exchanges::Exchanges;
use super::greeting::{Greeting, Route};
use super::keys::Signed;
use super::pace::{Pace, Permit};
use super::seal::{Cipher, Sealer};
use crate::hex::{random_hex, sha256_hex};
use crate::memory::MemoryBudget;
use crate::net::{AddressPolicy, is_loopback_url};

/// What the plugin can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Hello,
    Preflight,
    ListFiles,
    ReadFiles,
    Schema,
    TableMarks,
    ReadRows,
    Finish,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Preflight => "preflight",
            Self::ListFiles => "list_files",
            Self::ReadFiles => "read_files",
            Self::Schema => "schema",
            Self::TableMarks => "table_marks",
            Self::ReadRows => "read_rows",
            Self::Finish => "finish",
        }
    }
}

/// The way to one source. Shared by all readers.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) http: reqwest::Client,
    pub(super) endpoint: SourceEndpoint,
    pub(super) policy: AddressPolicy,
    pub(crate) limits: Arc<SourceLimits>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) memory: MemoryBudget,
    pub(crate) exchanges: Exchanges,
    pub(super) greeting: Mutex<Option<Arc<Greeting>>>,
}

impl Connection {
    pub(crate) fn new(
        endpoint: SourceEndpoint,
        policy: AddressPolicy,
        limits: SourceLimits,
        memory: MemoryBudget,
    ) -> Result<Self, SourceError> {
        // Only the first provider of a process counts; an error says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pinned: HashMap<_, _> = endpoint
            .address
            .and_then(|address| endpoint.url.host_str().map(|host| (host.to_owned(), address)))
            .into_iter()
            .collect();
        let http = reqwest::Client::builder()
            .user_agent(concat!("Landfall/", env!("CARGO_PKG_VERSION"), " (site migration)"))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(policy.resolver(pinned))
            .connect_timeout(limits.connect)
            .pool_idle_timeout(Duration::from_secs(20))
            .build()
            .map_err(|error| SourceError::Tls(Box::new(error)))?;
        let pace = Pace::new(limits.parallel_max);
        let (limits, greeting) = (Arc::new(limits), Mutex::new(None));
        let exchanges = Exchanges::default();
        Ok(Self { http, endpoint, policy, limits, pace, memory, exchanges, greeting })
    }

    /// Sends one request and returns its answer behind the header frame. Greets the source first if need be.
    pub(crate) async fn ask(&self, verb: Verb, params: Value) -> Result<Answer, SourceError> {
        let permit = self.pace.permit().await;
        let result = self.ask_with(permit, verb, params).await;
        if let Err(error) = &result {
            self.pace.went_badly();
            if error.is_of_the_route()
                || matches!(error, SourceError::Redirected { .. } | SourceError::ClockSkew(_))
            {
                // Another way may be open, or the clock was set; the next request finds out.
                self.greeting.lock().await.take();
            }
        }
        result
    }

    async fn ask_with(&self, permit: Permit, verb: Verb, params: Value) -> Result<Answer, SourceError> {
        let greeting = self.greeted().await?;
        self.send(permit, verb, params, &greeting).await
    }

    /// Whether the answers of a verb shrink when they are compressed. Most bytes of files are compressed already.
    fn shrinks(verb: Verb) -> bool {
        match verb {
            Verb::ReadRows | Verb::ListFiles | Verb::Schema | Verb::Preflight => true,
            Verb::Hello | Verb::ReadFiles | Verb::TableMarks | Verb::Finish => false,
        }
    }

    /// Sends one request the way that the greeting names.
    pub(super) async fn send(
        &self,
        permit: Permit,
        verb: Verb,
        params: Value,
        greeting: &Greeting,
    ) -> Result<Answer, SourceError> {
        let url = greeting.route.url(&greeting.base, self.endpoint.admin_url.as_ref());
        self.policy.check_url(&url).map_err(SourceError::AddressRefused)?;
        let must_seal = self.must_seal(&url);
        let nonce = random_hex::<16>();
        let params = self.complete_params(verb, params, &permit, &url);
        let cipher = if must_seal { greeting.cipher } else { None };
        let (body, auth) = self.sign(&url, verb, &params, cipher, &nonce, greeting.clock_offset_s);
        let mut request = self
            .http
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-encoding", "identity")
            .header("cache-control", "no-cache")
            .header("x-landfall-auth", auth)
            .body(body);
        if let Some(basic) = &self.endpoint.basic_auth {
            request = request.basic_auth(&basic.user, Some(basic.password.expose_secret()));
        }
        let began = Instant::now();
        let response = self.response_to(request, &url).await.inspect_err(|error| {
            self.exchanges.note(verb.name(), None, began.elapsed(), 0, &error.explain());
        })?;
        let expected = Expected {
            keys: self.endpoint.keys.clone(),
            nonce,
            migration: self.endpoint.migration.clone(),
            must_be_sealed: must_seal && verb != Verb::Hello,
            stall: self.limits.stall,
            verb: verb.name(),
            exchanges: self.exchanges.clone(),
        };
        Answer::open(response, expected, permit, Arc::clone(&self.pace), began).await
    }

    async fn response_to(
        &self,
        request: reqwest::RequestBuilder,
        url: &Url,
    ) -> Result<reqwest::Response, SourceError> {
        let response = tokio::time::timeout(self.limits.stall, request.send())
            .await
            .map_err(|_| SourceError::Stalled(self.limits.stall))?
            .map_err(diagnose_transport)?;
        if response.status().is_redirection() {
            return Err(redirected(url, response.headers().get(LOCATION)));
        }
        Ok(response)
    }

    /// Whether data may not travel in clear.
    pub(super) fn must_seal(&self, url: &Url) -> bool {
        url.scheme() != "https" && !self.endpoint.plain_ok && !is_loopback_url(url)
    }

    /// What every request says beside the parameters of its verb.
    fn complete_params(&self, verb: Verb, mut params: Value, permit: &Permit, url: &Url) -> Vec<u8> {
        if let Some(object) = params.as_object_mut() {
            object.insert("scheme".into(), url.scheme().into());
            object.insert("plain_ok".into(), self.endpoint.plain_ok.into());
            object.insert("ciphers".into(), json!(Cipher::KNOWN.map(Cipher::name)));
            object.insert("deflate".into(), (permit.allowance.deflate && Self::shrinks(verb)).into());
            object.entry("budget_ms").or_insert(permit.allowance.time_ms.into());
            object.entry("bytes_max").or_insert(permit.allowance.bytes.into());
        }
        params.to_string().into_bytes()
    }

    /// The body of a request, and the value of the header that repeats its signature.
    fn sign(
        &self,
        url: &Url,
        verb: Verb,
        params: &[u8],
        cipher: Option<Cipher>,
        nonce: &str,
        clock_offset_s: i64,
    ) -> (String, HeaderValue) {
        let keys = &self.endpoint.keys;
        let params = match cipher {
            Some(cipher) => URL_SAFE.encode(
                Sealer::new(cipher, &keys.sealing_key("params", nonce, "")).seal(params, b"params", 0),
            ),
            None => URL_SAFE.encode(params),
        };
        let host = host_of(url);
        let cipher = cipher.map_or("", Cipher::name);
        let body_hash = sha256_hex(params.as_bytes());
        let time = now_s() + clock_offset_s;
        let migration = &self.endpoint.migration;
        let signed =
            Signed { host: &host, verb: verb.name(), migration, time, nonce, cipher, body_hash: &body_hash };
        let signature = keys.sign_request(&signed);
        let verb = verb.name();
        let auth = format!("m={migration},t={time},n={nonce},h={body_hash},s={signature}");
        let body = format!("v=1&verb={verb}&host={host}&c={cipher}&{}&p={params}", auth.replace(',', "&"));
        let mut auth = HeaderValue::try_from(auth).expect("ids, digits and hex are valid in a header");
        auth.set_sensitive(true);
        (body, auth)
    }
}

/// Host of a URL with any port but the scheme's own, as it stands in the `Host` header.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn redirected(url: &Url, location: Option<&HeaderValue>) -> SourceError {
    let location = location
        .and_then(|value| value.to_str().ok())
        .and_then(|text| url.join(text).ok())
        .map_or_else(|| "nowhere".to_owned(), |target| target.to_string());
    SourceError::Redirected { location }
}

/// Seconds since 1970 by this machine's clock.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The first way to the plugin that is tried.
pub(super) fn first_route() -> Route {
    Route::Home
}
