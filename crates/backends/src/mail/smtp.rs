//! Mail over SMTP.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use landfall_common::ports::{Mail, MailError, Mailer};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::message::{BadSender, Sender, refused};

/// A step of the exchange, and the whole of it.
const STEP_LIMIT: Duration = Duration::from_secs(20);
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// How the exchange is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all. With a password only on this machine.
    None,
    /// The exchange begins plain and must change to TLS (port 587).
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
}

/// How the mail server is reached.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS.
    pub tls: SmtpTls,
    /// User and password, where it asks for them.
    pub credentials: Option<(String, SecretString)>,
    /// The sender: `Landfall <landfall@example.com>`.
    pub sender: String,
    /// Certificates (PEM) that are trusted besides the public ones, for a server with a private authority.
    pub extra_roots: Vec<Vec<u8>>,
}

/// Why mail cannot be set up so.
#[derive(Debug, thiserror::Error)]
pub enum BadSmtpOptions {
    /// The sender's address.
    #[error(transparent)]
    Sender(#[from] BadSender),
    /// A password would cross the network in plain.
    #[error("a password is sent to {host} only over TLS: set tls to starttls or tls")]
    PlainPassword {
        /// The server.
        host: String,
    },
    /// The server's name or a certificate.
    #[error("the TLS settings for {host} cannot be used")]
    Tls {
        /// The server.
        host: String,
        /// Why.
        #[source]
        source: lettre::transport::smtp::Error,
    },
}

/// Sends mail over SMTP.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
    host: String,
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("host", &self.host).finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// Prepares the mailer. No connection is made yet.
    pub fn new(options: &SmtpOptions) -> Result<Self, BadSmtpOptions> {
        crate::install_tls_provider();
        let host = options.host.clone();
        if options.tls == SmtpTls::None && options.credentials.is_some() && !is_this_machine(&host) {
            return Err(BadSmtpOptions::PlainPassword { host });
        }
        let parameters =
            || tls_parameters(options).map_err(|source| BadSmtpOptions::Tls { host: host.clone(), source });
        let tls = match options.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
        };
        // "Dangerous" is the builder without TLS; `tls` says what is meant.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(options.port)
            .tls(tls)
            .timeout(Some(STEP_LIMIT));
        if let Some((user, password)) = &options.credentials {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), sender: Sender::parse(&options.sender)?, host })
    }
}

fn tls_parameters(options: &SmtpOptions) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let mut builder = TlsParameters::builder(options.host.clone());
    for pem in &options.extra_roots {
        builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
    }
    builder.build()
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.sender.message(mail)?;
        match tokio::time::timeout(SEND_LIMIT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            // The server's own "never": the address does not exist, the sender is not allowed.
            Ok(Err(error)) if error.is_permanent() => Err(refused(error)),
            Ok(Err(error)) => Err(MailError::Unavailable(Box::new(error))),
            Err(elapsed) => Err(MailError::Unavailable(Box::new(elapsed))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_never_crosses_the_network_in_plain() {
        let mut options = SmtpOptions {
            host: "mail.example.com".to_owned(),
            port: 25,
            tls: SmtpTls::None,
            credentials: Some(("user".to_owned(), "hunter2".to_owned().into())),
            sender: "Landfall <landfall@example.com>".to_owned(),
            extra_roots: Vec::new(),
        };
        let refused = SmtpMailer::new(&options).unwrap_err();
        assert!(matches!(refused, BadSmtpOptions::PlainPassword { .. }), "{refused:?}");
        options.host = "127.0.0.1".to_owned();
        let mailer = SmtpMailer::new(&options).unwrap();
        assert!(!format!("{options:?} {mailer:?}").contains("hunter2"));
        options.sender = "nobody".to_owned();
        assert!(matches!(SmtpMailer::new(&options), Err(BadSmtpOptions::Sender(_))));
    }
}
