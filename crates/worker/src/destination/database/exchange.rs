//! The exchange: one RENAME that moves the old tables and views out of the way, puts the new ones in place and
//! renames the fence, all or nothing; and the one that brings everything back.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use serde::{Deserialize, Serialize};

use super::errors::number;
use super::fence::{Claim, our_tables, rename, tokens_done};
use super::journal::Journal;
use super::sql::quoted;
use super::{DatabaseError, all, names};

/// The journal's key for a way back that has begun.
const GOING_BACK: &str = "going_back";
/// How often the RENAME is tried while somebody holds a table.
const TRIES_MAX: u32 = 10;

/// A table that comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Its number: its shadow name is made of it.
    pub number: u32,
    /// Its name at the source.
    pub source: String,
    /// The name that it will have.
    pub live: String,
}

/// A table or view of the old site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The name that it had.
    pub live: String,
    /// The name under which it is kept.
    pub kept: String,
}

/// What the exchange moves. Kept in the journal from before the RENAME on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The token of the claim that did it.
    pub token: u64,
    /// What comes in.
    pub incoming: Vec<Incoming>,
    /// Names of views that are made after the RENAME.
    pub views: Vec<String>,
    /// What goes out.
    pub kept: Vec<Kept>,
    /// The site's prefix at the destination.
    pub prefix: String,
}

/// One name of a database's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its name.
    pub name: String,
    /// A view; else a table.
    pub is_view: bool,
}

/// Tables and views of the database that are not ours.
pub async fn present(conn: &mut Conn) -> Result<Vec<Present>, DatabaseError> {
    let query = "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                 ORDER BY TABLE_NAME";
    let rows: Vec<(String, String)> = all(conn, query, || "the tables cannot be listed".to_owned()).await?;
    let present = rows.into_iter().map(|(name, kind)| Present { name, is_view: kind == "VIEW" });
    Ok(present.filter(|present| !present.name.starts_with(names::OURS)).collect())
}

/// Which of the present tables and views go out: those whose name is wanted, and those of the site that was there,
/// told by its prefix. What belongs to another WordPress whose prefix merely begins in the same way stays.
pub fn going_out(present: &[Present], wanted: &BTreeSet<String>, prefix: &str) -> Vec<String> {
    let others = other_prefixes(present, prefix);
    let is_of_site = |name: &str| {
        !prefix.is_empty()
            && name.starts_with(prefix)
            && !others.iter().any(|other| name.starts_with(other.as_str()))
    };
    let names = present.iter().map(|present| &present.name);
    names.filter(|name| wanted.contains(*name) || is_of_site(name)).cloned().collect()
}

/// Prefixes of other installations in the same database that begin with this one's.
fn other_prefixes(present: &[Present], prefix: &str) -> Vec<String> {
    let names: BTreeSet<&str> = present.iter().map(|present| present.name.as_str()).collect();
    let is_other = |other: &str| {
        other.len() > prefix.len()
            && other.starts_with(prefix)
            && ["users", "posts", "usermeta"]
                .iter()
                .all(|table| names.contains(format!("{other}{table}").as_str()))
    };
    names
        .iter()
        .filter_map(|name| name.strip_suffix("options"))
        .filter(|p| is_other(p))
        .map(str::to_owned)
        .collect()
}

impl Exchange {
    /// What would be moved as things stand: `incoming` and `views` come in, under the site's `prefix`.
    pub fn plan(
        token: u64,
        incoming: Vec<Incoming>,
        views: Vec<String>,
        prefix: &str,
        present: &[Present],
    ) -> Self {
        let wanted = incoming.iter().map(|table| table.live.clone()).chain(views.iter().cloned()).collect();
        let out = going_out(present, &wanted, prefix);
        let kept =
            out.into_iter().zip(1..).map(|(live, number)| Kept { live, kept: names::kept(token, number) });
        let kept = kept.collect();
        Self { token, incoming, views, kept, prefix: prefix.to_owned() }
    }

    /// Foreign keys of tables that stay to tables that go out: they would follow the old ones.
    pub async fn references_from_outside(&self, conn: &mut Conn) -> Result<Vec<String>, DatabaseError> {
        let query = "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME \
                     FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_SCHEMA = DATABASE() \
                     AND REFERENCED_TABLE_NAME IS NOT NULL AND NOT (TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'lf\\_%')";
        let rows: Vec<(String, String, String, String)> =
            all(conn, query, || "the foreign keys cannot be listed".to_owned()).await?;
        let out: BTreeSet<&str> = self.kept.iter().map(|kept| kept.live.as_str()).collect();
        let own: Option<String> =
            super::first(conn, "SELECT DATABASE()", || "the database's name".to_owned()).await?;
        let is_inside = |schema: &str, table: &str| own.as_deref() == Some(schema) && out.contains(table);
        let outside = rows
            .into_iter()
            .filter(|(schema, table, _, to)| out.contains(to.as_str()) && !is_inside(schema, table));
        Ok(outside
            .map(|(schema, table, key, to)| format!("{schema}.{table} ({key}) refers to {to}"))
            .collect())
    }

