//! What is imported: which table under which number and name. Made once, kept in the journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::destination::database::exchange::Incoming;
use crate::destination::database::names;
use crate::destination::database::rows::{LoadTable, PacketLimits};
use crate::model::{Schema, Table};
use crate::slice::SliceError;

/// The plan of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The snapshot that it is of.
    pub(super) manifest: String,
    /// Tables that come in.
    pub(super) tables: Vec<Incoming>,
    /// Views that come in: names at the source and at the destination.
    pub(super) views: Vec<(String, String)>,
    /// The prefix at the destination.
    pub(super) prefix: String,
    /// The server's limits for rows.
    pub(super) packet_max: u64,
    /// Whether it takes LOAD DATA LOCAL.
    pub(super) local_infile: bool,
}

impl Plan {
    /// A name of the source at the destination.
    pub(super) fn live_name(name: &str, from: &str, to: &str) -> String {
        match name.strip_prefix(from) {
            Some(rest) => format!("{to}{rest}"),
            None => name.to_owned(),
        }
    }

    /// Shadow names by names at the source.
    pub(super) fn shadows(&self, token: u64) -> BTreeMap<String, String> {
        self.tables.iter().map(|table| (table.source.clone(), names::shadow(token, table.number))).collect()
    }

    /// Names at the destination by names at the source, of tables and views.
    pub(super) fn live_names(&self) -> BTreeMap<String, String> {
        let tables = self.tables.iter().map(|table| (table.source.clone(), table.live.clone()));
        tables.chain(self.views.iter().cloned()).collect()
    }

    /// Limits of a statement.
    pub(super) fn limits(&self) -> PacketLimits {
        PacketLimits {
            packet_max: usize::try_from(self.packet_max).unwrap_or(usize::MAX),
            local_infile: self.local_infile,
        }
    }

    /// Names that two tables would have in common at the destination.
    pub(super) fn clashes(&self, is_case_kept: bool) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let names =
            self.tables.iter().map(|table| &table.live).chain(self.views.iter().map(|(_, live)| live));
        let spelled = |name: &String| if is_case_kept { name.clone() } else { name.to_lowercase() };
        names.filter(|name| !seen.insert(spelled(name))).cloned().collect()
    }
}

impl Run<'_> {
    /// The plan, the schema, and each planned table beside its definition.
    pub(super) async fn planned(&mut self) -> Result<(Plan, Schema), SliceError> {
        let plan: Plan = self.entry("plan").await?;
        let schema = self.reader.schema().await?;
        Ok((plan, schema))
    }

    /// A planned table, ready to be loaded or read back.
    pub(super) fn load_table(&self, plan: &Plan, incoming: &Incoming, table: &Table) -> LoadTable {
        let shadow = names::shadow(self.claim.token(), incoming.number);
        LoadTable::new(table, &shadow, self.prefix_from(), plan.limits())
    }
}

/// The definition of a planned table.
pub(super) fn definition<'s>(schema: &'s Schema, incoming: &Incoming) -> Result<&'s Table, SliceError> {
    schema.tables.iter().find(|table| table.name == incoming.source).ok_or_else(|| {
        SliceError::failed("staging.corrupt", format!("the schema lacks table {}", incoming.source))
    })
}
