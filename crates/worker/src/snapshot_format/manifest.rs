//! The manifest: what seals a snapshot.

use std::collections::BTreeMap;

use landfall_common::MigrationId;
use serde::{Deserialize, Serialize};

use super::{LedgerHead, ObjectRef, RowsHash};
use crate::source::LeftOutObject;

/// The manifest of a sealed snapshot. Its bytes follow from the last checkpoint alone, so two workers that
/// seal from the same checkpoint write the same manifest, and the second finds its own words there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The migration.
    pub migration: MigrationId,
    /// The generation that copied it.
    pub generation: u32,
    /// The newest segment of the ledger.
    pub ledger: LedgerHead,
    /// The plugin's whole preflight answer, JSON.
    pub preflight: ObjectRef,
    /// The schema: JSON of [`crate::model::Schema`].
    pub schema: ObjectRef,
    /// The same schema as SQL, for people and for `mysql`.
    pub schema_sql: ObjectRef,
    /// What the import needs to know about where the site was.
    pub source: SourceFacts,
    /// Sums.
    pub totals: Totals,
    /// Each table, by name.
    pub tables: Vec<TableSummary>,
    /// Tables that moved during the copy: their rows may not fit together with each other's.
    pub moved_tables: Vec<String>,
    /// Which consistency the copy has, one sentence for the report.
    pub consistency: String,
    /// Files that were left out, rule by rule.
    pub left_out: Vec<LeftOut>,
    /// Tables and other objects of the database that were left out: name, what it is, why.
    pub left_out_objects: Vec<LeftOutObject>,
}

/// Where the site was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// `home`: the URL of its front page.
    pub home: String,
    /// `siteurl`: the URL of its WordPress.
    pub siteurl: String,
    /// `$table_prefix`.
    pub table_prefix: String,
    /// Absolute folders at the source by their name: `root`, `content`, `uploads`, `plugins`, `mu_plugins`.
    pub paths: BTreeMap<String, String>,
    /// Versions by their name: `wordpress`, `php`, `database`, `plugin`.
    pub versions: BTreeMap<String, String>,
    /// The database's default character set.
    pub charset: String,
    /// The database's default collation.
    pub collation: String,
}

/// Sums over a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Regular files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the files' contents.
    pub file_bytes: u64,
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of the rows' frames.
    pub row_bytes: u64,
    /// Files and folders that vanished or could not be read.
    pub unread: u64,
    /// Bytes of the snapshot's objects before encryption.
    pub object_bytes: u64,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSummary {
    /// Its name at the source.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their frames.
    pub row_bytes: u64,
    /// The hash of all its rows.
    pub rows_hash: RowsHash,
    /// Its parts.
    pub parts: u32,
}

/// What one rule left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The rule's id: `cache`, `backups`, …; for the owner's own patterns the pattern; `wp_config` for the file with
    /// the passwords.
    pub rule: String,
    /// Files, folders and links left out; what is in a folder that is left out whole is not counted.
    pub entries: u64,
    /// The first few paths, for people. All of them are in the listings that the ledger names.
    pub examples: Vec<String>,
}
