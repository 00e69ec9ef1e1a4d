//! `mail`.

use std::path::PathBuf;

use landfall_backends::mail::SmtpTls;
use secrecy::SecretString;

use crate::config::reader::Reader;

/// Mail to owners and to support.
#[derive(Debug, Clone)]
pub(crate) struct MailConfig {
    /// How it leaves.
    pub(crate) kind: MailKind,
    /// The sender.
    pub(crate) from: String,
    /// Who takes over failed migrations; empty: nobody.
    pub(crate) support_address: String,
    /// The dashboard of a site; empty: none.
    pub(crate) dashboard_url: String,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub(crate) enum MailKind {
    /// By a server.
    Smtp(SmtpConfig),
    /// Into a folder; none: that of the process.
    Folder(Option<PathBuf>),
    /// Not at all.
    None,
}

/// A mail server.
#[derive(Debug, Clone)]
pub(crate) struct SmtpConfig {
    /// Its host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How it is secured.
    pub(crate) tls: SmtpTls,
    /// User name and password.
    pub(crate) login: Option<(String, SecretString)>,
    /// Certificates in PEM that are trusted besides the public ones.
    pub(crate) roots: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Smtp,
    Folder,
    None,
}

pub(super) fn mail(reader: &mut Reader, is_needed: bool) -> MailConfig {
    let kinds = [("none", Kind::None), ("smtp", Kind::Smtp), ("folder", Kind::Folder)];
    let kind = reader.one_of("mail.kind", &kinds);
    let host: String = reader.get("mail.host");
    let port = u16::try_from(reader.number("mail.port", 1..=65_535)).unwrap_or(587);
    let choices = [("starttls", SmtpTls::StartTls), ("tls", SmtpTls::Tls), ("none", SmtpTls::None)];
    let tls = reader.one_of("mail.tls", &choices);
    let user = reader.text("mail.user");
    let password = reader.secret("mail.password");
    let path = reader.path("mail.path");
    let roots = reader.path("mail.ca_file").and_then(|file| {
        let read = std::fs::read(&file);
        read.map_err(|error| reader.fault("mail.ca_file", format!("{}: {error}", file.display()))).ok()
    });
    let from: String = reader.get("mail.from");
    let kind = match kind {
        Kind::Smtp => {
            if host.is_empty() && is_needed {
                reader.fault("mail.host", "is not set, and `mail.kind` is \"smtp\"");
            }
            if user.is_some() != password.is_some() {
                reader.fault("mail.user", "user and password belong together: set both or none");
            }
            MailKind::Smtp(SmtpConfig { host, port, tls, login: user.zip(password), roots })
        }
        Kind::Folder => MailKind::Folder(path),
        Kind::None => MailKind::None,
    };
    if !from.contains('@') {
        reader.fault("mail.from", format!("{from:?} is not an address"));
    }
    let support_address: String = reader.get("mail.support_address");
    if !support_address.is_empty() && !support_address.contains('@') {
        reader.fault("mail.support_address", format!("{support_address:?} is not an address"));
    }
    MailConfig { kind, from, support_address, dashboard_url: reader.get("mail.dashboard_url") }
}
