//! `landfall doctor`: one line for each thing that has to work.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use landfall_common::ports::{DocumentKey, DocumentKind};
use landfall_common::wire::QueueName;
use serde_json::json;
use uuid::Uuid;

use super::client;
use crate::args::{DoctorArgs, Global, Output};
use crate::config::{Config, Role, Sources};
use crate::exit::Failure;
use crate::output::say;
use crate::roles::Parts;

/// How long a check may take.
const CHECK_TIME: Duration = Duration::from_secs(10);
/// How far this machine's clock may be from the store's. Nothing decides by it, but people read both in one log.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// What a check found: something to tell, or what is wrong.
type Finding = Result<String, String>;

/// Checks everything; fails where a check did.
pub(super) async fn run(sources: &Sources, global: &Global, args: &DoctorArgs) -> Result<(), Failure> {
    let roles = if args.role.is_empty() { &Role::SERVERS } else { args.role.as_slice() };
    let mut findings = Vec::new();
    let config = match Config::load(sources, roles) {
        Ok(config) => {
            findings.push(("configuration", Ok("every key is right".to_owned())));
            Some(config)
        }
        Err(faults) => {
            findings.push(("configuration", Err(faults.to_string())));
            None
        }
    };
    if let Some(config) = config {
        match Parts::open(&config, "doctor") {
            Ok(parts) => backends(&config, &parts, &mut findings).await,
            Err(failure) => findings.push(("backends", Err(failure.to_string()))),
        }
    }
    findings.push(("api", limited(api(global)).await));
    report(global.output, &findings)
}

fn report(form: Output, findings: &[(&str, Finding)]) -> Result<(), Failure> {
    match form {
        Output::Json => {
            let items = findings.iter().map(|(name, finding)| {
                let (is_ok, told) = match finding {
                    Ok(told) => (true, told),
                    Err(wrong) => (false, wrong),
                };
                json!({ "check": name, "ok": is_ok, "detail": told })
            });
            say!("{}", crate::output::json(&json!({ "checks": items.collect::<Vec<_>>() })));
        }
        Output::Text => {
            for (name, finding) in findings {
                match finding {
                    Ok(told) => say!("ok    {name:14} {told}"),
                    Err(wrong) => say!("FAIL  {name:14} {wrong}"),
                }
            }
        }
    }
    match findings.iter().filter(|(_, finding)| finding.is_err()).count() {
        0 => Ok(()),
        failed => Err(anyhow::anyhow!("{failed} of {} checks failed", findings.len()).into()),
    }
}

async fn backends(config: &Config, parts: &Parts, findings: &mut Vec<(&'static str, Finding)>) {
    let (store, clock, queue) =
        tokio::join!(limited(store(parts)), limited(clock(parts)), limited(queue(parts)));
    findings.extend([("store", store), ("clock", clock), ("queue", queue)]);
    if config.staging.place.is_some() {
        findings.push(("staging", limited(staging(parts)).await));
    }
    if !config.sealing.is_empty() {
        findings.push(("sealing", sealing(config, parts)));
    }
}

async fn limited(check: impl Future<Output = Finding>) -> Finding {
    let limit = || Err(format!("no answer within {} s", CHECK_TIME.as_secs()));
    tokio::time::timeout(CHECK_TIME, check).await.unwrap_or_else(|_| limit())
}

async fn store(parts: &Parts) -> Finding {
    parts.records.store().check().await.map_err(|error| told(&error))?;
    Ok("answers, and is set up so that nothing is lost".to_owned())
}

async fn clock(parts: &Parts) -> Finding {
    let nothing = DocumentKey::new(DocumentKind::Migration, "doctor");
    let (now, _) = parts.records.store().load(&[nothing]).await.map_err(|error| told(&error))?;
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let skew = here.abs_diff(Duration::from_micros(now.as_micros()));
    let text = format!("{} ms from the store's", skew.as_millis());
    if skew > SKEW_MAX { Err(text) } else { Ok(text) }
}

async fn queue(parts: &Parts) -> Finding {
    let mut depths = Vec::new();
    for queue in QueueName::ALL {
        let depth = parts.queue.depth(queue).await.map_err(|error| told(&error))?;
        depths.push(format!("{} {depth}", queue.as_str()));
    }
    Ok(format!("answers; messages: {}", depths.join(", ")))
}

/// What is written comes back, decrypted, and can be deleted.
async fn staging(parts: &Parts) -> Finding {
    let staging = parts.staging().map_err(|failure| failure.to_string())?;
    let key = format!("doctor/{}", Uuid::new_v4().simple());
    let plain = Bytes::from_static(b"landfall doctor");
    staging.create(&key, plain.clone()).await.map_err(|error| told(&error))?;
    let read = staging.get(&key).await.map_err(|error| told(&error));
    staging.delete(&key).await.map_err(|error| told(&error))?;
    if read? == plain {
        Ok("writes, reads, decrypts and deletes".to_owned())
    } else {
        Err("what was written does not come back".to_owned())
    }
}

fn sealing(config: &Config, parts: &Parts) -> Finding {
    let sealer = parts.sealer().map_err(|failure| failure.to_string())?;
    let sealed = sealer.seal("doctor", b"doctor");
    sealer.open("doctor", &sealed).map_err(|error| told(&error))?;
    Ok(format!("seals with key {:?}, opens with {} in all", sealed.key_id, config.sealing.len()))
}

async fn api(global: &Global) -> Finding {
    let client = client(global).map_err(|failure| failure.to_string())?;
    let ready = client.get("readyz", &[]).await.map_err(|failure| failure.to_string())?;
    let down: Vec<&str> = ["store", "queue"].into_iter().filter(|part| ready[*part] == "down").collect();
    if !down.is_empty() {
        return Err(format!("it answers, but says that this is down: {}", down.join(", ")));
    }
    client.get("v1/migrations", &[("limit", "1".to_owned())]).await.map_err(|failure| failure.to_string())?;
    Ok("is ready, and takes the token".to_owned())
}

/// An error with its causes in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
