//! What the operator sets for one organization, and how much of it is used up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{MigrationId, OrganizationId, StoreTime};

/// Migrations that support helps with, unless the operator says otherwise.
pub const ASSISTED_USUAL: u32 = 5;
/// The largest weight: such an organization gets as many slots as a hundred others.
pub const WEIGHT_MAX: u32 = 100;

/// An organization's settings. One that has none has the usual ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationSettings {
    /// Document schema.
    pub schema: u16,
    /// Whose.
    pub organization: OrganizationId,
    /// Its share of the slots beside others', 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// Slices published or running at once; none: as configured for all.
    #[serde(default)]
    pub slices_max: Option<u64>,
    /// Migrations that support helps with; none: [`ASSISTED_USUAL`].
    #[serde(default)]
    pub assisted_max: Option<u32>,
    /// The migrations that it has been helped with, at most `assisted_max` of them.
    #[serde(default)]
    pub assisted: BTreeSet<MigrationId>,
    /// When it last changed.
    pub changed_at: StoreTime,
}

/// Whether help with a migration is within the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// It counts, and is counted now.
    Taken,
    /// It was counted before: a migration counts once, however often it stops.
    Counted,
    /// The allowance is used up.
    Outside,
}

impl OrganizationSettings {
    /// The usual ones.
    pub fn usual(organization: OrganizationId, now: StoreTime) -> Self {
        Self {
            schema: 1,
            organization,
            weight: 1,
            slices_max: None,
            assisted_max: None,
            assisted: BTreeSet::new(),
            changed_at: now,
        }
    }

    /// Migrations that support helps with.
    pub fn assisted_max(&self) -> u32 {
        self.assisted_max.unwrap_or(ASSISTED_USUAL)
    }

    /// Migrations that support can still be asked to help with.
    pub fn assisted_left(&self) -> u32 {
        let used = u32::try_from(self.assisted.len()).unwrap_or(u32::MAX);
        self.assisted_max().saturating_sub(used)
    }

    /// Counts help with a migration, where there is any left.
    pub fn assist(&mut self, migration: MigrationId) -> Allowance {
        if self.assisted.contains(&migration) {
            Allowance::Counted
        } else if self.assisted_left() == 0 {
            Allowance::Outside
        } else {
            self.assisted.insert(migration);
            Allowance::Taken
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn five_migrations_are_assisted_and_each_counts_once() {
        let organization = OrganizationId::from_uuid(Uuid::from_u128(1));
        let mut settings = OrganizationSettings::usual(organization, StoreTime(0));
        let migration = |number| MigrationId::from_uuid(Uuid::from_u128(number));
        for number in 0..5 {
            assert_eq!(settings.assist(migration(number)), Allowance::Taken);
            assert_eq!(settings.assist(migration(number)), Allowance::Counted);
        }
        assert_eq!((settings.assist(migration(9)), settings.assisted_left()), (Allowance::Outside, 0));
        settings.assisted_max = Some(6);
        assert_eq!(settings.assist(migration(9)), Allowance::Taken);
        settings.assisted_max = Some(2);
        assert_eq!((settings.assist(migration(10)), settings.assisted_left()), (Allowance::Outside, 0));
    }
}
