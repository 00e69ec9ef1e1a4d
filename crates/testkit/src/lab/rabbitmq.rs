//! A RabbitMQ node apart from any other on the machine.

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
use super::ports::{accepts, address, free_port};
use super::{Tool, run};

const START_LIMIT: Duration = Duration::from_secs(90);

/// A running RabbitMQ node with its own port mapper (`epmd`), which a node would otherwise leave running.
#[derive(Debug)]
pub struct RabbitMq {
    /// The node.
    pub daemon: Daemon,
    epmd: Daemon,
    guardian: Arc<Guardian>,
    name: String,
    ports: Ports,
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    amqp: u16,
    epmd: u16,
    distribution: u16,
}

impl RabbitMq {
    pub(super) async fn start(guardian: &Arc<Guardian>, name: &str) -> Result<Self> {
        let folder = guardian.folder().join(name);
        fs::create_dir_all(folder.join("home"))?;
        fs::write(folder.join("rabbitmq.conf"), "loopback_users.guest = true\n")?;
        fs::write(folder.join("enabled_plugins"), "[].\n")?;
        let ports = Ports { amqp: free_port()?, epmd: free_port()?, distribution: free_port()? };
        let epmd_name = format!("{name}-epmd");
        let mut command = Command::new("epmd");
        command.args(["-address", "127.0.0.1", "-port", &ports.epmd.to_string()]);
        let mut epmd = Daemon::spawn(guardian, &epmd_name, command)?;
        epmd.wait_ready(START_LIMIT, || accepts(ports.epmd)).await?;
        let daemon = Daemon::spawn(guardian, name, node_command(&folder, ports))?;
        let guardian = Arc::clone(guardian);
        let mut server = Self { daemon, epmd, guardian, name: name.to_owned(), ports, folder };
        server.wait_ready().await?;
        Ok(server)
    }

    /// `amqp://guest:guest@127.0.0.1:PORT/%2f`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// Runs `rabbitmqctl` with these arguments against this node and returns what it prints.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        set_environment(&mut command, &self.folder, self.ports);
        command.arg("--quiet").args(arguments);
        run(&mut Tool::from(command)).await
    }

    /// Starts it again on the same data and port, killing it first where it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.daemon.kill9()?;
        self.daemon = Daemon::spawn(&self.guardian, &self.name, node_command(&self.folder, self.ports))?;
        self.wait_ready().await
    }

    /// The port mapper's process id.
    pub fn epmd_pid(&self) -> u32 {
        self.epmd.pid()
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let port = self.ports.amqp;
        self.daemon.wait_ready(START_LIMIT, || speaks_amqp(port)).await
    }
}

/// Debian's `/usr/sbin/rabbitmq-server` changes user, session and log; the script behind it does not.
fn node_command(folder: &Path, ports: Ports) -> Command {
    let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    set_environment(&mut command, folder, ports);
    command
}

fn set_environment(command: &mut Command, folder: &Path, ports: Ports) {
    command
        .env("HOME", folder.join("home"))
        .env("RABBITMQ_NODENAME", format!("lab{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        // The command line tools are a node as well, without the server's arguments.
        .env("RABBITMQ_CTL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
}

/// Its port opens before the node takes clients: only an answer to the protocol header counts.
async fn speaks_amqp(port: u16) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address(port)).await.ok()?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await.ok()?;
        let mut frame = [0; 1];
        stream.read_exact(&mut frame).await.ok()?;
        Some(frame == [1]) // A method frame: connection.start.
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), exchange).await, Ok(Some(true)))
}
