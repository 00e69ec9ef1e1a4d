//! An installation of Landfall: the `landfall` binary as its operator runs it, on embedded backends or over
//! RabbitMQ and Redis, in a lab's care.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_testkit::lab::{
    Daemon, Destination, Lab, PlatformPluginZip, RabbitMq, Redis, SmtpSink, Source, free_port, wait_until,
};
use url::Url;

use crate::api::Api;

const START_LIMIT: Duration = Duration::from_secs(60);

/// What stands behind the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backends {
    /// `landfall dev`: SQLite, an in-process queue, a folder.
    Embedded,
    /// Redis and RabbitMQ, and each role in processes of its own.
    Servers,
}

impl Backends {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Backends::Embedded => "embedded backends",
            Backends::Servers => "RabbitMQ and Redis",
        }
    }
}

/// Which worker processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// So many, each for all phases: `worker-1`, …
    ForAllPhases(usize),
    /// One for each phase: `worker-snapshot`, `worker-transfer`, `worker-import`.
    OnePerPhase,
}

/// How an installation is made.
#[derive(Debug, Clone)]
pub struct InstallationOptions {
    /// What stands behind the ports.
    pub backends: Backends,
    /// Worker processes, with [`Backends::Servers`].
    pub workers: Workers,
    /// Slots of each phase in each worker.
    pub slots: u32,
    /// Names that the workers find on this machine: `host:port=127.0.0.1:port`.
    pub resolve: Vec<String>,
    /// Plugins that the platform installs with every site.
    pub platform_plugins: Vec<PlatformPluginZip>,
    /// More configuration, TOML.
    pub more: String,
}

impl InstallationOptions {
    /// For no-op migrations.
    pub fn noop(backends: Backends) -> Self {
        Self {
            backends,
            workers: Workers::ForAllPhases(2),
            slots: 1,
            resolve: Vec::new(),
            platform_plugins: Vec::new(),
            more: String::new(),
        }
    }

    /// For migrations between two sites of the lab.
    pub fn between(source: &Source, destination: &Destination, backends: Backends) -> Self {
        let resolve = [&source.site.url, &destination.site.url]
            .into_iter()
            .filter_map(|url| {
                let (host, port) = (url.host_str()?, url.port_or_known_default()?);
                Some(format!("{host}:{port}=127.0.0.1:{port}"))
            })
            .collect();
        Self { resolve, ..Self::noop(backends) }
    }
}

/// A running installation.
#[derive(Debug)]
pub struct Installation {
    lab: Lab,
    folder: PathBuf,
    config: PathBuf,
    api: Api,
    token: String,
    started: usize,
    /// The processes by name: `dev`, or `api`, `scheduler`, `worker-1`, `worker-2`.
    pub processes: Vec<(String, Daemon)>,
    /// Redis, with [`Backends::Servers`].
    pub redis: Option<Redis>,
    /// RabbitMQ, with [`Backends::Servers`].
    pub rabbitmq: Option<RabbitMq>,
    /// Where all mail goes.
    pub mail: SmtpSink,
}

/// The `landfall` binary beside the running one: `make` builds both.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("landfall")).find(|file| file.is_file());
    found.context("the landfall binary is not built: `cargo build -p landfall-cli`, or use `make`")
}

impl Installation {
    /// Starts one, and waits until its API is ready.
    pub async fn start(lab: &Lab, options: InstallationOptions) -> Result<Self> {
        let folder = lab.folder().join("landfall");
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let token = format!("operator-{:032x}", rand::random::<u128>());
        let (redis, rabbitmq) = match options.backends {
            Backends::Embedded => (None, None),
            Backends::Servers => {
                let (redis, rabbitmq) = tokio::try_join!(lab.redis("redis"), lab.rabbitmq("rabbitmq"))?;
                (Some(redis), Some(rabbitmq))
            }
        };
        let mail = SmtpSink::start().await?;
        let config = folder.join("landfall.toml");
        let text = config_text(&folder, &options, port, &token, &mail, redis.as_ref(), rabbitmq.as_ref())?;
        fs::write(&config, text)?;
        let api = Api::new(Url::parse(&format!("http://127.0.0.1:{port}/"))?, &token)?;
        let mut installation = Self {
            lab: lab.clone(),
            folder,
            config,
            api,
            token,
            started: 0,
            processes: Vec::new(),
            redis,
            rabbitmq,
            mail,
        };
        installation.start_roles(&options).await?;
        Ok(installation)
    }

    async fn start_roles(&mut self, options: &InstallationOptions) -> Result<()> {
        match options.backends {
            Backends::Embedded => self.spawn("dev", &["dev", "--data", "data"], &[])?,
            Backends::Servers => {
                self.spawn("api", &["api"], &[])?;
                self.spawn("scheduler", &["scheduler"], &[])?;
                self.start_workers(options.workers)?;
            }
        }
        self.wait_ready().await
    }

