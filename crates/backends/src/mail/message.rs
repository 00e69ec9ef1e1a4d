//! The message as it goes out: text and HTML of one content, with an id that stays the same when it is sent again.

use std::time::SystemTime;

use landfall_common::ports::{Mail, MailError};
use lettre::Message;
use lettre::message::{Mailbox, MultiPart};

/// The sender's address cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{sender:?} is not an address like \"Landfall <landfall@example.com>\"")]
pub struct BadSender {
    /// What was given.
    pub sender: String,
}

/// Whose mail it is.
#[derive(Debug, Clone)]
pub(super) struct Sender(Mailbox);

impl Sender {
    pub(super) fn parse(sender: &str) -> Result<Self, BadSender> {
        sender.parse().map(Sender).map_err(|_| BadSender { sender: sender.to_owned() })
    }

    pub(super) fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let to: Mailbox = mail.to.parse().map_err(refused)?;
        // A line break in a subject would be a header of somebody else's making.
        let subject: String = mail.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Message::builder()
            .from(self.0.clone())
            .to(to)
            .subject(subject)
            .date(SystemTime::now())
            .message_id(Some(format!("<{}@{}>", safe_id(&mail.message_id), self.0.email.domain())))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(refused)
    }
}

/// The id with nothing in it that means something in a header or a file name.
pub(super) fn safe_id(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(128)
        .collect()
}

pub(super) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> MailError {
    MailError::Refused(Box::new(error))
}
