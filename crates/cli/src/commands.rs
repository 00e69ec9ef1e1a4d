//! The client commands: one file per group, each a function from arguments and a [`Client`] to a result.

mod completions;
mod config;
mod doctor;
mod migrate;
mod operation;
mod report;
mod rewrite;
mod site;
mod status;
mod steer;
mod support;
mod token;
mod watch;

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use landfall_common::OrganizationId;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::args::{Cli, Command, Global, ListArgs, Output};
use crate::client::Client;
use crate::config::{Config, Sources};
use crate::exit::Failure;
use crate::output::say;
use crate::roles;

/// Largest file that a command takes in. Bytes.
const INPUT_MAX: u64 = 1 << 20;

/// Runs one command to its end.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let sources = || Sources::of_process(global.config.clone());
    match command {
        Command::Api => roles::run_api(&sources()).await,
        Command::Scheduler => roles::run_scheduler(&sources()).await,
        Command::Worker(args) => roles::run_worker(&sources(), &args).await,
        Command::Dev(args) => roles::run_dev(&sources(), &args).await,
        Command::Config(command) => config::run(&sources(), &command),
        Command::Completions { shell } => completions::run(shell),
        Command::Doctor(args) => doctor::run(&sources(), &global, &args).await,
        Command::Migrate(args) => migrate::run(&client(&global)?, global.output, &args).await,
        Command::Status(args) => status::run(&client(&global)?, global.output, &args).await,
        Command::Watch(args) => watch::run(&client(&global)?, global.output, &args.id).await,
        Command::Cancel(args) => steer::run(&client(&global)?, global.output, &args.id, "cancel").await,
        Command::Pause(args) => steer::run(&client(&global)?, global.output, &args.id, "pause").await,
        Command::Resume(args) => steer::run(&client(&global)?, global.output, &args.id, "resume").await,
        Command::Rollback(args) => steer::run(&client(&global)?, global.output, &args.id, "rollback").await,
        Command::Report(args) => report::run(&client(&global)?, global.output, &args).await,
        Command::Support(command) => support::run(&client(&global)?, global.output, *command).await,
        Command::Hold(command) => operation::hold(&client(&global)?, global.output, command).await,
        Command::Organization(command) => {
            operation::organization(&client(&global)?, global.output, command).await
        }
        Command::Token(command) => token::run(&client(&global)?, global.output, command).await,
        Command::Site(command) => site::run(&client(&global)?, global.output, *command).await,
        Command::Rewrite(args) => rewrite::run(&args),
        Command::Plugin { file } => plugin(&client(&global)?, &file).await,
    }
}

/// A caller of the API as options, variables and configuration say, in this order.
fn client(global: &Global) -> Result<Client, Failure> {
    let sources = Sources::of_process(global.config.clone());
    let config = Config::load_client(&sources)?;
    let read = |path: &Path| -> Result<SecretString, Failure> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("the token file {}", path.display()))?;
        Ok(text.trim().to_owned().into())
    };
    let token = match (&global.token_file, sources.token(), config.operator_token, &config.token_file) {
        (Some(path), ..) => Some(read(path)?),
        (None, Some(token), ..) => Some(token),
        (None, None, Some(token), _) => Some(token),
        (None, None, None, Some(path)) => Some(read(path)?),
        (None, None, None, None) => None,
    };
    Client::new(global.server.clone().unwrap_or(config.server), token)
}

/// Prints what was answered: as it is for programs, said for people.
fn print(
    output: Output,
    answer: &Value,
    said: impl FnOnce() -> Result<String, Failure>,
) -> Result<(), Failure> {
    match output {
        Output::Json => say!("{}", crate::output::json(answer)),
        Output::Text => say!("{}", said()?),
    }
    Ok(())
}

/// The newest items of a list, page by page up to the limit, as one page.
async fn list(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    args: &ListArgs,
) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    let wanted = usize::try_from(args.limit).unwrap_or(usize::MAX);
    while items.len() < wanted {
        let mut query = query.to_vec();
        query.push(("organization", args.organization.clone().unwrap_or_default()));
        query.push(("limit", (wanted - items.len()).min(200).to_string()));
        query.push(("cursor", cursor));
        let mut page = client.get(path, &query).await?;
        if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
            items.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    Ok(json!({ "items": items }))
}

/// A key under which the server does what is asked once, however often it is sent.
fn once() -> String {
    format!("cli-{}", uuid::Uuid::new_v4().simple())
}

/// An organization as it is named on the command line; `new` begins one.
fn organization(named: Option<&str>) -> Option<String> {
    match named {
        Some("new") => Some(OrganizationId::from_uuid(uuid::Uuid::now_v7()).to_string()),
        other => other.map(str::to_owned),
    }
}

/// JSON from a file; `-` is standard input.
fn json_file(path: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(INPUT_MAX).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        file.take(INPUT_MAX).read_to_string(&mut text)?;
    }
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", path.display())))
}

/// Writes a secret to a new file that only its owner reads.
fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(format!("{text}\n").as_bytes())?;
    Ok(())
}

async fn plugin(client: &Client, file: &Path) -> Result<(), Failure> {
    let zip = client.bytes("v1/plugin.zip").await?;
    std::fs::write(file, &zip).with_context(|| file.display().to_string())?;
    say!("{}: {} bytes", file.display(), zip.len());
    Ok(())
}
