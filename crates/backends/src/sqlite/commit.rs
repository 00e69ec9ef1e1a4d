//! A commit as one transaction.

use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, DocumentWrite, EventWrite, Expect, IndexWrite, OutboxWrite, Score,
    StoreError, Write,
};
use rusqlite::{OptionalExtension, Transaction};

use super::thread::Session;
use crate::limits::{FEED_LINES, MEMORY, SCORE_MAX, micros};

/// Lines beyond those promised that pile up before the feed is trimmed.
const FEED_SLACK: u64 = 2_000;

pub(super) fn commit(
    session: &mut Session,
    commit: &Commit,
) -> rusqlite::Result<Result<Committed, CommitError>> {
    let (transaction, now) = session.write()?;
    let request = commit.request.to_string();
    let first: Option<i64> = transaction
        .prepare_cached("SELECT at FROM requests WHERE id = ?1 AND at >= ?2")?
        .query_row((&request, now.saturating_sub_unsigned(micros(MEMORY))), |row| row.get(0))
        .optional()?;
    if let Some(at) = first {
        return Ok(Ok(Committed { at: time(at) }));
    }
    if let Some(refusal) = check(&transaction, commit, now)? {
        return Ok(Err(refusal));
    }
    for document in &commit.documents {
        write_document(&transaction, document, now)?;
    }
    for event in &commit.events {
        append(&transaction, event, now)?;
    }
    for write in &commit.outbox {
        write_outbox(&transaction, write, now)?;
    }
    for write in &commit.index {
        write_index(&transaction, write, now)?;
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO requests VALUES (?1, ?2)")?
        .execute((&request, now))?;
    transaction.commit()?;
    Ok(Ok(Committed { at: time(now) }))
}

pub(super) fn time(micros: i64) -> StoreTime {
    StoreTime(u64::try_from(micros).unwrap_or_default())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The present and a duration, cut to what is a score in every store.
fn from_now(now: i64, duration: std::time::Duration) -> i64 {
    now.saturating_add_unsigned(micros(duration)).min(signed(SCORE_MAX))
}

fn check(transaction: &Transaction<'_>, commit: &Commit, now: i64) -> rusqlite::Result<Option<CommitError>> {
    for document in &commit.documents {
        let version: Option<u64> = transaction
            .prepare_cached(
                "SELECT version FROM documents
                 WHERE kind = ?1 AND id = ?2 AND body IS NOT NULL AND (expires IS NULL OR expires > ?3)",
            )?
            .query_row((document.key.kind.as_str(), &document.key.id, now), |row| row.get(0))
            .optional()?;
        let is_met = match document.expect {
            Expect::Absent => version.is_none(),
            Expect::Version(expected) => version == Some(expected),
            Expect::Any => true,
        };
        if !is_met {
            let what = format!("{}/{}", document.key.kind.as_str(), document.key.id);
            return Ok(Some(CommitError::Conflict { what }));
        }
    }
    for write in &commit.outbox {
        let OutboxWrite::Claim { id, due, .. } = write else { continue };
        let found: Option<u64> = transaction
            .prepare_cached("SELECT due FROM outbox WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if found != Some(due.as_micros()) {
            return Ok(Some(CommitError::Conflict { what: format!("outbox/{id}") }));
        }
    }
    for write in &commit.index {
        if let IndexWrite::Set { index, score: Score::Value(value), .. } = write
            && *value > SCORE_MAX
        {
            let what = format!("score {value} in index {index} is above 2^53");
            return Ok(Some(StoreError::Broken(what).into()));
        }
    }
    Ok(None)
}

fn write_document(transaction: &Transaction<'_>, document: &DocumentWrite, now: i64) -> rusqlite::Result<()> {
    let (kind, id) = (document.key.kind.as_str(), &document.key.id);
    match &document.write {
        Write::Keep => {}
        Write::Put(body) => {
            let expires = document.expires_in.map(|keep| from_now(now, keep));
            // What has expired is a tombstone for a while: its versions are not used again.
            let forget = expires.map(|expires| expires.saturating_add_unsigned(micros(MEMORY)));
            transaction
                .prepare_cached(
                    "INSERT INTO documents VALUES (?1, ?2, 1, ?3, ?4, ?5)
                     ON CONFLICT (kind, id) DO UPDATE
                     SET version = version + 1, body = excluded.body, expires = excluded.expires, forget = excluded.forget",
                )?
                .execute((kind, id, body.as_ref(), expires, forget))?;
        }
        Write::Delete => {
            transaction
                .prepare_cached(
                    "UPDATE documents SET body = NULL, expires = NULL, forget = ?3 WHERE kind = ?1 AND id = ?2",
                )?
                .execute((kind, id, now.saturating_add_unsigned(micros(MEMORY))))?;
        }
    }
    Ok(())
}

fn append(transaction: &Transaction<'_>, event: &EventWrite, now: i64) -> rusqlite::Result<()> {
    let number: i64 = transaction
        .prepare_cached(
            "INSERT INTO streams VALUES (?1, 1) ON CONFLICT (stream) DO UPDATE SET last = last + 1 RETURNING last",
        )?
        .query_row([&event.stream], |row| row.get(0))?;
    transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")?.execute((
        &event.stream,
        number,
        now,
        event.body.as_ref(),
    ))?;
    if let Some(keep) = event.keep {
        transaction
            .prepare_cached("DELETE FROM events WHERE stream = ?1 AND number <= ?2")?
            .execute((&event.stream, number.saturating_sub(i64::from(keep))))?;
    }
    transaction
        .prepare_cached("INSERT INTO feed (stream, number) VALUES (?1, ?2)")?
        .execute((&event.stream, number))?;
    let position = transaction.last_insert_rowid().unsigned_abs();
    if position.is_multiple_of(FEED_SLACK) {
        transaction
            .prepare_cached("DELETE FROM feed WHERE position <= ?1")?
            .execute([signed(position.saturating_sub(FEED_LINES))])?;
    }
    Ok(())
}

fn write_outbox(transaction: &Transaction<'_>, write: &OutboxWrite, now: i64) -> rusqlite::Result<()> {
    match write {
        OutboxWrite::Put { id, lane, tenant, due_in, body } => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO outbox VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)")?
                .execute((id, lane, tenant, from_now(now, *due_in), body.as_ref()))?;
        }
        OutboxWrite::Claim { id, due: _, hide, epoch } => {
            transaction
                .prepare_cached("UPDATE outbox SET due = ?2, claims = claims + 1, epoch = ?3 WHERE id = ?1")?
                .execute((id, from_now(now, *hide), epoch.cast_signed()))?;
        }
        OutboxWrite::Remove { id } => {
            transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
        }
    }
    Ok(())
}

fn write_index(transaction: &Transaction<'_>, write: &IndexWrite, now: i64) -> rusqlite::Result<()> {
    match write {
        IndexWrite::Set { index, member, score } => {
            let score = match score {
                Score::Value(value) => signed(*value),
                Score::InFromNow(duration) => from_now(now, *duration),
            };
            transaction
                .prepare_cached("INSERT OR REPLACE INTO indexes VALUES (?1, ?2, ?3)")?
                .execute((index, member, score))?;
        }
        IndexWrite::Remove { index, member } => {
            transaction
                .prepare_cached("DELETE FROM indexes WHERE name = ?1 AND member = ?2")?
                .execute((index, member))?;
        }
    }
    Ok(())
}
