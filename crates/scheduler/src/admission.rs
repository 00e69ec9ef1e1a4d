//! Which of the due slices may go to the queue now. Pure: counts in, choices out.

use std::collections::HashMap;

use landfall_common::organization::WEIGHT_MAX;
use landfall_common::ports::OutboxEntry;
use landfall_common::records::{SliceDue, index};
use landfall_common::{OrganizationId, Phase};

use crate::rules::Share;

/// The most slices that may be published or running at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Of one organization.
    pub organization: u64,
    /// That read from one source host.
    pub source_host: u64,
    /// That write to one destination host.
    pub destination_host: u64,
}

impl Default for Caps {
    /// 20 of an organization, 2 from a source's host, 8 to a destination's.
    fn default() -> Self {
        Self { organization: 20, source_host: 2, destination_host: 8 }
    }
}

/// A due slice that could be read.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) entry: OutboxEntry,
    pub(crate) due: SliceDue,
    pub(crate) organization: OrganizationId,
}

impl Candidate {
    /// The indexes that it counts in, the phase's first.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        let mut names =
            vec![index::in_flight_in(self.due.ticket.phase), index::in_flight_of(self.organization)];
        names.extend(self.due.source_host.as_deref().map(index::in_flight_from));
        names.extend(self.due.destination_host.as_deref().map(index::in_flight_to));
        names
    }
}

/// How deep a phase's queue may be filled: 1.5 times the slots that the fleet may have at most, and never less
/// than 10, so that an autoscaler at zero sees work.
pub(crate) fn window(slots_max: usize) -> u64 {
    (slots_max as u64 * 3).div_ceil(2).max(10)
}

/// What is known when candidates are picked from.
#[derive(Debug)]
pub(crate) struct Present<'p> {
    /// How deep the phase's queue may be filled.
    pub(crate) window: u64,
    /// The most slices published or running.
    pub(crate) caps: &'p Caps,
    /// By organization.
    pub(crate) shares: &'p HashMap<OrganizationId, Share>,
    /// The present size of every index that a candidate names.
    pub(crate) counts: HashMap<String, u64>,
}

/// What came of a look at candidates.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) candidates: Vec<Candidate>,
    /// Some had to stay behind for a cap, a hold or the window.
    pub(crate) some_stay: bool,
}

/// Picks from `candidates` (in their order within each organization) within the window and the caps. Turns go to the
/// organization that has the fewest slices in flight for its weight, whoever waits longest.
///
/// A slice that was published before is counted already, so it passes: it is only being published again.
pub(crate) fn admit(candidates: Vec<Candidate>, phase: Phase, mut present: Present<'_>) -> Admitted {
    let all = candidates.len();
    let mut admitted = Vec::new();
    for candidate in in_turns(candidates, &present) {
        let share = present.shares.get(&candidate.organization).copied().unwrap_or_default();
        if share.is_held {
            continue;
        }
        if candidate.entry.claims > 0 {
            admitted.push(candidate);
            continue;
        }
        let names = candidate.in_flight();
        let full = names.iter().any(|name| {
            present.counts.get(name).copied().unwrap_or(0)
                >= limit_of(name, phase, &present, share, &candidate)
        });
        if !full {
            for name in names {
                *present.counts.entry(name).or_default() += 1;
            }
            admitted.push(candidate);
        }
    }
    Admitted { some_stay: admitted.len() < all, candidates: admitted }
}

fn limit_of(name: &str, phase: Phase, present: &Present<'_>, share: Share, candidate: &Candidate) -> u64 {
    let caps = present.caps;
    if name == index::in_flight_in(phase) {
        present.window
    } else if name == index::in_flight_of(candidate.organization) {
        share.slices_max.unwrap_or(caps.organization)
    } else if candidate.due.source_host.as_deref().is_some_and(|host| name == index::in_flight_from(host)) {
        caps.source_host
    } else {
        caps.destination_host
    }
}

