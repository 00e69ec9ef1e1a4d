//! Who may write to a destination's database: the fence.
//!
//! A claim owns a table `lf_fence_<token>` whose one row holds its attempt, and everything that it makes carries
//! the same token. A newer claim ends the connections of the older one, then takes everything over by one RENAME
//! to its own token's names: whatever the older one still sends names tables that are not there any more. So no
//! clock and no lock that could outlive its holder decides; of two claims that race, the RENAME lets one pass,
//! and the higher token wins in the end.

use landfall_common::{AttemptId, MigrationId};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::errors::{Doing, number};
use super::journal::Journal;
use super::sql::{quote, quoted};
use super::{Database, DatabaseError, all, execute, first, limited, names};
use crate::slice::Fence;

/// Connections that one claim may have: the control connection is number 0.
pub const CONNECTIONS_MAX: u32 = 16;
/// Rounds of taking over before a claim gives up and is tried again later.
const ROUNDS_MAX: u32 = 20;
/// How long an ended connection is waited for, in seconds: its transaction has to be rolled back.
const LOCK_WAIT_S: u32 = 10;

/// A claim that holds the destination's database.
#[derive(Debug, Clone)]
pub struct Claim {
    database: Database,
    fence: Fence,
    /// Whether the cut-over's RENAME is done.
    is_cut_over: bool,
}

/// A fence of this migration that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    token: u64,
    is_done: bool,
}

impl Claim {
    /// Takes the database over for this claim, making the fence and the journal where there are none.
    pub async fn take(
        database: &Database,
        migration: MigrationId,
        fence: Fence,
    ) -> Result<(Self, Conn), DatabaseError> {
        let mut conn = connect_numbered(database, fence.token, 0).await?;
        for _ in 0..ROUNDS_MAX {
            if let Some(is_cut_over) = settle(&mut conn, migration, fence, true).await? {
                let claim = Self { database: database.clone(), fence, is_cut_over };
                claim.journal().create(&mut conn).await?;
                return Ok((claim, conn));
            }
        }
        Err(too_many_rounds())
    }

    /// Takes over what an earlier claim left; none where there is nothing of this migration.
    pub async fn take_existing(
        database: &Database,
        migration: MigrationId,
        fence: Fence,
    ) -> Result<Option<(Self, Conn)>, DatabaseError> {
        let mut conn = connect_numbered(database, fence.token, 0).await?;
        for _ in 0..ROUNDS_MAX {
            if found(&mut conn, migration).await?.is_empty() {
                return Ok(None);
            }
            if let Some(is_cut_over) = settle(&mut conn, migration, fence, false).await? {
                let claim = Self { database: database.clone(), fence, is_cut_over };
                claim.journal().create(&mut conn).await?;
                return Ok(Some((claim, conn)));
            }
        }
        Err(too_many_rounds())
    }

    /// The claim's token.
    pub fn token(&self) -> u64 {
        self.fence.token
    }

    /// The database that it holds.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Whether the cut-over's RENAME is done.
    pub fn is_cut_over(&self) -> bool {
        self.is_cut_over
    }

    /// Notes that the RENAME of the cut-over, or the one back, has been done by this claim.
    pub(crate) fn set_cut_over(&mut self, is_cut_over: bool) {
        self.is_cut_over = is_cut_over;
    }

    /// The fence's present name.
    pub fn fence_name(&self) -> String {
        fence_name(Found { token: self.fence.token, is_done: self.is_cut_over })
    }

    /// The journal.
    pub fn journal(&self) -> Journal {
        Journal::of(self.fence.token)
    }

    /// A further connection of this claim, `number` from 1 to [`CONNECTIONS_MAX`]; it ends when a newer claim comes.
    pub async fn connect(&self, number: u32) -> Result<Conn, DatabaseError> {
        debug_assert!((1..CONNECTIONS_MAX).contains(&number), "a newer claim looks for no other numbers");
        let mut conn = connect_numbered(&self.database, self.fence.token, number).await?;
        self.check(&mut conn).await?;
        Ok(conn)
    }

    /// Begins a transaction that commits only while the claim holds: the fence row stays locked until its end.
    pub async fn begin(&self, conn: &mut Conn) -> Result<(), DatabaseError> {
        execute(conn, "START TRANSACTION", || "no transaction can be begun".to_owned()).await?;
        self.check_row(conn, " LOCK IN SHARE MODE").await
    }

