//! A Redis server that keeps every write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::daemon::Daemon;
use super::guardian::Guardian;
use super::ports::{address, free_port};
use super::{Tool, run};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running Redis with `appendfsync always` and `noeviction`.
#[derive(Debug)]
pub struct Redis {
    /// The server process.
    pub daemon: Daemon,
    guardian: Arc<Guardian>,
    name: String,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    pub(super) async fn start(guardian: &Arc<Guardian>, name: &str) -> Result<Self> {
        let folder = guardian.folder().join(name);
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let daemon = Daemon::spawn(guardian, name, command(&folder, port))?;
        let guardian = Arc::clone(guardian);
        let mut server = Self { daemon, guardian, name: name.to_owned(), folder, port };
        server.wait_ready().await?;
        Ok(server)
    }

    /// `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Runs `redis-cli` with these arguments against this server and returns what it prints, as it is.
    pub async fn cli(&self, arguments: &[&str]) -> Result<String> {
        let mut client = Tool::new("redis-cli");
        client.args(["-h", "127.0.0.1", "--raw", "-p", &self.port.to_string()]).args(arguments);
        run(&mut client).await
    }

    /// Starts it again on the same data and port, killing it first where it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.daemon.kill9()?;
        self.daemon = Daemon::spawn(&self.guardian, &self.name, command(&self.folder, self.port))?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.daemon.wait_ready(START_LIMIT, || pongs(port)).await
    }
}

fn command(folder: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder).args([
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--maxmemory-policy",
        "noeviction",
        "--save",
        "",
    ]);
    command
}

/// Loading its file it accepts connections already, but answers `-LOADING`.
async fn pongs(port: u16) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address(port)).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut reply = [0; 5];
        stream.read_exact(&mut reply).await.ok()?;
        Some(&reply == b"+PONG")
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), exchange).await, Ok(Some(true)))
}
