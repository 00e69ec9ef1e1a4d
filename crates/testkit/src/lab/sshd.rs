//! A chrooted SFTP server, as a hosting company gives it to a site's owner.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::account::Account;
use super::daemon::Daemon;
use super::guardian::Guardian;
use super::ports::{free_port, greets};
use super::{Tool, run};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running sshd that allows one account SFTP within one folder and nothing else.
#[derive(Debug)]
pub struct Sshd {
    /// The listening process; each session is a child of it.
    pub daemon: Daemon,
    guardian: Arc<Guardian>,
    name: String,
    folder: PathBuf,
    port: u16,
}

impl Sshd {
    /// `chroot` and every folder above it must be root's and not writable by others: sshd refuses the session
    /// otherwise.
    pub(super) async fn start(
        guardian: &Arc<Guardian>,
        name: &str,
        chroot: &Path,
        account: &Account,
    ) -> Result<Self> {
        let folder = guardian.folder().join(name);
        fs::create_dir_all(&folder)?;
        // Debian's sshd is built to give up its rights in this folder and refuses to start without it.
        fs::create_dir_all("/run/sshd")?;
        for key in ["host_key", "client_key"] {
            run(Tool::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                .arg(folder.join(key)))
            .await?;
        }
        fs::copy(folder.join("client_key.pub"), folder.join("authorized_keys"))?;
        let port = free_port()?;
        fs::write(folder.join("sshd_config"), config(&folder, chroot, account, port))?;
        let daemon = Daemon::spawn(guardian, name, command(&folder))?;
        let guardian = Arc::clone(guardian);
        let mut server = Self { daemon, guardian, name: name.to_owned(), folder, port };
        server.wait_ready().await?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The account's private key in OpenSSH format, without a passphrase.
    pub fn client_key(&self) -> PathBuf {
        self.folder.join("client_key")
    }

    /// The host's public key, `ssh-ed25519 AAAA…`.
    pub fn host_key(&self) -> Result<String> {
        let line = fs::read_to_string(self.folder.join("host_key.pub"))?;
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        Ok(words.join(" "))
    }

    /// The host key's fingerprint, `SHA256:…`, as `ssh-keygen -l` prints it.
    pub async fn host_key_fingerprint(&self) -> Result<String> {
        let line = run(Tool::new("ssh-keygen").arg("-lf").arg(self.folder.join("host_key.pub"))).await?;
        line.split_whitespace().nth(1).map(str::to_owned).context("ssh-keygen printed no fingerprint")
    }

    /// Starts it again on the same port with the same keys, killing it and its sessions first.
    pub async fn restart(&mut self) -> Result<()> {
        self.daemon.kill9()?;
        self.daemon = Daemon::spawn(&self.guardian, &self.name, command(&self.folder))?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.daemon.wait_ready(START_LIMIT, || greets(port, b"SSH-2.0-")).await
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
    command
}

fn config(folder: &Path, chroot: &Path, account: &Account, port: u16) -> String {
    let folder = folder.display();
    let chroot = chroot.display();
    let user = &account.name;
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/sshd.pid\n\
         AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nAllowUsers {user}\n\
         PasswordAuthentication yes\nPubkeyAuthentication yes\nKbdInteractiveAuthentication no\n\
         Subsystem sftp internal-sftp\nForceCommand internal-sftp\nChrootDirectory {chroot}\n\
         AllowTcpForwarding no\nX11Forwarding no\nPermitTunnel no\nMaxStartups 100\nMaxSessions 100\nUseDNS no\n"
    )
}