    /// Checks, without holding it, that the claim still holds.
    pub async fn check(&self, conn: &mut Conn) -> Result<(), DatabaseError> {
        self.check_row(conn, "").await
    }

    async fn check_row(&self, conn: &mut Conn, lock: &str) -> Result<(), DatabaseError> {
        let query = format!("SELECT attempt FROM {} WHERE id = 1{lock}", quote(&self.fence_name()));
        let attempt: Result<Option<String>, _> =
            first(conn, &query, || "the fence cannot be read".to_owned()).await;
        match attempt {
            Ok(Some(attempt)) if attempt == self.fence.attempt.to_string() => Ok(()),
            Ok(_) => Err(DatabaseError::Fenced),
            Err(error) if error.number() == Some(number::NO_SUCH_TABLE) => Err(DatabaseError::Fenced),
            Err(error) => Err(error),
        }
    }

    /// Drops the shadow tables and empties the journal: the import begins anew under the same fence.
    pub async fn reset(&self, conn: &mut Conn) -> Result<(), DatabaseError> {
        self.check(conn).await?;
        let tables = of_claim(conn, self.fence.token).await?;
        drop_tables(conn, &tables).await?;
        self.journal().remove(conn, "").await
    }

    /// Removes everything of this claim; the fence goes last, so that a crash leaves something to go on from.
    pub async fn remove(&self, conn: &mut Conn) -> Result<(), DatabaseError> {
        self.check(conn).await?;
        drop_claim(conn, Found { token: self.fence.token, is_done: self.is_cut_over }).await
    }
}

/// A connection that holds its claim's lock for as long as it lives, so that a newer claim can find and end it.
async fn connect_numbered(database: &Database, token: u64, number: u32) -> Result<Conn, DatabaseError> {
    let mut conn = database.connect().await?;
    let query = format!("SELECT GET_LOCK({}, {LOCK_WAIT_S})", quoted(&names::lock(token, number)));
    let got: Option<Option<u8>> =
        first(&mut conn, &query, || "the connection's lock cannot be taken".to_owned()).await?;
    if got.flatten() == Some(1) {
        return Ok(conn);
    }
    Err(DatabaseError::refused(
        "destination.locked",
        format!("connection {number} of this claim is still open"),
    ))
}

/// One round: returns whether the cut-over is done once the fence is this claim's alone, none if another round is
/// needed.
async fn settle(
    conn: &mut Conn,
    migration: MigrationId,
    fence: Fence,
    may_create: bool,
) -> Result<Option<bool>, DatabaseError> {
    let found = found(conn, migration).await?;
    let mine = found.iter().copied().find(|found| found.token == fence.token);
    if found.iter().any(|found| found.token > fence.token) {
        if let Some(mine) = mine {
            drop_claim(conn, mine).await?;
        }
        return Err(DatabaseError::Fenced);
    }
    let older =
        found.iter().copied().filter(|found| found.token < fence.token).max_by_key(|found| found.token);
    match (mine, older) {
        (None, None) if may_create => {
            create(conn, migration, fence).await?;
            Ok(None)
        }
        (None, None) => Ok(None),
        (None, Some(older)) => {
            adopt(conn, older, fence).await?;
            Ok(None)
        }
        (Some(mine), Some(older)) => {
            // Made by this claim while an older one began: the one that has a journal is the one in use.
            let stale = if has_journal(conn, mine).await? { older } else { mine };
            end_connections(conn, stale.token, fence.token).await?;
            drop_claim(conn, stale).await?;
            Ok(None)
        }
        (Some(mine), None) => {
            enter_attempt(conn, mine, fence).await?;
            Ok(Some(mine.is_done))
        }
    }
}

/// The fences of this migration, whichever claim's.
async fn found(conn: &mut Conn, migration: MigrationId) -> Result<Vec<Found>, DatabaseError> {
    let query = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_NAME LIKE 'lf\\_fence\\_%' AND TABLE_COMMENT = {}",
        quoted(&comment(migration))
    );
    let names: Vec<String> = all(conn, &query, || "the fences cannot be listed".to_owned()).await?;
    let parsed = names.iter().filter_map(|name| names::parse_fence(name));
    Ok(parsed.map(|(token, is_done)| Found { token, is_done }).collect())
}

