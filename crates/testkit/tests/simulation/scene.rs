//! What one run is made of: drawn from its seed, shared by the processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_common::{MigrationId, OrganizationId, SiteId};
use landfall_testkit::simulation::{Trouble, World, draw_id};
use rand::Rng;

/// What visitors see before any migration.
pub(crate) const OLD_SITE: &str = "the old site";

/// The plan of one site's migration.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The site's name.
    pub(crate) name: String,
    pub(crate) organization: OrganizationId,
    /// The key of its one submission.
    pub(crate) key: String,
    /// Units in each phase.
    pub(crate) units: usize,
    /// How long a unit takes, at least and at most.
    pub(crate) unit: (Duration, Duration),
    /// Whether it comes from a WordPress site, which enrols.
    pub(crate) has_source: bool,
    /// Whether its source ever enrols.
    pub(crate) enrols: bool,
    /// A unit that kills every process that tries it.
    pub(crate) poison: Option<usize>,
    /// What its owner and support do, with how long they wait before each.
    pub(crate) orders: Vec<(Duration, Order)>,
    /// When it is submitted, from the beginning.
    pub(crate) begins: Duration,
}

/// What a person does to a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Pause,
    Resume,
    Cancel,
    RollBack,
    Credentials,
    Replay(&'static str),
    /// Submits another migration to the same site.
    Rival,
}

/// What clients know of a site. They outlive every process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) site: Option<SiteId>,
    pub(crate) migration: Option<MigrationId>,
    pub(crate) has_enrolled: bool,
    /// Orders that were given.
    pub(crate) given: usize,
    pub(crate) replays: usize,
}

/// The whole of it.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) plans: Vec<Plan>,
    /// The most that can go wrong; it does until the calm.
    pub(crate) trouble: Trouble,
    /// How often a unit fails.
    pub(crate) unit_fails: f64,
    pub(crate) slots: usize,
    pub(crate) has_two_apis: bool,
    pub(crate) slice_budget: Duration,
    pub(crate) rest: Duration,
    shared: Mutex<Shared>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) known: BTreeMap<String, Known>,
    /// The owners' tokens, by organization.
    pub(crate) tokens: BTreeMap<OrganizationId, String>,
    /// Set once every site and token is made.
    pub(crate) is_set_up: bool,
    /// Nothing goes wrong any more, and people bring everything to its end.
    pub(crate) is_calm: bool,
    /// Keys of second migrations of the same sites.
    pub(crate) rivals: BTreeSet<String>,
    /// What people were told had been done: by migration and action, how often.
    pub(crate) done: BTreeMap<(String, String), usize>,
    /// A week has passed.
    pub(crate) is_aged: bool,
}

impl Scene {
    /// Draws one.
    pub(crate) fn draw(world: World) -> Arc<Self> {
        let organizations: Vec<OrganizationId> =
            (0..3).map(|_| OrganizationId::from_uuid(draw_id())).collect();
        let mut inner = world.lock();
        let rng = &mut inner.rng;
        let sites = rng.random_range(1..=6);
        let plans = (0..sites).map(|number| plan(number, &organizations, rng)).collect();
        let trouble = trouble(rng);
        let unit_fails = if rng.random_bool(0.6) { rng.random_range(0.0..0.15) } else { 0.0 };
        let slots = rng.random_range(1..=2);
        let has_two_apis = rng.random_bool(0.3);
        let slice_budget = Duration::from_secs(rng.random_range(5..120));
        let rest = Duration::from_millis(rng.random_range(200..1500));
        drop(inner);
        let shared = Mutex::default();
        Arc::new(Self { world, plans, trouble, unit_fails, slots, has_two_apis, slice_budget, rest, shared })
    }

    /// What changes.
    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What clients know of a site.
    pub(crate) fn known(&self, name: &str) -> Known {
        self.shared().known.get(name).cloned().unwrap_or_default()
    }

    /// Notes what a client has learnt.
    pub(crate) fn learn(&self, name: &str, change: impl FnOnce(&mut Known)) {
        change(self.shared().known.entry(name.to_owned()).or_default());
    }

    /// The plan of a site.
    pub(crate) fn plan_of(&self, site: SiteId) -> Option<&Plan> {
        self.plans.iter().find(|plan| self.known(&plan.name).site == Some(site))
    }
}

fn plan(number: usize, organizations: &[OrganizationId], rng: &mut impl Rng) -> Plan {
    let unit = match rng.random_range(0..10) {
        0..=5 => (10, 2_000),
        6..=8 => (500, 15_000),
        _ => (10_000, 150_000),
    };
    let orders = if rng.random_bool(0.6) { rng.random_range(0..6) } else { 0 };
    let units = rng.random_range(1..=6);
    Plan {
        name: format!("site-{number}"),
        organization: organizations[rng.random_range(0..organizations.len())],
        key: format!("key-{number}"),
        units,
        unit: (Duration::from_millis(unit.0), Duration::from_millis(unit.1)),
        has_source: rng.random_bool(0.5),
        enrols: rng.random_bool(0.95),
        poison: rng.random_bool(0.05).then(|| rng.random_range(0..units)),
        orders: (0..orders)
            .map(|_| (Duration::from_millis(rng.random_range(10..60_000)), order(rng)))
            .collect(),
        begins: Duration::from_millis(rng.random_range(0..20_000)),
    }
}

fn order(rng: &mut impl Rng) -> Order {
    match rng.random_range(0..13) {
        0 | 1 => Order::Pause,
        2..=4 => Order::Resume,
        5 => Order::Cancel,
        6 => Order::RollBack,
        7 | 8 => Order::Credentials,
        9 => Order::Replay("start"),
        10 => Order::Replay("import"),
        11 => Order::Rival,
        _ => Order::Replay("checkpoint"),
    }
}

/// Half of what can go wrong does not, in any one run: rare faults show where others do not hide them.
fn trouble(rng: &mut impl Rng) -> Trouble {
    let mut some = |most: f64| if rng.random_bool(0.5) { rng.random_range(0.0..most) } else { 0.0 };
    Trouble {
        request_lost: some(0.03),
        reply_lost: some(0.05),
        refused: some(0.05),
        slow: some(0.10),
        message_lost: some(0.30),
        message_twice: some(0.50),
        message_late: some(0.30),
        message_refused: some(0.30),
        reordered: some(0.80),
    }
}
