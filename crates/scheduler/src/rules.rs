//! What people decided about what may be started: holds, and the settings of organizations. Read again every second at
//! most: a hold is for minutes or hours, and what a moment lets through ends with its slice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use landfall_common::hold::{Hold, Scope};
use landfall_common::organization::OrganizationSettings;
use landfall_common::ports::DocumentKind;
use landfall_common::records::{RecordError, Records};
use landfall_common::{OrganizationId, Phase};
use tokio::time::Instant;

/// How old what is known may be.
const FRESH: Duration = Duration::from_secs(1);
/// Organizations that are remembered; beyond, all is read anew.
const KNOWN_MAX: usize = 10_000;

/// What holds for one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Its weight beside others.
    pub(crate) weight: u32,
    /// Its own cap on slices published or running.
    pub(crate) slices_max: Option<u64>,
    /// Nothing of it is started.
    pub(crate) is_held: bool,
}

impl Default for Share {
    fn default() -> Self {
        Self { weight: 1, slices_max: None, is_held: false }
    }
}

/// The rules as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    is_phase_held: Option<(Instant, bool)>,
    shares: HashMap<OrganizationId, (Instant, Share)>,
}

impl Rules {
    /// Whether nothing of a phase is started.
    pub(crate) async fn is_held(&mut self, records: &Records, phase: Phase) -> Result<bool, RecordError> {
        if let Some((read, is_held)) = self.is_phase_held
            && read.elapsed() < FRESH
        {
            return Ok(is_held);
        }
        let scopes = [Scope::All, Scope::Phase(phase)].map(|scope| scope.to_string());
        let (_, holds) = records.read_all::<Hold>(DocumentKind::Hold, &scopes).await?;
        let is_held = holds.iter().any(Option::is_some);
        self.is_phase_held = Some((Instant::now(), is_held));
        Ok(is_held)
    }

    /// The shares of organizations.
    pub(crate) async fn shares(
        &mut self,
        records: &Records,
        organizations: &HashSet<OrganizationId>,
    ) -> Result<HashMap<OrganizationId, Share>, RecordError> {
        if self.shares.len() > KNOWN_MAX {
            self.shares.clear();
        }
        let is_stale = |organization: &OrganizationId| {
            self.shares.get(organization).is_none_or(|(read, _)| read.elapsed() >= FRESH)
        };
        let stale: Vec<OrganizationId> = organizations.iter().copied().filter(is_stale).collect();
        if !stale.is_empty() {
            let ids: Vec<String> = stale.iter().map(ToString::to_string).collect();
            let (_, settings) =
                records.read_all::<OrganizationSettings>(DocumentKind::Organization, &ids).await?;
            let (_, holds) = records.read_all::<Hold>(DocumentKind::Hold, &ids).await?;
            let read = Instant::now();
            for ((organization, settings), hold) in stale.into_iter().zip(settings).zip(holds) {
                let usual = Share { is_held: hold.is_some(), ..Share::default() };
                let share = settings.map_or(usual, |settings| Share {
                    weight: settings.value.weight.max(1),
                    slices_max: settings.value.slices_max,
                    ..usual
                });
                self.shares.insert(organization, (read, share));
            }
        }
        let share_of = |organization: &OrganizationId| {
            let share = self.shares.get(organization).map_or_else(Share::default, |(_, share)| *share);
            (*organization, share)
        };
        Ok(organizations.iter().map(share_of).collect())
    }
}