    /// Whether a later cut-over, of another migration, took tables of this one for the old site's.
    pub async fn is_overtaken(&self, conn: &mut Conn, claim: &Claim) -> Result<bool, DatabaseError> {
        let own: BTreeSet<&str> = self.incoming.iter().map(|table| table.live.as_str()).collect();
        for token in tokens_done(conn).await?.into_iter().filter(|token| *token != claim.token()) {
            let later: Option<Exchange> = Journal::of(token).get(conn, "exchange").await?;
            if later.is_some_and(|l| {
                l.token > self.token && l.kept.iter().any(|kept| own.contains(kept.live.as_str()))
            }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The one RENAME. With a stale token the fence is not there, and nothing moves.
    pub async fn forward(&self, conn: &mut Conn, claim: &mut Claim) -> Result<(), DatabaseError> {
        let token = claim.token();
        let mut renames = vec![(names::fence(token), names::fence_done(token))];
        renames.extend(self.kept.iter().map(|kept| (kept.live.clone(), kept.kept.clone())));
        renames.extend(
            self.incoming.iter().map(|table| (names::shadow(token, table.number), table.live.clone())),
        );
        rename_patiently(conn, claim, &renames).await?;
        claim.set_cut_over(true);
        Ok(())
    }

    /// What a RENAME that was cut in half left to do: before MariaDB 10.6 and MySQL 8 a server that dies may have renamed
    /// the fence and some of the tables. A shadow table that is still there tells which old table still is live.
    pub async fn complete(&self, conn: &mut Conn, claim: &Claim) -> Result<(), DatabaseError> {
        let ours: BTreeSet<String> = our_tables(conn).await?.into_iter().collect();
        let live: BTreeSet<String> = present(conn).await?.into_iter().map(|present| present.name).collect();
        let shadow = |table: &Incoming| names::shadow(claim.token(), table.number);
        let waiting: Vec<&Incoming> =
            self.incoming.iter().filter(|table| ours.contains(&shadow(table))).collect();
        let is_replaced = |kept: &Kept| self.incoming.iter().any(|table| table.live == kept.live);
        let is_old = |kept: &Kept| waiting.iter().any(|table| table.live == kept.live) || !is_replaced(kept);
        let out = self.kept.iter().filter(|k| live.contains(&k.live) && !ours.contains(&k.kept) && is_old(k));
        let mut renames: Vec<(String, String)> = out.map(|k| (k.live.clone(), k.kept.clone())).collect();
        renames.extend(waiting.iter().map(|table| (shadow(table), table.live.clone())));
        rename_patiently(conn, claim, &renames).await
    }

    /// The way back: the new tables under their shadow names again, the old ones live. What the new site made since
    /// goes the way of the new tables. The journal says that it has begun, so that one that was cut in half is known
    /// by it: then a table that is not kept any more is live again already.
    pub async fn backward(&self, conn: &mut Conn, claim: &mut Claim) -> Result<(), DatabaseError> {
        let has_begun = claim.journal().get::<bool>(conn, GOING_BACK).await?.unwrap_or(false);
        let ours: BTreeSet<String> = our_tables(conn).await?.into_iter().collect();
        let back: BTreeSet<&str> = self
            .kept
            .iter()
            .filter(|kept| !ours.contains(&kept.kept))
            .map(|kept| kept.live.as_str())
            .collect();
        if let Some(gone) = back.first().filter(|_| !has_begun) {
            let detail = format!("table {gone} of the old site is not kept any more");
            return Err(DatabaseError::refused("import.rollback_gone", detail));
        }
        claim.journal().put(conn, GOING_BACK, &true).await?;
        let renames = self.renames_back(&present(conn).await?, &ours, &back, claim);
        rename_patiently(conn, claim, &renames).await?;
        claim.set_cut_over(false);
        Ok(())
    }

    /// Whether [`Exchange::backward`] has begun and [`Exchange::end_going_back`] has not.
    pub async fn is_going_back(conn: &mut Conn, claim: &Claim) -> Result<bool, DatabaseError> {
        Ok(claim.journal().get(conn, GOING_BACK).await?.unwrap_or(false))
    }

    /// Notes that everything is back.
    pub async fn end_going_back(conn: &mut Conn, claim: &Claim) -> Result<(), DatabaseError> {
        claim.journal().remove(conn, GOING_BACK).await
    }

    fn renames_back(
        &self,
        present: &[Present],
        ours: &BTreeSet<String>,
        back: &BTreeSet<&str>,
        claim: &Claim,
    ) -> Vec<(String, String)> {
        let token = claim.token();
        let numbers: BTreeMap<&str, u32> =
            self.incoming.iter().map(|table| (table.live.as_str(), table.number)).collect();
        let mut free = self.incoming.iter().map(|table| table.number).max().unwrap_or(0);
        let mut free_number = || loop {
            free += 1;
            if !ours.contains(&names::shadow(token, free)) {
                return free;
            }
        };
        let wanted =
            self.incoming.iter().map(|table| table.live.clone()).chain(self.views.iter().cloned()).collect();
        let mut renames = Vec::new();
        if claim.is_cut_over() {
            renames.push((names::fence_done(token), names::fence(token)));
        }
        for name in going_out(present, &wanted, &self.prefix) {
            if !back.contains(name.as_str()) {
                let number = numbers.get(name.as_str()).copied().unwrap_or_else(&mut free_number);
                renames.push((name, names::shadow(token, number)));
            }
        }
        let kept = self.kept.iter().filter(|kept| ours.contains(&kept.kept));
        renames.extend(kept.map(|kept| (kept.kept.clone(), kept.live.clone())));
        renames
    }
}

async fn rename_patiently(
    conn: &mut Conn,
    claim: &Claim,
    renames: &[(String, String)],
) -> Result<(), DatabaseError> {
    if renames.is_empty() {
        return Ok(());
    }
    for attempt in 1.. {
        match rename(conn, renames, "the tables cannot be exchanged").await {
            Err(error) if error.is_lock_wait() && attempt < TRIES_MAX => {}
            Err(error) if matches!(error.number(), Some(number::NO_SUCH_TABLE | number::FILE_NOT_FOUND)) => {
                // Whose fault it is, the fence tells.
                claim.check(conn).await?;
                return Err(DatabaseError::refused("destination.changed_underfoot", error.to_string()));
            }
            Err(error) if error.number() == Some(number::TABLE_EXISTS) => {
                return Err(DatabaseError::refused("destination.changed_underfoot", error.to_string()));
            }
            other => return other,
        }
    }
    unreachable!("the last attempt returns");
}

/// Orphans of a foreign key: rows of the child whose parent is missing.
pub async fn orphans(conn: &mut Conn, key: &KeyPair) -> Result<u64, DatabaseError> {
    use super::sql::quote;
    let on: Vec<String> =
        key.columns.iter().map(|(own, other)| format!("c.{} = p.{}", quote(own), quote(other))).collect();
    let set: Vec<String> =
        key.columns.iter().map(|(own, _)| format!("c.{} IS NOT NULL", quote(own))).collect();
    let (_, parent_column) = key.columns.first().cloned().unwrap_or_default();
    let query = format!(
        "SELECT COUNT(*) FROM {} c LEFT JOIN {} p ON {} WHERE {} AND p.{} IS NULL",
        quote(&key.table),
        quote(&key.parent),
        on.join(" AND "),
        set.join(" AND "),
        quote(&parent_column)
    );
    let count: Option<u64> =
        super::first(conn, &query, || "a foreign key cannot be verified".to_owned()).await?;
    Ok(count.unwrap_or(0))
}

/// A foreign key between two tables of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPair {
    /// Its name.
    pub name: String,
    /// The table that has it.
    pub table: String,
    /// The table that it refers to.
    pub parent: String,
    /// Pairs of columns.
    pub columns: Vec<(String, String)>,
}

/// The foreign keys of the claim's shadow tables.
pub async fn foreign_keys(conn: &mut Conn, token: u64) -> Result<Vec<KeyPair>, DatabaseError> {
    let query = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME \
         FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() \
         AND REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_NAME LIKE {} \
         ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        quoted(&format!("lf\\_{token}\\_%"))
    );
    let rows: Vec<(String, String, String, String, String)> =
        all(conn, &query, || "the foreign keys cannot be listed".to_owned()).await?;
    let mut keys: Vec<KeyPair> = Vec::new();
    for (table, name, parent, own, other) in rows {
        match keys.last_mut() {
            Some(key) if key.table == table && key.name == name => key.columns.push((own, other)),
            _ => keys.push(KeyPair { name, table, parent, columns: vec![(own, other)] }),
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(names: &[&str]) -> Vec<Present> {
        names.iter().map(|name| Present { name: (*name).to_owned(), is_view: false }).collect()
    }

    #[test]
    fn the_old_site_goes_out_and_its_neighbours_stay() {
        let present = tables(&[
            "wp_posts",
            "wp_options",
            "wp_old_plugin",
            "wp_shop_options",
            "wp_shop_users",
            "wp_shop_posts",
            "wp_shop_usermeta",
            "wp_shop_cart",
            "crm",
            "wpx",
        ]);
        let wanted = BTreeSet::from(["wp_posts".to_owned(), "crm".to_owned()]);
        assert_eq!(going_out(&present, &wanted, "wp_"), ["wp_posts", "wp_options", "wp_old_plugin", "crm"]);
        assert_eq!(going_out(&present, &wanted, ""), ["wp_posts", "crm"]);
    }
}
