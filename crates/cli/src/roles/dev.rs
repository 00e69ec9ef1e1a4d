//! Everything in one process: SQLite, a queue in memory, folders. What is not configured is made at the first start.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landfall_backends::seal::generate_sealing_key;
use landfall_backends::staging::generate_identity;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::telemetry::Telemetry;
use super::{Parts, api, mail, scheduler, worker};
use crate::args::WorkerArgs;
use crate::config::{
    Config, MailKind, OPERATOR_TOKEN_FILE, QueueKind, SealingKeyConfig, StagingPlace, StoreKind,
};
use crate::exit::Failure;

/// Runs all roles until `shutdown`; each drains, and the store is closed last.
pub(super) async fn run(
    config: Config,
    data: &Path,
    telemetry: &Telemetry,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let folder = DataFolder::open(data)?;
    let has_token = config.api.operator_token.is_some();
    let (config, is_first) = folder.complete(config)?;
    let parts = Parts::open(&config, "dev")?;
    let (listener, url) = api::listen(&config).await?;
    // A server goes on where nobody reads its greeting.
    let _ = std::io::stdout().write_all(welcome(&folder, url.as_str(), has_token, is_first).as_bytes());
    let slots = worker::slots(&config, &WorkerArgs { phases: Vec::new(), slots: None })?;
    let mailer = mail::mailer(&config.mail)?;
    // Whichever role ends, for whatever reason, takes the others along.
    let guard = shutdown.clone().drop_guard();
    let (served, (), ran) = tokio::join!(
        async {
            let served = api::serve(&config, &parts, telemetry, (listener, url), shutdown.clone()).await;
            shutdown.cancel();
            served
        },
        scheduler::run(&config, &parts, mailer, shutdown.clone()),
        async {
            let ran = worker::run(&config, &parts, slots, shutdown.clone()).await;
            shutdown.cancel();
            ran
        },
    );
    drop(guard);
    served.and(ran)
}

/// The folder in which everything lies, held by one process at a time.
struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    fn open(path: &Path) -> Result<Self, Failure> {
        make_folder(path)?;
        let path = path.canonicalize().with_context(|| path.display().to_string())?;
        let lock = path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .with_context(|| lock.display().to_string())?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _lock: file }),
            Err(TryLockError::WouldBlock) => {
                Err(anyhow::anyhow!("another `landfall dev` runs on {}", path.display()).into())
            }
            Err(TryLockError::Error(error)) => {
                Err(anyhow::Error::from(error).context(lock.display().to_string()).into())
            }
        }
    }

    /// The configuration with embedded backends, and with keys and a token; whether they were made just now.
    fn complete(&self, mut config: Config) -> Result<(Config, bool), Failure> {
        config.store.kind = StoreKind::Sqlite { path: self.path.join("landfall.sqlite") };
        config.queue.kind = QueueKind::Memory;
        if config.staging.place.is_none() {
            let staging = self.path.join("staging");
            make_folder(&staging)?;
            config.staging.place = Some(StagingPlace::Folder(staging));
        }
        let mut is_first = false;
        if config.sealing.is_empty() {
            let key = self.secret("sealing-key", &mut is_first, generate_sealing_key)?;
            config.sealing = vec![SealingKeyConfig { id: "dev".to_owned(), key }];
        }
        if config.staging.age_identity.is_none() {
            let identity = self.secret("age-identity", &mut is_first, generate_identity)?;
            config.staging.age_identity = Some(identity);
        }
        if config.api.operator_token.is_none() {
            config.api.operator_token =
                Some(self.secret(OPERATOR_TOKEN_FILE, &mut is_first, operator_token)?);
        }
        match &config.mail.kind {
            MailKind::None | MailKind::Folder(None) => {
                let mail = self.path.join("mail");
                make_folder(&mail)?;
                config.mail.kind = MailKind::Folder(Some(mail));
            }
            MailKind::Smtp(_) | MailKind::Folder(Some(_)) => {}
        }
        Ok((config, is_first))
    }

    /// The secret in a file of the folder, made where it is missing. Only its owner can read it.
    fn secret(
        &self,
        name: &str,
        is_first: &mut bool,
        make: impl FnOnce() -> SecretString,
    ) -> Result<SecretString, Failure> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(text.trim().to_owned().into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => *is_first = true,
            Err(error) => return Err(anyhow::Error::from(error).context(path.display().to_string()).into()),
        }
        let secret = make();
        // Written whole under another name: a process that dies here leaves no half a key behind.
        let partial = self.path.join(format!("{name}.new"));
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .with_context(|| partial.display().to_string())?;
        file.write_all(format!("{}\n", secret.expose_secret()).as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        Ok(secret)
    }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    Ok(made.with_context(|| path.display().to_string())?)
}

fn operator_token() -> SecretString {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).into()
}

fn welcome(folder: &DataFolder, url: &str, has_token: bool, is_first: bool) -> String {
    let path = folder.path.display();
    let keys = if is_first { "  (its keys were made just now)" } else { "" };
    let token = if has_token {
        "the operator's token of the configuration".to_owned()
    } else {
        format!("\"$(cat '{path}/{OPERATOR_TOKEN_FILE}')\"")
    };
    format!(
        "Landfall runs at {url}\n\
         Its data is in {path}{keys}\n\n\
         Try it, in another terminal:\n\
         \x20 export LANDFALL_SERVER={url} LANDFALL_TOKEN={token}\n\
         \x20 landfall site create try-out --noop --organization new\n\
         \x20 landfall migrate --site try-out --noop 50 --unit-ms 50 --watch\n"
    )
}
