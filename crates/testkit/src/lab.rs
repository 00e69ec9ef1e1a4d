//! A laboratory of real servers: WordPress sites with MariaDB, PHP-FPM and nginx, SFTP, Redis, RabbitMQ, a mail
//! server. Everything lies in one folder, listens on free ports of 127.0.0.1, and is gone when the [`Lab`] and its
//! servers are dropped, also after a panic, Ctrl-C or kill -9. Nothing of the machine's own services is touched.
//!
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use landfall_testkit::lab::{DestinationOptions, Lab, Profile};
//!
//! let lab = Lab::temporary()?;
//! let source = lab.source(Profile::Small).await?;
//! let destination = lab.destination(DestinationOptions::default()).await?;
//! println!("{} -> {}", source.site.url, destination.site.url);
//! # Ok(())
//! # }
//! ```

mod account;
mod browser;
mod by_hand;
mod checker;
mod daemon;
mod destination;
mod forms;
mod guardian;
mod mariadb;
mod platform_plugin;
mod ports;
mod rabbitmq;
mod redis;
mod smtp;
mod source;
mod sshd;
mod web;
mod wordpress;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command as Tool;

pub use self::account::{Account, user_exists};
pub use self::browser::{Browser, Page, http_client};
pub use self::by_hand::{ByHand, copy_by_hand};
pub use self::checker::{Check, CheckJob, Difference, Pair, check};
pub use self::daemon::{Daemon, peak_memory_kib, wait_until};
pub use self::destination::{Destination, DestinationOptions, SftpLayout};
pub use self::forms::{Form, forms};
pub use self::mariadb::{DatabaseAccess, MariaDb, MariaDbOptions};
pub use self::platform_plugin::PlatformPluginZip;
pub use self::ports::{address, free_port};
pub use self::rabbitmq::RabbitMq;
pub use self::redis::Redis;
pub use self::smtp::{Mail, SmtpSink};
pub use self::source::{Source, SourceOptions};
pub use self::sshd::Sshd;
pub use self::web::{WebHost, WebOptions};
pub use self::wordpress::{Profile, Seeded, WordPressSite};

use self::guardian::Guardian;

/// sshd refuses a chroot below a folder that others may write to, so `/tmp` will not do.
const TEMPORARY_LABS: &str = "/var/lib/landfall-lab";
const TOOL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// One laboratory: a folder, and what undoes everything in it.
#[derive(Clone, Debug)]
pub struct Lab {
    guardian: Arc<Guardian>,
}

impl Lab {
    /// A lab in this folder. What an earlier lab left there is ended and removed first; a folder with anything
    /// else in it is refused. Every folder above must be root's and writable by root alone.
    pub fn new(folder: &Path) -> Result<Self> {
        ensure_root()?;
        ensure!(folder.is_absolute(), "the lab's folder is named by an absolute path");
        Guardian::clear(folder)?;
        make_folder(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        let guardian = Arc::new(Guardian::start(folder)?);
        for tools in ["seed", "checker", "by-hand"] {
            // A site's account could not read them in a checkout within root's home.
            copy_folder(&workspace().join("tests").join(tools), &folder.join("tools").join(tools))?;
        }
        Ok(Self { guardian })
    }

    /// A lab in a new folder below `/var/lib/landfall-lab`.
    pub fn temporary() -> Result<Self> {
        ensure_root()?;
        Self::new(&Path::new(TEMPORARY_LABS).join(random_word(12)))
    }

    /// The lab's folder, readable by every user.
    pub fn folder(&self) -> &Path {
        self.guardian.folder()
    }

    /// From here on everything is left running when this process ends: `sh stop.sh` in the lab's folder, whose
    /// path is returned, ends it.
    pub fn keep(&self) -> PathBuf {
        self.guardian.keep();
        self.folder().join("stop.sh")
    }

    /// A source: a seeded WordPress site with servers of its own.
    pub async fn source(&self, profile: Profile) -> Result<Source> {
        self.source_with(SourceOptions { profile, ..SourceOptions::default() }).await
    }

    /// A source that differs from the ordinary one.
    pub async fn source_with(&self, options: SourceOptions) -> Result<Source> {
        Box::pin(Source::start(&self.guardian, options)).await
    }

    /// A destination: an account with SFTP, a database and a web server, and the older site in it.
    pub async fn destination(&self, options: DestinationOptions) -> Result<Destination> {
        Box::pin(Destination::start(&self.guardian, options)).await
    }

    /// A MariaDB server; `name` is unique within the lab.
    pub async fn mariadb(&self, name: &str, options: MariaDbOptions) -> Result<MariaDb> {
        MariaDb::start(&self.guardian, name, options).await
    }

    /// A Redis server; `name` is unique within the lab.
    pub async fn redis(&self, name: &str) -> Result<Redis> {
        Redis::start(&self.guardian, name).await
    }

    /// A RabbitMQ node; `name` is unique within the lab.
    pub async fn rabbitmq(&self, name: &str) -> Result<RabbitMq> {
        RabbitMq::start(&self.guardian, name).await
    }

    /// A system user for a site, removed with the lab.
    pub async fn account(&self) -> Result<Account> {
        Account::create(&self.guardian).await
    }

    /// An sshd that confines this account to SFTP within `chroot`; `name` is unique within the lab.
    pub async fn sshd(&self, name: &str, chroot: &Path, account: &Account) -> Result<Sshd> {
        Sshd::start(&self.guardian, name, chroot, account).await
    }

    /// Any other program under the lab's care, such as `landfall worker`; its output goes to `logs/NAME.log`.
    pub fn daemon(&self, name: &str, command: Command) -> Result<Daemon> {
        Daemon::spawn(&self.guardian, name, command)
    }
}

/// Another lab that ends at this moment removes the folder of all labs where it is empty.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    for _ in 0..20 {
        match fs::create_dir_all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            made => return made,
        }
    }
    fs::create_dir_all(folder)
}

/// The root of the checkout, where the seeder and the checker lie.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs a program to its end and returns its standard output; a failure carries what it printed.
async fn run(tool: &mut Tool) -> Result<String> {
    let name = tool.as_std().get_program().display().to_string();
    let running = tool.stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(TOOL_LIMIT, running)
        .await
        .with_context(|| format!("{name} did not end within {TOOL_LIMIT:?}"))?
        .with_context(|| format!("{name} did not start: is it installed? (scripts/setup)"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{name}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// The lab starts servers under other users and creates accounts.
fn ensure_root() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let is_root =
        status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    ensure!(is_root, "the lab needs root: run it through `sudo`");
    Ok(())
}

/// Lower-case letters and digits: fit for names and, being long, for passwords.
fn random_word(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect()
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
