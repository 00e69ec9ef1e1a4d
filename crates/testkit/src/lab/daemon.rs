//! One server process in its own process group: started, signalled with all that it started, and never left behind.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::guardian::Guardian;

/// How often a killed tree is looked at again for processes that were born meanwhile.
const KILL_ROUNDS_MAX: usize = 50;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_TAIL_BYTES: usize = 4_000;

/// A running server. Dropping it kills it and everything below it, unless the lab is kept.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    guardian: Arc<Guardian>,
}

impl Daemon {
    /// Starts `command` as the leader of a process group of its own, its output going to `logs/NAME.log` in the
    /// lab's folder. A terminal's Ctrl-C does not reach it.
    pub(super) fn spawn(guardian: &Arc<Guardian>, name: &str, mut command: Command) -> Result<Self> {
        let logs = guardian.folder().join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} did not start", command.get_program().display()))?;
        let noted = guardian.note(&format!("process {} {}", child.id(), start_of(child.id()).unwrap_or(0)));
        if let Err(error) = noted {
            // Nobody would end it after us.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(Self { name: name.to_owned(), child, log, guardian: Arc::clone(guardian) })
    }

    /// The process id, which is its process group's id as well.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its standard output and error go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log, for an error message or a failed test.
    pub fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
    }

    /// How it ended; `None` while it runs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Its peak resident memory (`VmHWM`) in KiB, its children not counted.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        peak_memory_kib(self.pid())
    }

    /// `kill -9` for it and everything below it. Returns when all are gone.
    pub fn kill9(&mut self) -> Result<()> {
        let root = self.pid();
        let mut seen = HashSet::new();
        for _ in 0..KILL_ROUNDS_MAX {
            // Once the leader is dead its children have another parent: what was seen before counts as well.
            seen.extend(tree_of(root));
            let living: Vec<u32> = seen.iter().copied().filter(|&pid| is_alive(pid)).collect();
            if living.is_empty() {
                break;
            }
            signal("KILL", &living);
            self.child.try_wait()?;
            std::thread::yield_now();
        }
        self.child.wait()?;
        self.guardian.note(&format!("forget {root}"))
    }

    /// SIGTERM, then waits at most `limit`; a server that is not gone by then is killed and reported.
    pub async fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        signal("TERM", &[self.pid()]);
        match self.wait(limit).await {
            Ok(status) => {
                self.kill9()?; // Whatever it left behind.
                Ok(status)
            }
            Err(error) => {
                self.kill9()?;
                Err(error.context(format!("{} did not end on SIGTERM", self.name)))
            }
        }
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} still runs after {limit:?}", self.name);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Freezes it and everything below it.
    pub fn sigstop(&self) {
        signal("STOP", &tree_of(self.pid()));
    }

    /// Lets it go on after [`Daemon::sigstop`].
    pub fn sigcont(&self) {
        signal("CONT", &tree_of(self.pid()));
    }

    /// Sends `name` (such as `TERM` or `HUP`) to the leading process alone.
    pub fn signal(&self, name: &str) {
        signal(name, &[self.pid()]);
    }

    /// Polls `is_ready` until it says so; fails with the log's end when the server ends first or `limit` passes.
    pub async fn wait_ready<F, R>(&mut self, limit: Duration, mut is_ready: F) -> Result<()>
    where
        F: FnMut() -> R,
        R: Future<Output = bool>,
    {
        let deadline = Instant::now() + limit;
        loop {
            if is_ready().await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at its start ({status}):\n{}", self.name, self.log_tail());
            }
            if Instant::now() > deadline {
                bail!("{} does not answer after {limit:?}:\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.guardian.is_kept() {
            // The guardian tries again at the lab's end.
            let _ = self.kill9();
        }
    }
}

/// Peak resident memory (`VmHWM`) of any process, in KiB.
pub fn peak_memory_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .context("no VmHWM in /proc")
}

/// Polls `is_done` every 20 ms until it is true, at most for `limit`.
pub async fn wait_until<F, R>(what: &str, limit: Duration, mut is_done: F) -> Result<()>
where
    F: FnMut() -> R,
    R: Future<Output = bool>,
{
    let deadline = Instant::now() + limit;
    while !is_done().await {
        ensure!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Sends a signal through the shell's own `kill`: this crate forbids unsafe code, and a process gone meanwhile
/// is no fault.
fn signal(name: &str, pids: &[u32]) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$@\" 2>/dev/null", "kill", name])
        .args(pids.iter().map(u32::to_string))
        .status();
}

/// The fields of `/proc/PID/stat` that follow the name.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

fn start_of(pid: u32) -> Option<u64> {
    stat_fields(pid)?.get(19)?.trim().parse().ok()
}

fn is_alive(pid: u32) -> bool {
    stat_fields(pid).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

/// `root`, its descendants, and the members of its process group and session.
fn tree_of(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut found: Vec<u32> = vec![root];
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Some(fields) = stat_fields(pid) else { continue };
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
        if let Some(parent) = number(1) {
            children.entry(parent).or_default().push(pid);
        }
        if pid != root && (number(2) == Some(root) || number(3) == Some(root)) {
            found.push(pid);
        }
    }
    let mut seen: HashSet<u32> = found.iter().copied().collect();
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        for &child in children.get(&pid).into_iter().flatten() {
            if seen.insert(child) {
                found.push(child);
            }
        }
    }
    found
}
