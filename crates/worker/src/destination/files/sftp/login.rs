//! The SSH connection below SFTP: the pinned host key, and the account's password or key.

use std::sync::Arc;
use std::time::Duration;

use landfall_common::site::SiteCredentials;
use russh::client::{AuthResult, Handle, Handler, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};

use super::client::unreachable;
use crate::destination::files::FilesError;

const CONNECT_LIMIT: Duration = Duration::from_secs(20);
const LOGIN_LIMIT: Duration = Duration::from_secs(40);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Rounds of questions that a server may ask before the log-in.
const QUESTIONS_MAX: u32 = 4;

/// Accepts one host key and no other.
#[derive(Debug)]
pub(super) struct Pinned {
    key: PublicKey,
}

/// Why the handshake ended.
#[derive(Debug)]
pub(super) enum HandshakeError {
    Mismatch { shown: String },
    Ssh(russh::Error),
}

impl From<russh::Error> for HandshakeError {
    fn from(error: russh::Error) -> Self {
        HandshakeError::Ssh(error)
    }
}

impl Handler for Pinned {
    type Error = HandshakeError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, HandshakeError> {
        let shown = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.clone(),
            PublicKeyOrCertificate::Certificate(certificate) => {
                PublicKey::from(certificate.public_key().clone())
            }
        };
        if shown.key_data() == self.key.key_data() {
            return Ok(true);
        }
        Err(HandshakeError::Mismatch { shown: shown.fingerprint(HashAlg::Sha256).to_string() })
    }
}

/// Connects and logs in.
pub(super) async fn log_in(
    host: &str,
    port: u16,
    user: &str,
    host_key: &str,
    credentials: &SiteCredentials,
) -> Result<Handle<Pinned>, FilesError> {
    let key = PublicKey::from_openssh(host_key).map_err(|_| FilesError::HostKeyMismatch {
        shown: "unknown: the configured key cannot be read".into(),
    })?;
    let config = Arc::new(config(&key));
    let connect = russh::client::connect(config, (host, port), Pinned { key });
    let mut handle = match tokio::time::timeout(CONNECT_LIMIT, connect).await {
        Ok(Ok(handle)) => handle,
        Ok(Err(HandshakeError::Mismatch { shown })) => return Err(FilesError::HostKeyMismatch { shown }),
        Ok(Err(HandshakeError::Ssh(error))) => return Err(unreachable(error)),
        Err(_) => return Err(unreachable("no connection within 20 seconds")),
    };
    match tokio::time::timeout(LOGIN_LIMIT, authenticate(&mut handle, user, credentials)).await {
        Ok(result) => result.map(|()| handle),
        Err(_) => Err(unreachable("no log-in within 40 seconds")),
    }
}

/// The pinned key's algorithm comes first: a server with several host keys shows the one that is asked for.
fn config(key: &PublicKey) -> russh::client::Config {
    let mut preferred = russh::Preferred::DEFAULT;
    let mut algorithms = preferred.key.to_vec();
    algorithms.sort_by_key(|algorithm| {
        // An RSA key signs with several algorithms.
        let is_pinned =
            *algorithm == key.algorithm() || (algorithm.clone().is_rsa() && key.algorithm().is_rsa());
        u8::from(!is_pinned)
    });
    preferred.key = algorithms.into();
    russh::client::Config {
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        preferred,
        ..russh::client::Config::default()
    }
}

async fn authenticate(
    handle: &mut Handle<Pinned>,
    user: &str,
    credentials: &SiteCredentials,
) -> Result<(), FilesError> {
    let denied = |why: &str| FilesError::AccessDenied { user: user.to_owned(), why: why.to_owned() };
    let mut why = "neither a password nor a key is configured";
    if let Some(secret) = &credentials.sftp_private_key {
        let key = russh::keys::decode_secret_key(secret, None)
            .map_err(|_| denied("the private key cannot be read, or has a passphrase"))?;
        let hash = if key.algorithm().is_rsa() {
            handle.best_supported_rsa_hash().await.map_err(unreachable)?.flatten()
        } else {
            None
        };
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        if handle.authenticate_publickey(user, key).await.map_err(unreachable)?.success() {
            return Ok(());
        }
        why = "it does not take the key";
    }
    if let Some(password) = &credentials.sftp_password {
        match handle.authenticate_password(user, password).await.map_err(unreachable)? {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => {
                let asks = remaining_methods.contains(&russh::MethodKind::KeyboardInteractive);
                if asks && answer_questions(handle, user, password).await? {
                    return Ok(());
                }
            }
        }
        why = "it does not take the password";
    }
    Err(denied(why))
}

/// Some servers ask for the password in a dialogue of their own.
async fn answer_questions(
    handle: &mut Handle<Pinned>,
    user: &str,
    password: &str,
) -> Result<bool, FilesError> {
    let mut response =
        handle.authenticate_keyboard_interactive_start(user, None).await.map_err(unreachable)?;
    for _ in 0..QUESTIONS_MAX {
        let prompts = match response {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        let answers = prompts.iter().map(|_| password.to_owned()).collect();
        response = handle.authenticate_keyboard_interactive_respond(answers).await.map_err(unreachable)?;
    }
    Ok(false)
}
