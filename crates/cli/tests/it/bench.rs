//! A running `landfall dev`, and the commands that are run against it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a process may take to start, or to drain.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A folder, and a `landfall dev` that may run on it.
pub(crate) struct Dev {
    pub(crate) folder: tempfile::TempDir,
    process: Option<Child>,
    url: String,
}

impl Dev {
    /// Starts one on a folder of its own, on a free port.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut dev = Self { folder, process: None, url: String::new() };
        dev.start_again();
        dev
    }

    /// Starts one on the same folder.
    pub(crate) fn start_again(&mut self) {
        let log = File::create(self.folder.path().join("log")).expect("a log");
        let mut process = self.dev_command().stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let out = process.stdout.take().expect("its output is ours");
        self.process = Some(process);
        let first = BufReader::new(out).lines().next().and_then(Result::ok).unwrap_or_default();
        let Some(url) = first.strip_prefix("Landfall runs at ") else {
            panic!("it says {first:?}\n{}", self.log())
        };
        url.clone_into(&mut self.url);
    }

    /// The command that runs `landfall dev` here.
    pub(crate) fn dev_command(&self) -> Command {
        let mut command = landfall();
        command.args(["dev", "--data"]).arg(self.data()).env("LANDFALL__API__LISTEN", "127.0.0.1:0");
        command
    }

    /// Its folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A client command against it, with the operator's token.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = landfall();
        command.args(arguments).env("LANDFALL_SERVER", &self.url);
        command.arg("--token-file").arg(self.data().join("operator-token"));
        command
    }

    /// Runs a client command; its exit code and what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Runs a client command that has to succeed; its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}\n{}", self.log());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    /// A site for no-op migrations.
    pub(crate) fn noop_site(&self, name: &str) {
        let site = self.json(&["site", "create", name, "--noop", "--organization", "new"]);
        assert_eq!(site["name"], name);
    }

    /// Asks again until it is so, for a minute at most.
    pub(crate) fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..600 {
            if is_so() {
                return;
            }
            rest();
        }
        panic!("{what}: never\n{}", self.log());
    }

    /// Waits until a migration is in a state.
    pub(crate) fn wait_for(&self, id: &str, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let migration = self.json(&["status", id]);
            if migration["state"] == state {
                return migration;
            }
            assert!(began.elapsed() < LIMIT, "{id} is not {state}: {migration}");
            rest();
        }
    }

    /// Sends SIGTERM and waits for the end; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("it runs");
        let pid = process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let began = Instant::now();
        loop {
            if let Some(status) = process.try_wait().expect("it is our child") {
                return status.code();
            }
            assert!(began.elapsed() < LIMIT, "it does not drain\n{}", self.log());
            rest();
        }
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it is our child");
        process.wait().expect("it is our child");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().expect("it runs");
        Self {
            code: status.code().expect("it was not killed"),
            out: String::from_utf8(stdout).expect("it prints UTF-8"),
            err: String::from_utf8(stderr).expect("it prints UTF-8"),
        }
    }
}

/// The binary, with nothing of this process's environment that means something to it.
pub(crate) fn landfall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LANDFALL") {
            command.env_remove(name);
        }
    }
    command.current_dir(Path::new("/"));
    command
}

/// Rests before the next look; every loop around it has a limit.
pub(crate) fn rest() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(POLL);
    drop(sender);
}
