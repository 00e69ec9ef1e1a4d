//! Why a source could not be read, by cause: each has a code of its own, and a page that says what its owner can do.

use std::time::Duration;

use landfall_common::Failure;

use crate::net::AddressRefused;

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The host name has no address.
    #[error("the name of the source's host does not resolve")]
    Dns(#[source] BoxedError),
    /// The host, or the target of a redirect, is inside a network that is not allowed.
    #[error("the source's address is not allowed")]
    AddressRefused(#[source] AddressRefused),
    /// The TLS handshake failed.
    #[error("no secure connection to the source")]
    Tls(#[source] BoxedError),
    /// No connection, or one that broke before anything came.
    #[error("the source did not answer")]
    Unreachable(#[source] BoxedError),
    /// Nothing came for longer than the limit.
    #[error("nothing came from the source for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The stream ended before its completion frame.
    #[error("the source's answer was cut off")]
    CutOff,
    /// The site sends requests to another site, or round in a circle.
    #[error("the source redirects to {location}")]
    Redirected {
        /// Where to.
        location: String,
    },
    /// The site is up, and something other than the plugin answered.
    #[error("the plugin did not answer: {page}")]
    PluginMissing {
        /// What answered.
        page: String,
    },
    /// A firewall, bot check or CDN answered.
    #[error("{by} answered in the source's place: {page}")]
    BlockedByFirewall {
        /// Whose page it looks like.
        by: &'static str,
        /// What answered.
        page: String,
    },
    /// A bare 403.
    #[error("the source refuses the request: {page}")]
    Forbidden {
        /// What answered.
        page: String,
    },
    /// POST is not let through.
    #[error("the source's host forbids POST: {page}")]
    MethodForbidden {
        /// What answered.
        page: String,
    },
    /// The site is behind HTTP basic authentication.
    #[error("the source asks for a user name and password")]
    BasicAuth,
    /// Neither copy of the signature arrived.
    #[error("the signature did not arrive at the plugin")]
    AuthStripped,
    /// The body arrived altered, or not at all.
    #[error("the request was altered on its way to the plugin")]
    BodyAltered,
    /// The plugin has no key, or another one.
    #[error("the plugin does not accept this migration's key: {detail}")]
    WrongSecret {
        /// What the plugin says.
        detail: String,
    },
    /// The clocks are too far apart, even after correction.
    #[error("the source's clock is {0} s off")]
    ClockSkew(i64),
    /// WordPress' maintenance page.
    #[error("the source is in maintenance mode")]
    Maintenance {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// 429, or 503 with a time to wait.
    #[error("the source limits the rate of requests")]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("the source's server failed: {page}")]
    ServerError {
        /// What answered.
        page: String,
    },
    /// PHP died.
    #[error("PHP stopped on the source: {detail}")]
    PhpFatal {
        /// What PHP or the plugin says of it.
        detail: String,
    },
    /// The site's database refused the plugin.
    #[error("the source's database failed: {detail}")]
    Database {
        /// What the plugin says.
        detail: String,
    },
    /// The answer breaks the protocol, or answers another request (a cache).
    #[error("the source's answer breaks the protocol: {0}")]
    Protocol(String),
    /// Plugin and client have no version in common, or the plugin lacks something.
    #[error("the plugin's version does not fit: {detail}")]
    PluginVersion {
        /// What the plugin says.
        detail: String,
    },
    /// The source is on plain http and cannot encrypt.
    #[error("the source can neither use TLS nor encrypt")]
    EncryptionUnavailable,
    /// Columns or keys of a table changed while it was read: read it again from its start.
    #[error("a table changed its columns or keys while it was read")]
    TableChanged,
    /// The table is not there (any more).
    #[error("the source has no table {table}")]
    TableUnknown {
        /// Its name.
        table: String,
    },
    /// A large row changed each time it was read.
    #[error("a large row changes faster than it can be read")]
    RowChanging,
    /// A row is larger than the limit.
    #[error("a row is larger than {0} bytes")]
    RowTooLarge(u64),
}

/// A cause whose type does not matter to callers.
pub(crate) type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl SourceError {
    /// The stable code, one of the catalogue in `landfall_common::codes`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dns(_) => "source.dns",
            Self::AddressRefused(_) => "source.address_refused",
            Self::Tls(_) => "source.tls",
            Self::Unreachable(_) | Self::Stalled(_) | Self::CutOff => "source.unreachable",
            Self::Redirected { .. } => "source.redirected",
            Self::PluginMissing { .. } => "source.plugin_missing",
            Self::BlockedByFirewall { .. } => "source.blocked_by_firewall",
            Self::Forbidden { .. } => "source.forbidden",
            Self::MethodForbidden { .. } => "source.method_forbidden",
            Self::BasicAuth => "source.basic_auth",
            Self::AuthStripped => "source.auth_stripped",
            Self::BodyAltered => "source.body_altered",
            Self::WrongSecret { .. } => "source.wrong_secret",
            Self::ClockSkew(_) => "source.clock_skew",
            Self::Maintenance { .. } => "source.maintenance",
            Self::RateLimited { .. } => "source.rate_limited",
            Self::ServerError { .. } | Self::Database { .. } => "source.server_error",
            Self::PhpFatal { .. } => "source.php_fatal",
            Self::Protocol(_) | Self::TableChanged | Self::TableUnknown { .. } | Self::RowChanging => {
                "source.protocol"
            }
            Self::PluginVersion { .. } => "source.plugin_version",
            Self::EncryptionUnavailable => "source.encryption_unavailable",
            Self::RowTooLarge(_) => "source.row_too_large",
        }
    }

    /// How long the source asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Maintenance { retry_after } | Self::RateLimited { retry_after } => *retry_after,
            Self::Dns(_)
            | Self::AddressRefused(_)
            | Self::Tls(_)
            | Self::Unreachable(_)
            | Self::Stalled(_)
            | Self::CutOff
            | Self::Redirected { .. }
            | Self::PluginMissing { .. }
            | Self::BlockedByFirewall { .. }
            | Self::Forbidden { .. }
            | Self::MethodForbidden { .. }
            | Self::BasicAuth
            | Self::AuthStripped
            | Self::BodyAltered
            | Self::WrongSecret { .. }
            | Self::ClockSkew(_)
            | Self::ServerError { .. }
            | Self::PhpFatal { .. }
            | Self::Database { .. }
            | Self::Protocol(_)
            | Self::PluginVersion { .. }
            | Self::EncryptionUnavailable
            | Self::TableChanged
            | Self::TableUnknown { .. }
            | Self::RowChanging
            | Self::RowTooLarge(_) => None,
        }
    }

    /// What the worker reports of a slice that ended with this error.
    pub fn failure(&self) -> Failure {
        let mut failure = Failure::new(self.code(), self.explain());
        failure.retry_after = self.retry_after();
        failure
    }

    /// Whether the same request may well succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Stalled(_)
                | Self::CutOff
                | Self::ClockSkew(_)
                | Self::RateLimited { .. }
                | Self::ServerError { .. }
                | Self::PhpFatal { .. }
                | Self::Database { .. }
                | Self::Protocol(_)
                | Self::RowChanging
        )
    }

    /// Whether another way to the same plugin may work where this one did not.
    pub(crate) fn is_of_the_route(&self) -> bool {
        matches!(
            self,
            Self::PluginMissing { .. }
                | Self::BlockedByFirewall { .. }
                | Self::Forbidden { .. }
                | Self::MethodForbidden { .. }
                | Self::AuthStripped
                | Self::BodyAltered
        )
    }

    /// The message with its causes.
    pub(crate) fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        for _ in 0..6 {
            let Some(error) = cause else { break };
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_common::codes::ErrorCode;

    #[test]
    fn every_code_is_in_the_catalogue() {
        let page = || "a page".to_owned();
        let errors = [
            SourceError::Dns("x".into()),
            SourceError::AddressRefused(AddressRefused { address: "10.0.0.1".into() }),
            SourceError::Tls("x".into()),
            SourceError::CutOff,
            SourceError::Redirected { location: page() },
            SourceError::PluginMissing { page: page() },
            SourceError::BlockedByFirewall { by: "A firewall", page: page() },
            SourceError::Forbidden { page: page() },
            SourceError::MethodForbidden { page: page() },
            SourceError::BasicAuth,
            SourceError::AuthStripped,
            SourceError::BodyAltered,
            SourceError::WrongSecret { detail: page() },
            SourceError::ClockSkew(4000),
            SourceError::Maintenance { retry_after: None },
            SourceError::RateLimited { retry_after: Some(Duration::from_secs(7)) },
            SourceError::ServerError { page: page() },
            SourceError::PhpFatal { detail: page() },
            SourceError::Protocol(page()),
            SourceError::PluginVersion { detail: page() },
            SourceError::EncryptionUnavailable,
            SourceError::RowTooLarge(1),
        ];
        for error in errors {
            assert!(ErrorCode::new(error.code()).entry().is_some(), "{}", error.code());
        }
    }

    #[test]
    fn a_failure_names_its_causes_and_the_time_to_wait() {
        let failure = SourceError::Dns("no such name".into()).failure();
        assert!(failure.detail.ends_with("does not resolve: no such name"), "{}", failure.detail);
        let limited = SourceError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(limited.failure().retry_after, Some(Duration::from_secs(7)));
    }
}
