//! How mail leaves, as the configuration says.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use landfall_backends::mail::{FolderMailer, SmtpMailer, SmtpOptions};
use landfall_common::ports::{Mail, MailError, Mailer};

use crate::config::{MailConfig, MailKind};
use crate::exit::Failure;

/// The mailer of the section `mail`.
pub(super) fn mailer(config: &MailConfig) -> Result<Arc<dyn Mailer>, Failure> {
    Ok(match &config.kind {
        MailKind::Smtp(smtp) => {
            let options = SmtpOptions {
                host: smtp.host.clone(),
                port: smtp.port,
                tls: smtp.tls,
                credentials: smtp.login.clone(),
                sender: config.from.clone(),
                extra_roots: smtp.roots.iter().cloned().collect(),
            };
            Arc::new(SmtpMailer::new(&options).context("mail")?)
        }
        MailKind::Folder(folder) => {
            let folder = folder.as_deref().context("mail.path is not set")?;
            Arc::new(FolderMailer::new(folder, &config.from).context("mail.from")?)
        }
        MailKind::None => Arc::new(NoMail),
    })
}

/// Mail that the operator does not want sent: noted in the log, and done.
#[derive(Debug)]
struct NoMail;

#[async_trait]
impl Mailer for NoMail {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        tracing::debug!(subject = mail.subject, "mail.kind is \"none\": a message is not sent");
        Ok(())
    }
}
