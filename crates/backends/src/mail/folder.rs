//! Mail into a folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use landfall_common::ports::{Mail, MailError, Mailer};

use super::message::{BadSender, Sender, safe_id};

/// Writes each message as a file `<message id>.eml`; the same message again takes the place of the first.
#[derive(Debug)]
pub struct FolderMailer {
    folder: PathBuf,
    sender: Sender,
}

impl FolderMailer {
    /// Mail from this sender into that folder, which is made when the first message comes.
    pub fn new(folder: &Path, sender: &str) -> Result<Self, BadSender> {
        Ok(Self { folder: folder.to_owned(), sender: Sender::parse(sender)? })
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.sender.message(mail)?.formatted();
        let (folder, name) = (self.folder.clone(), format!("{}.eml", safe_id(&mail.message_id)));
        tokio::task::spawn_blocking(move || write(&folder, &name, &message))
            .await
            .map_err(|error| MailError::Unavailable(Box::new(error)))?
            .map_err(|error| MailError::Unavailable(Box::new(error)))
    }
}

/// Whole or not at all: somebody may be looking into the folder.
fn write(folder: &Path, name: &str, message: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let partial = folder.join(format!(".{name}.partial"));
    let mut file = std::fs::File::create(&partial)?;
    file.write_all(message)?;
    file.sync_all()?;
    std::fs::rename(partial, folder.join(name))
}
