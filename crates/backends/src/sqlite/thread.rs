//! The thread that has the database: calls are sent to it and run one after another.

use std::time::Duration;

use landfall_common::ports::StoreError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::SqliteOptions;
use super::clock::Clock;

/// Calls that wait for the thread; more wait for a place, within their limit of time.
const CALLS_MAX: usize = 256;
const SCHEMA_VERSION: i64 = 1;
const SWEEP_INTERVAL_MICROS: i64 = 10_000_000;
/// Rows of a kind that one sweep removes, so that a sweep never holds up the calls behind it for long.
const SWEEP_ROWS_MAX: i64 = 1_000;

type Call = Box<dyn FnOnce(&mut Session) + Send>;

/// The thread's end of the channel.
#[derive(Debug)]
pub(super) struct Database {
    calls: mpsc::Sender<Call>,
    limit: Duration,
}

/// What a call works with.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) clock: Clock,
    swept_at: i64,
}

impl Database {
    pub(super) fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        let mut session = Session { connection: open(options)?, clock: Clock::default(), swept_at: 0 };
        let (calls, mut inbox) = mpsc::channel::<Call>(CALLS_MAX);
        std::thread::Builder::new()
            .name("landfall-sqlite".to_owned())
            .spawn(move || {
                while let Some(call) = inbox.blocking_recv() {
                    call(&mut session);
                }
            })
            .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        Ok(Self { calls, limit: options.call_limit })
    }

    /// Runs a call. One that is given up on may still happen.
    pub(super) async fn run<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Session) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call: Call = Box::new(move |session| {
            // Nobody waits any more: reads need not be done, and a commit may be left undone.
            if !reply.is_closed() {
                let _ = reply.send(call(session));
            }
        });
        let exchange = async {
            self.calls
                .send(call)
                .await
                .map_err(|_| StoreError::Broken("the database's thread ended".to_owned()))?;
            answer.await.map_err(|_| StoreError::Broken("the database's thread failed".to_owned()))
        };
        match tokio::time::timeout(self.limit, exchange).await {
            Ok(answer) => answer?.map_err(store_error),
            Err(elapsed) => Err(StoreError::Unavailable(Box::new(elapsed))),
        }
    }
}

impl Session {
    /// A transaction that will write, and the time at which it began.
    pub(super) fn write(&mut self) -> rusqlite::Result<(Transaction<'_>, i64)> {
        let now = self.clock.now();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if now.abs_diff(self.swept_at) > SWEEP_INTERVAL_MICROS.unsigned_abs() {
            sweep(&transaction, now)?;
            self.swept_at = now;
        }
        Ok((transaction, now))
    }
}

fn open(options: &SqliteOptions) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(store_error)?;
    prepare(&connection).map_err(store_error)?;
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(store_error)?;
    if version > SCHEMA_VERSION {
        return Err(StoreError::Broken(format!(
            "the database was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION})"
        )));
    }
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(store_error)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(1))?;
    // The file is this process's alone: a second one is told at once, instead of finding its feed deaf.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(include_str!("schema.sql"))
}

fn sweep(transaction: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM documents WHERE rowid IN (SELECT rowid FROM documents WHERE forget <= ?1 LIMIT ?2)",
        )?
        .execute((now, SWEEP_ROWS_MAX))?;
    let forgotten = now.saturating_sub_unsigned(crate::limits::micros(crate::limits::MEMORY));
    transaction
        .prepare_cached("DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at < ?1 LIMIT ?2)")?
        .execute((forgotten, SWEEP_ROWS_MAX))?;
    Ok(())
}

/// Sorts SQLite's failures into "later" (locked, disk full, I/O) and "never" (damaged, not a database, a fault of ours).
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let is_passing = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
        )
    );
    if is_passing { StoreError::Unavailable(Box::new(error)) } else { StoreError::Broken(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_is_over_and_nothing_else() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&connection).unwrap();
        connection
            .execute_batch(
                "INSERT INTO documents VALUES ('site', 'alive', 1, 'x', NULL, NULL), ('site', 'expiring', 1, 'x', 50, 90),
                    ('site', 'tombstone', 1, NULL, NULL, 100), ('site', 'young tombstone', 1, NULL, NULL, 101);
                 INSERT INTO requests VALUES ('old', 5), ('new', 200)",
            )
            .unwrap();
        let transaction = connection.transaction().unwrap();
        sweep(&transaction, 100).unwrap();
        let ids: Vec<String> = transaction
            .prepare("SELECT id FROM documents ORDER BY id")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(ids, ["alive", "young tombstone"]);
        let memory = i64::try_from(crate::limits::MEMORY.as_micros()).unwrap();
        sweep(&transaction, memory + 100).unwrap();
        let requests: i64 =
            transaction.query_row("SELECT COUNT(*) FROM requests", [], |row| row.get(0)).unwrap();
        assert_eq!(requests, 1, "requests are remembered for ten minutes");
    }
}
