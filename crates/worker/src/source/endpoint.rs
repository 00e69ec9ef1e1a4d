//! Where a source is and how it is to be treated.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::keys::Keys;

/// A source as its migration names it.
#[derive(Debug, Clone)]
pub struct SourceEndpoint {
    pub(crate) url: Url,
    pub(crate) migration: String,
    pub(crate) keys: Keys,
    pub(crate) admin_url: Option<Url>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) plain_ok: bool,
    pub(crate) basic_auth: Option<BasicAuth>,
}

/// User name and password of a site behind HTTP basic authentication.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

impl SourceEndpoint {
    /// A source by its home URL, the id of the migration that it enrolled for, and the raw secret that it was given.
    pub fn new(url: Url, migration: impl Into<String>, secret: Vec<u8>) -> Self {
        Self {
            url,
            migration: migration.into(),
            keys: Keys::new(secret),
            admin_url: None,
            address: None,
            plain_ok: false,
            basic_auth: None,
        }
    }

    /// The URL of wp-admin, where it is not below the home URL. Used when the home URL does not answer.
    #[must_use]
    pub fn with_admin_url(mut self, url: Url) -> Self {
        self.admin_url = Some(url);
        self
    }

    /// Connects to this address instead of what the host's name resolves to. The address policy holds for it too.
    #[must_use]
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The owner agreed, on the record, to unencrypted frames over plain http.
    #[must_use]
    pub fn with_plain_ok(mut self) -> Self {
        self.plain_ok = true;
        self
    }

    /// Credentials for a site behind HTTP basic authentication.
    #[must_use]
    pub fn with_basic_auth(mut self, credentials: BasicAuth) -> Self {
        self.basic_auth = Some(credentials);
        self
    }
}

/// Limits of the client. The defaults suit shared hosting.
#[derive(Debug, Clone)]
pub struct SourceLimits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for the first byte of an answer, and between two pieces of it. There is no limit to the total.
    pub stall: Duration,
    /// How often a request is repeated in a row before the error is returned. Any progress starts the count anew.
    pub repeats: u32,
    /// Wait before the first repetition; it doubles with each.
    pub backoff: Duration,
    /// A longer `Retry-After` is not waited for but returned.
    pub wait_max: Duration,
    /// Most requests at once over all readers of a client.
    pub parallel_max: usize,
    /// Longest row that is taken.
    pub row_bytes_max: u64,
    /// How often a file that changes is begun again.
    pub restarts: u32,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(60),
            repeats: 4,
            backoff: Duration::from_millis(500),
            wait_max: Duration::from_secs(10),
            parallel_max: 4,
            row_bytes_max: 64 * 1024 * 1024,
            restarts: 3,
        }
    }
}
