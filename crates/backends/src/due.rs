//! Cuts due entries to what was asked for, tenant by tenant.

use std::collections::BTreeMap;

use landfall_common::ports::{DueQuery, OutboxEntry};

/// Of the entries, the tenants whose earliest is due longest, and of each of these the longest due.
pub(crate) fn fair_share(entries: Vec<OutboxEntry>, query: &DueQuery) -> Vec<OutboxEntry> {
    let mut tenants: BTreeMap<String, Vec<OutboxEntry>> = BTreeMap::new();
    for entry in entries {
        tenants.entry(entry.tenant.clone()).or_default().push(entry);
    }
    let mut shares: Vec<Vec<OutboxEntry>> = tenants.into_values().collect();
    for share in &mut shares {
        share.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
        share.truncate(query.per_tenant);
    }
    shares.retain(|share| !share.is_empty());
    // Stable: tenants of one due time follow by name.
    shares.sort_by_key(|share| share.first().map(|entry| entry.due));
    shares.truncate(query.tenants);
    shares.into_iter().flatten().collect()
}