/// The migration is told by the table's comment, which CREATE writes in the same act: a fence without a row
/// still says whose it is.
fn comment(migration: MigrationId) -> String {
    format!("landfall {migration}")
}

fn fence_name(found: Found) -> String {
    if found.is_done { names::fence_done(found.token) } else { names::fence(found.token) }
}

async fn create(conn: &mut Conn, migration: MigrationId, fence: Fence) -> Result<(), DatabaseError> {
    let sql = format!(
        "CREATE TABLE {} (id TINYINT NOT NULL PRIMARY KEY, attempt VARCHAR(64) NOT NULL, \
         adopters TEXT NOT NULL) ENGINE=InnoDB COMMENT={}",
        quote(&names::fence(fence.token)),
        quoted(&comment(migration))
    );
    execute(conn, sql, || "the fence cannot be made".to_owned()).await
}

/// Enters the attempt into this claim's fence. A token is given out once, so another attempt in it is a fault that
/// must not pass.
async fn enter_attempt(conn: &mut Conn, mine: Found, fence: Fence) -> Result<(), DatabaseError> {
    let table = quote(&fence_name(mine));
    let doing = || "the fence cannot be written".to_owned();
    let query = format!("SELECT attempt FROM {table} WHERE id = 1");
    let attempt: Option<String> = first(conn, &query, doing).await?;
    let own = fence.attempt.to_string();
    match attempt {
        Some(attempt) if attempt == own => Ok(()),
        Some(attempt) if !attempt.is_empty() => Err(DatabaseError::Fenced),
        Some(_) | None => {
            let sql = format!("REPLACE INTO {table} (id, attempt, adopters) VALUES (1, ?, '')");
            limited(conn.exec_drop(sql, (own,)), doing).await
        }
    }
}

/// Takes over everything of an older claim: ends its connections, then one RENAME.
async fn adopt(conn: &mut Conn, older: Found, fence: Fence) -> Result<(), DatabaseError> {
    end_connections(conn, older.token, fence.token).await?;
    let mut tokens = note_adopter(conn, older, fence.token).await?;
    tokens.push(older.token);
    let tables = our_tables(conn).await?;
    let mut renames = Vec::new();
    for name in &tables {
        if let Some(from) =
            tokens.iter().find(|token| **token != fence.token && names::is_of_claim(name, **token))
        {
            renames.push((name.clone(), names::under_token(name, *from, fence.token)));
        }
    }
    let fence_old = fence_name(older);
    // Last: where the server does not rename all or nothing, a crash leaves the old fence to go on from.
    renames.push((fence_old.clone(), names::under_token(&fence_old, older.token, fence.token)));
    let result = rename(conn, &renames, "an earlier claim's tables cannot be taken over").await;
    match result {
        Err(error) if is_elsewhere(&error) || error.is_lock_wait() => Ok(()),
        other => other,
    }
}

/// Whether a RENAME failed because somebody else was first: the next round sees how things are now.
fn is_elsewhere(error: &DatabaseError) -> bool {
    matches!(error.number(), Some(number::NO_SUCH_TABLE | number::FILE_NOT_FOUND | number::TABLE_EXISTS))
}

/// Writes into the old fence who is about to adopt it, and empties its attempt: should the RENAME be cut in half (which
/// is possible before MariaDB 10.6 and MySQL 8), the next claim finds the tables under either token. Returns earlier
/// adopters.
async fn note_adopter(conn: &mut Conn, older: Found, token: u64) -> Result<Vec<u64>, DatabaseError> {
    let table = quote(&fence_name(older));
    let doing = || "the fence of an earlier claim cannot be written".to_owned();
    let adopters: Result<Option<String>, _> =
        first(conn, &format!("SELECT adopters FROM {table} WHERE id = 1"), doing).await;
    let adopters = match adopters {
        Err(error) if error.number() == Some(number::NO_SUCH_TABLE) => return Ok(Vec::new()),
        other => other?.unwrap_or_default(),
    };
    let known: Vec<u64> = adopters.split(',').filter_map(|token| token.parse().ok()).collect();
    let sql = format!("REPLACE INTO {table} (id, attempt, adopters) VALUES (1, '', ?)");
    let written = limited(conn.exec_drop(sql, (format!("{adopters},{token}"),)), doing).await;
    match written {
        Err(error) if error.number() == Some(number::NO_SUCH_TABLE) => Ok(known),
        other => other.map(|()| known),
    }
}