    fn start_workers(&mut self, workers: Workers) -> Result<()> {
        match workers {
            Workers::ForAllPhases(count) => {
                for number in 1..=count {
                    self.spawn(&format!("worker-{number}"), &["worker"], &[])?;
                }
            }
            Workers::OnePerPhase => {
                for phase in ["snapshot", "transfer", "import"] {
                    self.spawn(&format!("worker-{phase}"), &["worker", "--phases", phase], &[])?;
                }
            }
        }
        Ok(())
    }

    /// Waits until the API says that it is ready; fails at once where a process has ended.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let api = self.api.clone();
        let ready = wait_until("the API is ready", START_LIMIT, || async {
            api.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
        });
        if let Err(error) = ready.await {
            let logs: Vec<String> = self
                .processes
                .iter()
                .map(|(name, daemon)| format!("{name}:\n{}", daemon.log_tail()))
                .collect();
            return Err(error.context(logs.join("\n")));
        }
        for (name, daemon) in &mut self.processes {
            ensure!(daemon.exited()?.is_none(), "{name} ended at its start:\n{}", daemon.log_tail());
        }
        Ok(())
    }

    /// Starts one more process of the installation, with more environment. Where one of that name runs, it is killed first.
    pub fn spawn(&mut self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        self.processes.retain(|(running, _)| running != name);
        self.started += 1;
        let mut command = Command::new(binary()?);
        command
            .args(["--config".as_ref(), self.config.as_os_str()])
            .args(arguments)
            .current_dir(&self.folder);
        command.envs(environment.iter().copied());
        let daemon = self.lab.daemon(&format!("landfall-{name}-{}", self.started), command)?;
        self.processes.push((name.to_owned(), daemon));
        Ok(())
    }

    /// The process of that name.
    pub fn process(&mut self, name: &str) -> Result<&mut Daemon> {
        let found = self.processes.iter_mut().find(|(running, _)| running == name);
        found.map(|(_, daemon)| daemon).with_context(|| format!("no process {name}"))
    }

    /// The operator's caller of the API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// How to call the API as the operator.
    pub fn token_hint(&self) -> String {
        format!("LANDFALL_TOKEN={}", self.token)
    }

    /// Peak resident memory of each process, in KiB.
    pub fn peak_memory(&self) -> Result<Vec<(String, u64)>> {
        self.processes.iter().map(|(name, daemon)| Ok((name.clone(), daemon.peak_memory_kib()?))).collect()
    }
}

/// The installation's configuration file.
fn config_text(
    folder: &std::path::Path,
    options: &InstallationOptions,
    port: u16,
    token: &str,
    mail: &SmtpSink,
    redis: Option<&Redis>,
    rabbitmq: Option<&RabbitMq>,
) -> Result<String> {
    let mut text = String::new();
    if let (Some(redis), Some(rabbitmq)) = (redis, rabbitmq) {
        let staging = folder.join("staging");
        fs::create_dir_all(&staging)?;
        text += &format!(
            "[store]\nkind = \"redis\"\nurl = {}\n[queue]\nkind = \"rabbitmq\"\nurl = {}\n",
            quoted(&redis.url()),
            quoted(&rabbitmq.url())
        );
        text += &format!(
            "[staging]\npath = {}\nage_identity_file = {}\n[sealing]\nkeys_file = {}\n",
            quoted(&staging.display().to_string()),
            quoted(&age_identity(folder)?),
            quoted(&sealing_key(folder)?)
        );
    }
    text += &format!(
        "[api]\nlisten = \"127.0.0.1:{port}\"\noperator_token = {}\nowners_name_local_roots = true\n",
        quoted(token)
    );
    text += "[worker.source]\nallow_loopback = true\n";
    let resolve: Vec<String> = options.resolve.iter().map(|line| quoted(line)).collect();
    text += &format!("[worker]\nresolve = [{}]\n", resolve.join(", "));
    for PlatformPluginZip { file, zip, sha256, .. } in &options.platform_plugins {
        let zip = quoted(&zip.display().to_string());
        text += &format!(
            "[[worker.platform_plugins]]\nfile = {}\nzip = {zip}\nsha256 = {}\n",
            quoted(file),
            quoted(sha256)
        );
    }
    let slots = options.slots;
    text += &format!("[worker.slots]\nsnapshot = {slots}\ntransfer = {slots}\nimport = {slots}\n");
    text += &format!(
        "[mail]\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"Landfall <landfall@example.org>\"\nsupport_address = \"migrations@example.org\"\ndashboard_url = \"https://dashboard.example.org/sites/{{site}}\"\n",
        mail.port()
    );
    Ok(text + &options.more)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A new age identity, made by the stock tool.
fn age_identity(folder: &std::path::Path) -> Result<String> {
    let path = folder.join("age-identity");
    let made = Command::new("age-keygen").arg("-o").arg(&path).output().context("age-keygen is installed")?;
    ensure!(made.status.success(), "age-keygen: {}", String::from_utf8_lossy(&made.stderr));
    Ok(path.display().to_string())
}

fn sealing_key(folder: &std::path::Path) -> Result<String> {
    let path = folder.join("sealing-keys");
    fs::write(&path, format!("lab {}\n", STANDARD.encode(rand::random::<[u8; 32]>())))?;
    Ok(path.display().to_string())
}
