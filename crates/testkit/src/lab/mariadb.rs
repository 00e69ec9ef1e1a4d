//! A MariaDB server with a data folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::daemon::Daemon;
use super::guardian::Guardian;
use super::ports::{accepts, free_port};
use super::{Tool, run, workspace};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// What differs from a server's defaults.
#[derive(Clone, Debug)]
pub struct MariaDbOptions {
    /// `max_allowed_packet` in MiB. 64 takes a row of 20 MB; 16 is the server's own default.
    pub max_allowed_packet_mib: u32,
    /// More options, such as `--local-infile=0`.
    pub extra: Vec<String>,
}

impl Default for MariaDbOptions {
    fn default() -> Self {
        Self { max_allowed_packet_mib: 64, extra: Vec::new() }
    }
}

/// A running MariaDB server on 127.0.0.1. Its root user is reached over the socket only.
#[derive(Debug)]
pub struct MariaDb {
    /// The server process.
    pub daemon: Daemon,
    guardian: Arc<Guardian>,
    name: String,
    folder: PathBuf,
    port: u16,
    options: MariaDbOptions,
}

/// One database and the user that owns it.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseAccess {
    /// Always 127.0.0.1.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The database's name.
    pub database: String,
    /// A user with every right on this database and no other.
    pub user: String,
    /// The user's password, made for this lab.
    pub password: String,
}

impl DatabaseAccess {
    /// `mysql://user:password@127.0.0.1:port/database`. Names and passwords of the lab need no escaping.
    pub fn url(&self) -> String {
        format!("mysql://{}:{}@{}:{}/{}", self.user, self.password, self.host, self.port, self.database)
    }
}

impl MariaDb {
    pub(super) async fn start(guardian: &Arc<Guardian>, name: &str, options: MariaDbOptions) -> Result<Self> {
        let folder = guardian.folder().join(name);
        // The machine's /tmp is everyone's, and a server whose temporary table vanishes there crashes.
        fs::create_dir_all(folder.join("tmp"))?;
        copy_template(&folder.join("data")).await?;
        run(Tool::new("chown").args(["-R", "mysql:"]).arg(&folder)).await?;
        let port = free_port()?;
        let daemon = Daemon::spawn(guardian, name, command(&folder, port, &options))?;
        let guardian = Arc::clone(guardian);
        let mut server = Self { daemon, guardian, name: name.to_owned(), folder, port, options };
        server.wait_ready().await?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket, on which the system's root is the server's root.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// SIGTERM, and waits for the orderly end.
    pub async fn stop(&mut self) -> Result<()> {
        self.daemon.stop(STOP_LIMIT).await.map(drop)
    }

    /// Starts it again on the same data and port, killing it first where it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.daemon.kill9()?;
        self.daemon =
            Daemon::spawn(&self.guardian, &self.name, command(&self.folder, self.port, &self.options))?;
        self.wait_ready().await
    }

    /// Runs statements as root and returns the rows, tab-separated, without headings.
    pub async fn sql(&self, statements: &str) -> Result<String> {
        let mut client = Tool::new("mariadb");
        client.args(["--no-defaults", "--batch", "--skip-column-names", "--user=root", "--socket"]);
        client.arg(self.socket()).args(["--max-allowed-packet=1G", "--binary-mode", "--execute", statements]);
        run(&mut client).await
    }

    /// Makes an empty database and a user with all rights on it alone.
    pub async fn create_database(&self, database: &str) -> Result<DatabaseAccess> {
        let access = DatabaseAccess {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            database: database.to_owned(),
            user: database.to_owned(),
            password: super::random_word(20),
        };
        self.sql(&format!(
            "CREATE DATABASE `{database}` CHARACTER SET utf8mb4; \
             CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}'; \
             GRANT ALL ON `{database}`.* TO '{user}'@'127.0.0.1';",
            user = access.user,
            password = access.password,
        ))
        .await?;
        Ok(access)
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.daemon.wait_ready(START_LIMIT, || accepts(port)).await
    }
}

fn command(folder: &Path, port: u16, options: &MariaDbOptions) -> Command {
    let mut command = Command::new("mariadbd");
    command
        .args(["--no-defaults", "--user=mysql", "--bind-address=127.0.0.1", "--skip-name-resolve"])
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--tmpdir={}", folder.join("tmp").display()))
        .arg(format!("--socket={}", folder.join("socket").display()))
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .arg(format!("--port={port}"))
        .arg(format!("--max-allowed-packet={}M", options.max_allowed_packet_mib))
        // A small host's settings: the lab runs two of them beside everything else.
        .args(["--innodb-buffer-pool-size=256M", "--performance-schema=OFF", "--max-connections=100"])
        .args(&options.extra);
    command
}

/// Initialising a data folder takes five seconds, copying one a moment: the first lab of a checkout initialises.
async fn copy_template(data: &Path) -> Result<()> {
    let version = run(Tool::new("mariadbd").arg("--version")).await?;
    let version: String = version.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let cache = workspace().join("target/lab");
    let template = cache.join(format!("mariadb-{}", &version[..version.len().min(60)]));
    if !template.exists() {
        fs::create_dir_all(&cache).context("the folder for the lab's templates cannot be made")?;
        let making = tempfile::Builder::new().prefix("making-").tempdir_in(&cache)?;
        // The installer drops to no other user here: root owns the template, mysql each copy.
        run(Tool::new("mariadb-install-db").args(["--no-defaults", "--user=root", "--skip-test-db"]).args([
            "--auth-root-authentication-method=socket".to_owned(),
            format!("--datadir={}", making.path().display()),
        ]))
        .await?;
        // A lab at the same moment may have been first; then its template serves.
        if fs::rename(making.path(), &template).is_ok() {
            let _ = making.keep();
        }
    }
    ensure!(template.exists(), "{} was not made", template.display());
    run(Tool::new("cp").args(["-a", "--reflink=auto"]).arg(&template).arg(data)).await?;
    Ok(())
}
