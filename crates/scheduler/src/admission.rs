//! Which of the due slices may go to the queue now. Pure: counts in, choices out.

use std::collections::HashMap;

use landfall_common::ports::OutboxEntry;
use landfall_common::records::{SliceDue, index};
use landfall_common::{OrganizationId, Phase};

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

/// Picks from `candidates` (longest due first within each organization) in turns by organization, within the
/// window and the caps. `counts` holds the present size of every index that a candidate names.
///
/// A slice that was published before is counted already, so it passes: it is only being published again.
pub(crate) fn admit(
    candidates: Vec<Candidate>,
    phase: Phase,
    window: u64,
    caps: &Caps,
    mut counts: HashMap<String, u64>,
) -> Vec<Candidate> {
    let mut admitted = Vec::new();
    for candidate in in_turns(candidates) {
        if candidate.entry.claims > 0 {
            admitted.push(candidate);
            continue;
        }
        let names = candidate.in_flight();
        let full = names.iter().any(|name| {
            counts.get(name).copied().unwrap_or(0) >= limit_of(name, phase, window, caps, &candidate)
        });
        if !full {
            for name in names {
                *counts.entry(name).or_default() += 1;
            }
            admitted.push(candidate);
        }
    }
    admitted
}

fn limit_of(name: &str, phase: Phase, window: u64, caps: &Caps, candidate: &Candidate) -> u64 {
    if name == index::in_flight_in(phase) {
        window
    } else if name == index::in_flight_of(candidate.organization) {
        caps.organization
    } else if candidate.due.source_host.as_deref().is_some_and(|host| name == index::in_flight_from(host)) {
        caps.source_host
    } else {
        caps.destination_host
    }
}

/// First the first of each organization, then the second of each, and so on.
fn in_turns(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen: HashMap<OrganizationId, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Candidate)> = candidates
        .into_iter()
        .map(|candidate| {
            let rank = seen.entry(candidate.organization).or_default();
            *rank += 1;
            (*rank, candidate)
        })
        .collect();
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

    #[test]
    fn organizations_take_turns_whoever_was_first() {
        let mut due: Vec<_> = (0..50).map(|number| candidate(1, number, 0)).collect();
        due.push(candidate(2, 99, 0));
        let admitted = admit(due, Phase::Snapshot, 10, &Caps::default(), HashMap::new());
        assert_eq!(admitted.len(), 10);
        assert_eq!(admitted[1].organization, OrganizationId::from_uuid(Uuid::from_u128(2)));
    }

    #[test]
    fn a_full_window_admits_only_what_is_published_already() {
        let counts = HashMap::from([(index::in_flight_in(Phase::Snapshot), 10)]);
        let due = vec![candidate(1, 1, 0), candidate(1, 2, 1)];
        let admitted = admit(due, Phase::Snapshot, 10, &Caps::default(), counts);
        assert_eq!(admitted.len(), 1);
        assert_eq!(admitted[0].entry.claims, 1);
    }

    #[test]
    fn a_source_host_is_not_crowded() {
        let due: Vec<_> = (1..6).map(|organization| candidate(organization, 7, 0)).collect();
        let admitted = admit(due, Phase::Snapshot, 100, &Caps::default(), HashMap::new());
        assert_eq!(admitted.len(), 2);
    }

    #[test]
    fn the_window_never_closes_on_a_fleet_of_none() {
        assert_eq!((window(0), window(7), window(100)), (10, 11, 150));
    }
}
