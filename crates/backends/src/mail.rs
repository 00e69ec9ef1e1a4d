//! Mail: over SMTP, or into a folder where nothing shall leave the machine.

mod folder;
mod message;
mod smtp;

pub use self::folder::FolderMailer;
pub use self::message::BadSender;
pub use self::smtp::{BadSmtpOptions, SmtpMailer, SmtpOptions, SmtpTls};
