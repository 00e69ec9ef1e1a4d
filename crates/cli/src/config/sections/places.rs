//! `store`, `queue`, `staging`, `sealing`: what stands behind the ports.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use landfall_backends::staging::{StagingKeyError, StagingKeys};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::config::reader::Reader;

/// The system of record.
#[derive(Debug, Clone)]
pub(crate) struct StoreConfig {
    /// Which.
    pub(crate) kind: StoreKind,
    /// How long one call may take.
    pub(crate) call_limit: Duration,
}

/// Which store.
#[derive(Debug, Clone)]
pub(crate) enum StoreKind {
    /// A Redis server.
    Redis {
        /// Its URL.
        url: SecretString,
        /// Stands before every key.
        prefix: String,
    },
    /// A SQLite file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
}

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct QueueConfig {
    /// Which.
    pub(crate) kind: QueueKind,
}

/// Which queue.
#[derive(Debug, Clone)]
pub(crate) enum QueueKind {
    /// A RabbitMQ server.
    Rabbitmq {
        /// Its URL.
        url: SecretString,
        /// Stands before every queue's name.
        prefix: String,
    },
    /// Within the process.
    Memory,
}

/// Where snapshots lie.
#[derive(Debug, Clone)]
pub(crate) struct StagingConfig {
    /// Where; none where no role needs it.
    pub(crate) place: Option<StagingPlace>,
    /// The age identity, which opens; its public half encrypts where no recipients are named.
    pub(crate) age_identity: Option<SecretString>,
    /// Recipients to encrypt to.
    pub(crate) age_recipients: Vec<String>,
    /// Settings of the object store, by name.
    pub(crate) settings: Vec<(String, SecretString)>,
}

/// A folder or an object store.
#[derive(Debug, Clone)]
pub(crate) enum StagingPlace {
    /// A folder.
    Folder(PathBuf),
    /// An object store.
    Url(Url),
}

/// A key that seals.
#[derive(Debug, Clone)]
pub(crate) struct SealingKeyConfig {
    /// Its name.
    pub(crate) id: String,
    /// 32 bytes in base64.
    pub(crate) key: SecretString,
}

/// One of `sealing.keys` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: String,
    key: SecretString,
}

pub(super) fn store(reader: &mut Reader, is_shared: bool) -> StoreConfig {
    #[derive(Clone, Copy)]
    enum Kind {
        Redis,
        Sqlite,
    }
    let kind = reader.one_of("store.kind", &[("redis", Kind::Redis), ("sqlite", Kind::Sqlite)]);
    let url = server_url(reader, "store.url", &["redis", "rediss"]);
    let path = reader.path("store.path");
    let prefix = reader.get("store.prefix");
    let call_limit = reader.millis("store.call_limit_ms", 100..=60_000);
    let kind = match kind {
        Kind::Redis => StoreKind::Redis { url, prefix },
        Kind::Sqlite => {
            if path.is_none() {
                reader.fault("store.path", "is not set, and `store.kind` is \"sqlite\"");
            } else if is_shared {
                reader.fault(
                    "store.kind",
                    "a SQLite store belongs to one process: use `landfall dev`, or \"redis\"",
                );
            }
            StoreKind::Sqlite { path: path.unwrap_or_default() }
        }
    };
    StoreConfig { kind, call_limit }
}

pub(super) fn queue(reader: &mut Reader, is_shared: bool) -> QueueConfig {
    let is_memory = reader.one_of("queue.kind", &[("rabbitmq", false), ("memory", true)]);
    let url = server_url(reader, "queue.url", &["amqp", "amqps"]);
    let prefix = reader.get("queue.prefix");
    if is_memory && is_shared {
        reader.fault(
            "queue.kind",
            "a queue in memory belongs to one process: use `landfall dev`, or \"rabbitmq\"",
        );
    }
    QueueConfig { kind: if is_memory { QueueKind::Memory } else { QueueKind::Rabbitmq { url, prefix } } }
}

