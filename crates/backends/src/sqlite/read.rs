//! Reads.

use bytes::Bytes;
use landfall_common::StoreTime;
use landfall_common::ports::{
    Document, DocumentKey, DueQuery, FeedItem, IndexEntry, IndexQuery, Order, OutboxEntry, StoredLine,
};
use rusqlite::{OptionalExtension, Row};

use super::commit::time;
use super::thread::Session;
use crate::due::fair_share;
use crate::limits::lines;

/// Entries of another epoch that one question looks at; the rest come with a later one.
const CLAIMED_MAX: i64 = 1_000;

pub(super) fn load(
    session: &mut Session,
    keys: &[DocumentKey],
) -> rusqlite::Result<(StoreTime, Vec<Option<Document>>)> {
    // Nobody writes between these statements: the file is ours, and calls run one after another.
    let now = session.clock.now();
    let mut statement = session.connection.prepare_cached(
        "SELECT version, body FROM documents
         WHERE kind = ?1 AND id = ?2 AND body IS NOT NULL AND (expires IS NULL OR expires > ?3)",
    )?;
    let documents = keys
        .iter()
        .map(|key| {
            statement
                .query_row((key.kind.as_str(), &key.id, now), |row| {
                    Ok(Document { version: row.get(0)?, body: bytes(row, 1)? })
                })
                .optional()
        })
        .collect::<Result<_, _>>()?;
    Ok((time(now), documents))
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    row.get::<_, Vec<u8>>(column).map(Bytes::from)
}

pub(super) fn events(
    session: &mut Session,
    stream: &str,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<StoredLine>> {
    let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
    session
        .connection
        .prepare_cached(
            "SELECT number, at, body FROM events WHERE stream = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        )?
        .query_map((stream, after, lines(limit)), |row| {
            Ok(StoredLine { id: row.get(0)?, at: time(row.get(1)?), body: bytes(row, 2)? })
        })?
        .collect()
}

pub(super) fn index(
    session: &mut Session,
    query: &IndexQuery,
) -> rusqlite::Result<(StoreTime, Vec<IndexEntry>)> {
    let now = session.clock.now();
    let sql = match query.order {
        Order::Ascending => {
            "SELECT member, score FROM indexes
             WHERE name = ?1 AND (score, member) > (?2, ?3) AND score <= ?4 ORDER BY score, member LIMIT ?5"
        }
        Order::Descending => {
            "SELECT member, score FROM indexes
             WHERE name = ?1 AND (score, member) < (?2, ?3) AND score >= ?4 ORDER BY score DESC, member DESC LIMIT ?5"
        }
    };
    // Where there is no bound, one that lies outside of every score.
    let (before_all, until_all) = match query.order {
        Order::Ascending => (-1, i64::MAX),
        Order::Descending => (i64::MAX, -1),
    };
    let bound = |score: u64| i64::try_from(score).unwrap_or(i64::MAX);
    let (score, member) =
        query.after.as_ref().map_or((before_all, ""), |entry| (bound(entry.score), entry.member.as_str()));
    let until = query.until.map_or(until_all, bound);
    let entries = session
        .connection
        .prepare_cached(sql)?
        .query_map((&query.index, score, member, until, lines(query.limit)), |row| {
            Ok(IndexEntry { member: row.get(0)?, score: row.get(1)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok((time(now), entries))
}

pub(super) fn count(session: &mut Session, indexes: &[String]) -> rusqlite::Result<Vec<u64>> {
    let mut statement = session.connection.prepare_cached("SELECT COUNT(*) FROM indexes WHERE name = ?1")?;
    indexes.iter().map(|index| statement.query_row([index], |row| row.get(0))).collect()
}

fn outbox_entry(row: &Row<'_>) -> rusqlite::Result<OutboxEntry> {
    Ok(OutboxEntry {
        id: row.get(0)?,
        lane: row.get(1)?,
        tenant: row.get(2)?,
        due: time(row.get(3)?),
        claims: row.get(4)?,
        epoch: row.get::<_, i64>(5)?.cast_unsigned(),
        body: bytes(row, 6)?,
    })
}

pub(super) fn due(
    session: &mut Session,
    query: &DueQuery,
) -> rusqlite::Result<(StoreTime, Vec<OutboxEntry>)> {
    let now = session.clock.now();
    let tenants: Vec<String> = session
        .connection
        .prepare_cached(
            "SELECT tenant FROM outbox WHERE lane = ?1 AND due <= ?2 GROUP BY tenant ORDER BY MIN(due), tenant LIMIT ?3 OFFSET ?4",
        )?
        .query_map((&query.lane, now, lines(query.tenants), lines(query.skip_tenants)), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut entries: Vec<OutboxEntry> = Vec::new();
    let mut of_tenant = session.connection.prepare_cached(
        "SELECT * FROM outbox WHERE lane = ?1 AND tenant = ?2 AND due <= ?3 ORDER BY due, id LIMIT ?4 OFFSET ?5",
    )?;
    for tenant in &tenants {
        let found = of_tenant.query_map(
            (&query.lane, tenant, now, lines(query.per_tenant), lines(query.skip_entries)),
            outbox_entry,
        )?;
        for entry in found {
            entries.push(entry?);
        }
    }
    if query.epoch != 0 && query.skip_tenants == 0 && query.skip_entries == 0 {
        let mut of_other_epochs = session.connection.prepare_cached(
            "SELECT * FROM outbox
             WHERE lane = ?1 AND epoch <> 0 AND epoch <> ?2 AND due > ?3 ORDER BY due, id LIMIT ?4",
        )?;
        let found = of_other_epochs
            .query_map((&query.lane, query.epoch.cast_signed(), now, CLAIMED_MAX), outbox_entry)?;
        for entry in found {
            entries.push(entry?);
        }
    }
    Ok((time(now), fair_share(entries, query)))
}

pub(super) fn next_due(session: &mut Session, lane: &str) -> rusqlite::Result<Option<StoreTime>> {
    let earliest: Option<i64> = session
        .connection
        .prepare_cached("SELECT MIN(due) FROM outbox WHERE lane = ?1")?
        .query_row([lane], |row| row.get(0))?;
    Ok(earliest.map(time))
}

/// The position behind the newest line.
pub(super) fn feed_position(session: &mut Session) -> rusqlite::Result<i64> {
    session
        .connection
        .prepare_cached("SELECT COALESCE(MAX(position), 0) FROM feed")?
        .query_row([], |row| row.get(0))
}

pub(super) fn feed(session: &mut Session, after: i64, limit: usize) -> rusqlite::Result<Vec<FeedItem>> {
    session
        .connection
        .prepare_cached(
            "SELECT position, stream, number FROM feed WHERE position > ?1 ORDER BY position LIMIT ?2",
        )?
        .query_map((after, lines(limit)), |row| {
            Ok(FeedItem {
                position: row.get::<_, i64>(0)?.to_string(),
                stream: row.get(1)?,
                event: row.get(2)?,
            })
        })?
        .collect()
}

/// Writes and takes it back: a read-only or full disk shows.
pub(super) fn check(session: &mut Session) -> rusqlite::Result<()> {
    let (transaction, now) = session.write()?;
    transaction.execute("INSERT OR REPLACE INTO requests VALUES ('check', ?1)", [now])?;
    transaction.rollback()
}
