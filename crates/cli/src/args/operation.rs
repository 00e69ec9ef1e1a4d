//! Arguments of `landfall hold` and `landfall organization`.

use clap::Subcommand;

use super::ListArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Start nothing new: what runs ends its slice.
    Set {
        /// `all`, a phase (`snapshot`, `transfer`, `import`), or an organization's id.
        scope: String,
        /// Why; shown to whoever wonders, and kept for the audit.
        #[arg(long)]
        reason: String,
    },
    /// Let go: what is due starts in its turn.
    Lift {
        /// What was held.
        scope: String,
    },
    /// List what is held.
    List(ListArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Show an organization's settings, and what is left of its allowance.
    Show {
        /// The organization: org_….
        id: String,
    },
    /// Change an organization's settings; what is not named stays.
    Set {
        /// The organization.
        id: String,
        /// Its share of the slots beside others', 1 to 100.
        #[arg(long)]
        weight: Option<u32>,
        /// Slices published or running at once.
        #[arg(long)]
        slices_max: Option<u64>,
        /// Migrations that support helps with.
        #[arg(long)]
        assisted_max: Option<u32>,
    },
}