/// The order in which candidates are looked at: each takes the place that its organization will have reached with it,
/// by weight.
fn in_turns(candidates: Vec<Candidate>, present: &Present<'_>) -> Vec<Candidate> {
    let mut reached: HashMap<OrganizationId, u64> = HashMap::new();
    let mut ranked: Vec<(u64, Candidate)> = candidates
        .into_iter()
        .map(|candidate| {
            let organization = candidate.organization;
            let in_flight = || present.counts.get(&index::in_flight_of(organization)).copied().unwrap_or(0);
            let slices = reached.entry(organization).or_insert_with(in_flight);
            *slices += 1;
            let weight = present.shares.get(&organization).map_or(1, |share| share.weight);
            (*slices * u64::from(WEIGHT_MAX) / u64::from(weight), candidate)
        })
        .collect();
    // Stable: of one rank, the order is that of the candidates.
    ranked.sort_by_key(|(rank, candidate)| (*rank, candidate.entry.due));
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use landfall_common::wire::SliceTicket;
    use landfall_common::{MigrationId, StoreTime};
    use uuid::Uuid;

    use super::*;

    fn candidate(organization: u128, number: u128, claims: u32) -> Candidate {
        let migration = MigrationId::from_uuid(Uuid::from_u128(organization * 1000 + number));
        Candidate {
            entry: OutboxEntry {
                id: migration.to_string(),
                lane: "slices:snapshot".into(),
                tenant: String::new(),
                due: StoreTime(number as u64),
                claims,
                epoch: 0,
                body: bytes(),
            },
            due: SliceDue {
                ticket: SliceTicket {
                    schema: 1,
                    migration,
                    generation: 1,
                    phase: Phase::Snapshot,
                    slice: 1,
                    traceparent: String::new(),
                },
                source_host: Some(format!("host{number}")),
                destination_host: None,
            },
            organization: OrganizationId::from_uuid(Uuid::from_u128(organization)),
        }
    }

    fn bytes() -> bytes::Bytes {
        bytes::Bytes::new()
    }

    /// Admits with the usual caps.
    fn picked(
        candidates: Vec<Candidate>,
        window: u64,
        shares: &[(u128, Share)],
        counts: &[(String, u64)],
    ) -> Vec<Candidate> {
        let shares = shares.iter().map(|(number, share)| (organization(*number), *share)).collect();
        let counts = counts.iter().cloned().collect();
        let present = Present { window, caps: &Caps::default(), shares: &shares, counts };
        admit(candidates, Phase::Snapshot, present).candidates
    }

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(number))
    }

    fn of(admitted: &[Candidate], number: u128) -> usize {
        admitted.iter().filter(|candidate| candidate.organization == organization(number)).count()
    }

    #[test]
    fn organizations_take_turns_whoever_was_first() {
        let mut due: Vec<_> = (0..50).map(|number| candidate(1, number, 0)).collect();
        due.push(candidate(2, 99, 0));
        let admitted = picked(due, 10, &[], &[]);
        assert_eq!(admitted.len(), 10);
        assert_eq!(admitted[1].organization, organization(2));
    }

    #[test]
    fn a_newcomer_goes_before_an_organization_that_has_slots() {
        let mut due: Vec<_> = (0..20).map(|number| candidate(1, number, 0)).collect();
        due.push(candidate(2, 99, 0));
        let counts = [(index::in_flight_in(Phase::Snapshot), 9), (index::in_flight_of(organization(1)), 9)];
        let admitted = picked(due, 10, &[], &counts);
        assert_eq!((admitted.len(), of(&admitted, 2)), (1, 1));
    }

    #[test]
    fn slots_are_shared_by_weight() {
        let due = (0..60).map(|number| candidate(1 + number % 2, number, 0)).collect();
        let heavy = Share { weight: 3, slices_max: Some(100), ..Share::default() };
        let admitted = picked(due, 20, &[(1, heavy)], &[]);
        assert_eq!((of(&admitted, 1), of(&admitted, 2)), (15, 5));
    }

    #[test]
    fn an_organization_has_its_own_cap_and_its_own_hold() {
        let due: Vec<_> = (0..30).map(|number| candidate(1 + number % 3, number, 0)).collect();
        let capped = Share { slices_max: Some(2), ..Share::default() };
        let held = Share { is_held: true, ..Share::default() };
        let admitted = picked(due, 100, &[(1, capped), (2, held)], &[]);
        assert_eq!([1, 2, 3].map(|number| of(&admitted, number)), [2, 0, 10]);
    }

    #[test]
    fn a_full_window_admits_only_what_is_published_already() {
        let counts = [(index::in_flight_in(Phase::Snapshot), 10)];
        let admitted = picked(vec![candidate(1, 1, 0), candidate(1, 2, 1)], 10, &[], &counts);
        assert_eq!(admitted.len(), 1);
        assert_eq!(admitted[0].entry.claims, 1);
    }

    #[test]
    fn a_source_host_is_not_crowded() {
        let due: Vec<_> = (1..6).map(|organization| candidate(organization, 7, 0)).collect();
        assert_eq!(picked(due, 100, &[], &[]).len(), 2);
    }

    #[test]
    fn the_window_never_closes_on_a_fleet_of_none() {
        assert_eq!((window(0), window(7), window(100)), (10, 11, 150));
    }
}