pub(super) fn staging(reader: &mut Reader, is_needed: bool) -> StagingConfig {
    let path = reader.path("staging.path");
    let url: Option<Url> = reader.parsed("staging.url");
    let age_identity = reader.secret("staging.age_identity");
    let place = match (path, url) {
        (Some(_), Some(_)) => {
            reader.fault("staging.url", "staging.path is set too; one of them has to go");
            None
        }
        (Some(path), None) => Some(StagingPlace::Folder(path)),
        (None, Some(url)) => Some(StagingPlace::Url(url)),
        (None, None) => {
            if is_needed {
                reader.fault(
                    "staging.path",
                    "is not set, nor is staging.url: a worker needs a place for snapshots",
                );
            }
            None
        }
    };
    if is_needed && age_identity.is_none() {
        reader.fault(
            "staging.age_identity",
            "is not set: a worker encrypts snapshots with it (`age-keygen` makes one)",
        );
    }
    let age_recipients: Vec<String> = reader.get("staging.age_recipients");
    if let Some(identity) = &age_identity
        && let Err(error) = StagingKeys::new(std::slice::from_ref(identity), &age_recipients)
    {
        let is_recipient = matches!(error, StagingKeyError::BadRecipient { .. });
        let key = if is_recipient { "staging.age_recipients" } else { "staging.age_identity" };
        reader.fault(key, error.to_string());
    }
    StagingConfig { place, age_identity, age_recipients, settings: settings(reader) }
}

fn settings(reader: &mut Reader) -> Vec<(String, SecretString)> {
    let texts: Vec<String> = reader.secret_value("staging.settings");
    let mut settings = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match text.split_once('=') {
            Some((name, value)) => settings.push((name.to_owned(), value.to_owned().into())),
            None => reader.fault("staging.settings", format!("item {} is not name=value", at + 1)),
        }
    }
    settings
}

pub(super) fn sealing(reader: &mut Reader, is_needed: bool) -> Vec<SealingKeyConfig> {
    let written: Vec<WrittenKey> = reader.secret_value("sealing.keys");
    let mut keys: Vec<_> =
        written.into_iter().map(|key| SealingKeyConfig { id: key.id, key: key.key }).collect();
    let mut from = "sealing.keys";
    if let Some(lines) = reader.secret_file("sealing.keys_file") {
        from = "sealing.keys_file";
        if !keys.is_empty() {
            reader.fault(from, "sealing.keys is set too; one of them has to go");
        }
        keys = key_lines(reader, from, lines.expose_secret());
    }
    for (at, key) in keys.iter().enumerate() {
        let is_right = base64::engine::general_purpose::STANDARD
            .decode(key.key.expose_secret())
            .is_ok_and(|bytes| bytes.len() == 32);
        if !is_right {
            reader.fault(
                from,
                format!("key {:?} is not 32 bytes in base64 (`openssl rand -base64 32`)", key.id),
            );
        }
        if key.id.is_empty() || keys[..at].iter().any(|other| other.id == key.id) {
            reader.fault(from, format!("the id {:?} is empty or used twice", key.id));
        }
    }
    if is_needed && keys.is_empty() {
        reader.fault("sealing.keys", "is not set: credentials cannot be kept without a key");
    }
    keys
}

fn key_lines(reader: &mut Reader, from: &str, text: &str) -> Vec<SealingKeyConfig> {
    let mut keys = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match line.split_once(char::is_whitespace) {
            Some((id, key)) => {
                keys.push(SealingKeyConfig { id: id.to_owned(), key: key.trim().to_owned().into() })
            }
            None => reader.fault(from, format!("line {} is not an id, a space and a key", at + 1)),
        }
    }
    keys
}

/// A server's URL. It is a secret, so that faults do not show it.
fn server_url(reader: &mut Reader, key: &str, schemes: &[&str]) -> SecretString {
    let url = reader.secret(key).unwrap_or_default();
    match Url::parse(url.expose_secret()) {
        Ok(parsed) if schemes.contains(&parsed.scheme()) => {}
        Ok(_) => reader.fault(key, format!("is not a URL that begins with {}://", schemes.join(":// or "))),
        Err(error) => reader.fault(key, format!("is not a URL: {error}")),
    }
    url
}
