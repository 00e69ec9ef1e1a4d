//! Reads.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Document, DocumentKey, DueQuery, IndexEntry, IndexQuery, Order, OutboxEntry, StoreError, StoredLine,
};
use redis::Script;
use redis::streams::{StreamId, StreamRangeReply};

use super::commit::{document_name, parse_time};
use super::link::Link;
use crate::due::fair_share;
use crate::limits::{SCORE_MAX, lines, micros};

static LOAD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("load.lua")));
static DUE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("due.lua")));
static INDEX: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("index.lua")));

/// A document as the script returns it: version, body.
type RawDocument = (u64, Vec<u8>);

pub(super) async fn load(
    link: &Link,
    keys: &[DocumentKey],
) -> Result<(StoreTime, Vec<Option<Document>>), StoreError> {
    let names: Vec<String> = keys.iter().map(document_name).collect();
    let args: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let (time, found): (String, Vec<Option<RawDocument>>) = link.script(&LOAD, &args).await?;
    if found.len() != keys.len() {
        return Err(StoreError::Broken(format!("{} documents for {} keys", found.len(), keys.len())));
    }
    let documents = found
        .into_iter()
        .map(|document| document.map(|(version, body)| Document { version, body: body.into() }))
        .collect();
    Ok((parse_time(&time)?, documents))
}

pub(super) async fn events(
    link: &Link,
    stream: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredLine>, StoreError> {
    let Some(first) = after.checked_add(1).filter(|_| limit > 0) else { return Ok(Vec::new()) };
    let mut command = redis::cmd("XRANGE");
    command.arg(link.key("events", stream)).arg(format!("{first}-0")).arg("+").arg("COUNT").arg(lines(limit));
    let reply: StreamRangeReply = link.command(&command).await?;
    reply.ids.iter().map(stored_line).collect()
}

fn stored_line(line: &StreamId) -> Result<StoredLine, StoreError> {
    let damaged = || StoreError::Broken(format!("event {} is damaged", line.id));
    let id = line.id.strip_suffix("-0").and_then(|number| number.parse().ok()).ok_or_else(damaged)?;
    let at: String = line.get("at").ok_or_else(damaged)?;
    let body: Vec<u8> = line.get("body").ok_or_else(damaged)?;
    Ok(StoredLine { id, at: parse_time(&at)?, body: body.into() })
}

pub(super) async fn index(
    link: &Link,
    query: &IndexQuery,
) -> Result<(StoreTime, Vec<IndexEntry>), StoreError> {
    let order = match query.order {
        Order::Ascending => "ascending",
        Order::Descending => "descending",
    };
    let (score, member) = match &query.after {
        Some(entry) => (entry.score.to_string(), entry.member.as_str()),
        None => (String::new(), ""),
    };
    let limit = lines(query.limit).to_string();
    let args: [&[u8]; 5] =
        [query.index.as_bytes(), order.as_bytes(), score.as_bytes(), member.as_bytes(), limit.as_bytes()];
    let (time, page): (String, Vec<(String, f64)>) = link.script(&INDEX, &args).await?;
    let mut entries = Vec::with_capacity(page.len());
    for (member, score) in page {
        entries.push(IndexEntry { member, score: whole(score)? });
    }
    if let Some(until) = query.until {
        entries.retain(|entry| match query.order {
            Order::Ascending => entry.score <= until,
            Order::Descending => entry.score >= until,
        });
    }
    Ok((parse_time(&time)?, entries))
}

/// A score as the whole number that it was written as.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked"
)]
fn whole(score: f64) -> Result<u64, StoreError> {
    if score.fract() == 0.0 && (0.0..=SCORE_MAX as f64).contains(&score) {
        Ok(score as u64)
    } else {
        Err(StoreError::Broken(format!("{score} is no score of ours")))
    }
}

pub(super) async fn count(link: &Link, indexes: &[String]) -> Result<Vec<u64>, StoreError> {
    if indexes.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = redis::pipe();
    for index in indexes {
        pipeline.cmd("ZCARD").arg(link.key("index", index));
    }
    link.pipeline(&pipeline).await
}

/// An entry as the script returns it: id, tenant, due, claims, epoch, body.
type RawEntry = (String, String, String, u32, u64, Vec<u8>);

pub(super) async fn due(link: &Link, query: &DueQuery) -> Result<(StoreTime, Vec<OutboxEntry>), StoreError> {
    let [tenants, per_tenant, epoch] =
        [lines(query.tenants).to_string(), lines(query.per_tenant).to_string(), query.epoch.to_string()];
    let [skip_tenants, skip_entries] = [query.skip_tenants, query.skip_entries].map(|skip| skip.to_string());
    let args: [&[u8]; 6] = [
        query.lane.as_bytes(),
        tenants.as_bytes(),
        per_tenant.as_bytes(),
        epoch.as_bytes(),
        skip_tenants.as_bytes(),
        skip_entries.as_bytes(),
    ];
    let (time, raw): (String, Vec<RawEntry>) = link.script(&DUE, &args).await?;
    let mut entries = Vec::with_capacity(raw.len());
    for (id, tenant, due, claims, epoch, body) in raw {
        let due = parse_time(&due)?;
        entries.push(OutboxEntry {
            id,
            lane: query.lane.clone(),
            tenant,
            due,
            claims,
            epoch,
            body: body.into(),
        });
    }
    Ok((parse_time(&time)?, fair_share(entries, query)))
}

pub(super) async fn next_due(link: &Link, lane: &str) -> Result<Option<StoreTime>, StoreError> {
    let mut command = redis::cmd("ZRANGE");
    command.arg(link.key("lane", lane)).arg(0).arg(0).arg("WITHSCORES");
    let first: Vec<(Vec<u8>, f64)> = link.command(&command).await?;
    first.first().map(|(_, score)| whole(*score).map(StoreTime)).transpose()
}

pub(super) async fn put_ephemeral(
    link: &Link,
    key: &str,
    value: &[u8],
    keep: Duration,
) -> Result<(), StoreError> {
    let keep_ms = (micros(keep) / 1000).max(1);
    let mut command = redis::cmd("SET");
    command.arg(link.key("ephemeral", key)).arg(value).arg("PX").arg(keep_ms);
    link.command(&command).await
}

pub(super) async fn ephemeral(link: &Link, keys: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = redis::cmd("MGET");
    for key in keys {
        command.arg(link.key("ephemeral", key));
    }
    let found: Vec<Option<Vec<u8>>> = link.command(&command).await?;
    Ok(found.into_iter().map(|value| value.map(Bytes::from)).collect())
}
