//! A temporary system user: the account that a hosting company gives a site.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::guardian::Guardian;
use super::{Tool, random_word};

const ATTEMPTS_MAX: usize = 50;

/// A system user without a shell, removed when the lab ends.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's name; its group has the same.
    pub name: String,
    /// Its password, made for this lab.
    pub password: String,
}

impl Account {
    pub(super) async fn create(guardian: &Arc<Guardian>) -> Result<Self> {
        let account = Self { name: format!("lflab{}", random_word(8)), password: random_word(20) };
        guardian.note(&format!("user {}", account.name))?;
        let mut last = String::new();
        for _ in 0..ATTEMPTS_MAX {
            // Another program may hold the lock on the user database.
            let output = Tool::new("useradd")
                .args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"])
                .args(["--home-dir", "/nonexistent", "--comment", "Landfall lab", &account.name])
                .output()
                .await
                .context("useradd did not run")?;
            if output.status.success() {
                account.set_password()?;
                return Ok(account);
            }
            last = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("no user for the lab: {last}")
    }

    /// `name:group`, as chown takes it.
    pub(super) fn owner(&self) -> String {
        format!("{0}:{0}", self.name)
    }

    fn set_password(&self) -> Result<()> {
        // Through standard input: an argument could be read by every user of the machine.
        let mut chpasswd =
            Command::new("chpasswd").stdin(Stdio::piped()).spawn().context("chpasswd did not run")?;
        let mut stdin = chpasswd.stdin.take().context("chpasswd without standard input")?;
        writeln!(stdin, "{}:{}", self.name, self.password)?;
        drop(stdin);
        ensure!(chpasswd.wait()?.success(), "the lab's user {} got no password", self.name);
        Ok(())
    }
}

/// Whether the system knows a user of this name.
pub fn user_exists(name: &str) -> bool {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd.lines().any(|line| line.split(':').next() == Some(name))
}