/// Renames in one statement: all or nothing.
pub(crate) async fn rename(
    conn: &mut Conn,
    renames: &[(String, String)],
    doing: &str,
) -> Result<(), DatabaseError> {
    let pairs: Vec<String> =
        renames.iter().map(|(from, to)| format!("{} TO {}", quote(from), quote(to))).collect();
    execute(conn, format!("RENAME TABLE {}", pairs.join(", ")), || doing.to_owned()).await
}

/// Tables and views that carry a name of ours.
pub(crate) async fn our_tables(conn: &mut Conn) -> Result<Vec<String>, DatabaseError> {
    let query = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_NAME LIKE 'lf\\_%' ORDER BY TABLE_NAME";
    all(conn, query, || "the tables cannot be listed".to_owned()).await
}

async fn has_journal(conn: &mut Conn, found: Found) -> Result<bool, DatabaseError> {
    let name = names::journal(found.token);
    Ok(our_tables(conn).await?.contains(&name))
}

/// Ends the connections of a claim: a stopped loader's idle transaction would keep its tables locked. The same
/// database user may do so.
async fn end_connections(conn: &mut Conn, token: u64, own: u64) -> Result<(), DatabaseError> {
    if token == own {
        return Ok(());
    }
    let doing = || "connections of an earlier claim cannot be ended".to_owned();
    for number in 0..CONNECTIONS_MAX {
        let lock = quoted(&names::lock(token, number));
        let holder: Option<Option<u64>> = first(conn, &format!("SELECT IS_USED_LOCK({lock})"), doing).await?;
        let Some(id) = holder.flatten() else { continue };
        match conn.query_drop(format!("KILL {id}")).await.doing(doing) {
            Err(error) if error.number() == Some(number::NO_SUCH_THREAD) => {}
            other => other?,
        }
        // Its end is waited for by taking its lock, which is given back at once.
        let query = format!("SELECT GET_LOCK({lock}, {LOCK_WAIT_S}) + RELEASE_LOCK({lock})");
        let _: Option<Option<u8>> = first(conn, &query, doing).await?;
    }
    Ok(())
}

/// Drops everything that carries a claim's token, the fence last.
async fn drop_claim(conn: &mut Conn, found: Found) -> Result<(), DatabaseError> {
    let mut ours = of_claim(conn, found.token).await?;
    // The journal goes after the tables that it tells of.
    ours.extend([names::journal(found.token), fence_name(found)]);
    drop_tables(conn, &ours).await
}

/// Shadow tables of a claim, and views that went their way.
async fn of_claim(conn: &mut Conn, token: u64) -> Result<Vec<String>, DatabaseError> {
    let journal = names::journal(token);
    let ours = our_tables(conn).await?.into_iter();
    Ok(ours.filter(|name| names::is_of_claim(name, token) && *name != journal).collect())
}

/// Each statement passes over what is of the other kind.
async fn drop_tables(conn: &mut Conn, tables: &[String]) -> Result<(), DatabaseError> {
    for table in tables {
        for kind in ["VIEW", "TABLE"] {
            let sql = format!("DROP {kind} IF EXISTS {}", quote(table));
            match execute(conn, sql, || format!("{table} cannot be dropped")).await {
                Err(error) if error.number() == Some(number::WRONG_OBJECT) => {}
                other => other?,
            }
        }
    }
    Ok(())
}

fn too_many_rounds() -> DatabaseError {
    DatabaseError::refused("destination.locked", "the tables of an earlier attempt stay locked")
}

/// Tokens of all migrations whose cut-over is done in this database.
pub(crate) async fn tokens_done(conn: &mut Conn) -> Result<Vec<u64>, DatabaseError> {
    let names = our_tables(conn).await?;
    Ok(names
        .iter()
        .filter_map(|name| names::parse_fence(name))
        .filter(|(_, is_done)| *is_done)
        .map(|(t, _)| t)
        .collect())
}

/// The attempt as it stands in the fence; for tests and `landfall doctor`.
pub async fn holder(conn: &mut Conn, token: u64) -> Result<Option<AttemptId>, DatabaseError> {
    let query = format!("SELECT attempt FROM {} WHERE id = 1", quote(&names::fence(token)));
    let attempt: Option<String> = first(conn, &query, || "the fence cannot be read".to_owned()).await?;
    Ok(attempt.and_then(|attempt| attempt.parse().ok()))
}
