//! Mail that leaves the installation.

use async_trait::async_trait;

/// One message to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The recipient's address.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// `Message-ID`'s local part: the same message sent twice carries the same one.
    pub message_id: String,
}

/// Why a message did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Try again later.
    #[error("the mail server does not take the message now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Trying again will not help: a bad address, a refused sender.
    #[error("the mail server refuses the message")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync + std::fmt::Debug {
    /// Sends one message; returns when the server has taken it.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}
