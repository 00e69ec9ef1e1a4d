//! Names of indexes, lanes, outbox entries and streams.

/// Indexes. Scores are microseconds of creation unless said otherwise.
pub mod index {
    use crate::migration::{Phase, StateName};
    use crate::{OrganizationId, SiteId};

    /// Running migrations; scored by when their lease runs out.
    pub const LEASES: &str = "leases";
    /// Waiting migrations; scored by when they are to be woken.
    pub const TIMERS: &str = "timers";
    /// All migrations.
    pub const MIGRATIONS: &str = "migrations";
    /// All sites.
    pub const SITES: &str = "sites";
    /// All support cases.
    pub const CASES: &str = "cases";
    /// Cases that wait for support.
    pub const CASES_OPEN: &str = "cases:open";

    /// Organizations that have settings of their own.
    pub const ORGANIZATIONS: &str = "organizations";
    /// Holds.
    pub const HOLDS: &str = "holds";

    /// An organization's migrations.
    pub fn migrations_of(organization: OrganizationId) -> String {
        format!("migrations:{organization}")
    }

    /// Migrations in one state, of all organizations.
    pub fn migrations_in(state: StateName) -> String {
        format!("migrations:state:{state}")
    }

    /// An organization's migrations in one state.
    pub fn migrations_of_in(organization: OrganizationId, state: StateName) -> String {
        format!("migrations:{organization}:{state}")
    }

    /// A site's migrations.
    pub fn migrations_to(site: SiteId) -> String {
        format!("migrations:{site}")
    }

    /// An organization's sites.
    pub fn sites_of(organization: OrganizationId) -> String {
        format!("sites:{organization}")
    }

    /// An organization's machine tokens.
    pub fn tokens_of(organization: OrganizationId) -> String {
        format!("tokens:{organization}")
    }

    /// An organization's support cases.
    pub fn cases_of(organization: OrganizationId) -> String {
        format!("cases:{organization}")
    }

    /// Slices of a phase that are published or running; scored by when that began.
    pub fn in_flight_in(phase: Phase) -> String {
        format!("in_flight:{phase}")
    }

    /// Slices of an organization that are published or running.
    pub fn in_flight_of(organization: OrganizationId) -> String {
        format!("in_flight:{organization}")
    }

    /// Slices that read from a host and are published or running.
    pub fn in_flight_from(host: &str) -> String {
        format!("in_flight:source:{host}")
    }

    /// Slices that write to a host and are published or running.
    pub fn in_flight_to(host: &str) -> String {
        format!("in_flight:destination:{host}")
    }
}

/// Lanes of the outbox.
pub mod lane {
    use crate::Phase;
    use crate::migration::Priority;

    /// Cases for the support desk.
    pub const CASES: &str = "cases";
    /// Mail to owners.
    pub const MAIL: &str = "mail";

    /// Slices of a phase, of migrations of one priority.
    pub fn slices(phase: Phase, priority: Priority) -> String {
        match priority {
            Priority::High => format!("slices:{phase}:high"),
            // As it was when there were no priorities: versions before know only this one.
            Priority::Normal => format!("slices:{phase}"),
            Priority::Low => format!("slices:{phase}:low"),
        }
    }
}

/// Ids of outbox entries.
pub mod outbox_id {
    use crate::migration::MailKind;
    use crate::{CaseId, MigrationId};

    /// The due slice of a migration: there is at most one.
    pub fn slice(migration: MigrationId) -> String {
        format!("slice/{migration}")
    }

    /// A case that the desk has not seen.
    pub fn case(case: CaseId) -> String {
        format!("case/{case}")
    }

    /// A mail of a migration's generation.
    pub fn mail(migration: MigrationId, generation: u32, kind: MailKind) -> String {
        match kind {
            MailKind::Completed => format!("mail/{migration}/{generation}/completed"),
            MailKind::Failed => format!("mail/{migration}/{generation}/failed"),
        }
    }
}

/// Event streams.
pub mod stream {
    use crate::MigrationId;

    /// What people changed, and why. Never trimmed.
    pub const AUDIT: &str = "audit";
    /// Events of a migration that are kept.
    pub const MIGRATION_KEEP: u32 = 2000;

    /// A migration's timeline.
    pub fn migration(migration: MigrationId) -> String {
        migration.to_string()
    }
}
