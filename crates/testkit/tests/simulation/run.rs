//! One seed, from its first process to the last look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfall_common::migration::{State, StateName};
use landfall_common::records::stream;
use landfall_testkit::simulation::{Destination, Inner, ProcessId, Sabotage, World};
use rand::Rng;
use rand::seq::SliceRandom;
use tokio_util::sync::CancellationToken;

use crate::chaos::{self, Blow};
use crate::clients::untold_cases;
use crate::process::Process;
use crate::roles::{self, Role};
use crate::scene::{OLD_SITE, Scene};

/// Every process is looked at so often, for what its own timers bring; in microseconds.
const LOOK: u64 = 200_000;
/// In the calm everything has to come to its end within so long, in microseconds.
const CALM_MAX: u64 = 3 * 3600 * 1_000_000;
/// How often the calm is looked at, in microseconds.
const SECOND: u64 = 1_000_000;
/// And has to stay there for so long.
const QUIET: u64 = 60 * 1_000_000;

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: u64,
    pub(crate) log: Vec<String>,
    /// Microseconds of the world's time.
    pub(crate) lasted: u64,
    pub(crate) commits: u64,
    pub(crate) fenced: u64,
    pub(crate) rollbacks: u64,
    pub(crate) crashes: u64,
    pub(crate) entered: BTreeMap<StateName, u64>,
}

struct Seat {
    role: Role,
    process: Process,
    drain: CancellationToken,
}

struct Run {
    scene: Arc<Scene>,
    seats: BTreeMap<ProcessId, Seat>,
    blows: BTreeMap<(u64, u64), Blow>,
    numbers: u64,
    crashes: u64,
    looked: u64,
}

/// Runs a seed to its end, or until something is wrong.
pub(crate) fn run(seed: u64, with_log: bool, sabotage: Option<Sabotage>) -> Outcome {
    let world = World::new(seed, with_log);
    world.lock().sabotage = sabotage;
    let scene = Scene::draw(world.clone());
    let mut run =
        Run { scene, seats: BTreeMap::new(), blows: BTreeMap::new(), numbers: 0, crashes: 0, looked: 0 };
    run.start(Role::Api);
    while !run.scene.shared().is_set_up {
        run.step(u64::MAX);
    }
    run.build_sites();
    run.storm();
    run.calm();
    run.last_look();
    // The processes go first: what they hold goes back into the world.
    run.seats.clear();
    let (trace, log) = (world.trace(), world.log());
    let mut inner = world.lock();
    let history = std::mem::take(&mut inner.history);
    Outcome {
        violations: history.violations,
        trace,
        log,
        lasted: inner.now(),
        commits: history.commits,
        fenced: history.fenced,
        rollbacks: history.rollbacks,
        crashes: run.crashes,
        entered: history.entered,
    }
}

impl Run {
    fn now(&self) -> u64 {
        self.scene.world.lock().now()
    }

    fn is_broken(&self) -> bool {
        !self.scene.world.lock().history.violations.is_empty()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn start(&mut self, role: Role) {
        let id = ProcessId(u32::try_from(self.number()).unwrap_or(u32::MAX));
        let drain = CancellationToken::new();
        let process = roles::start(&self.scene, role, id, drain.clone());
        self.scene.world.lock().touch(id);
        self.seats.insert(id, Seat { role, process, drain });
    }

    /// A blow falls after so long.
    fn plan(&mut self, after: Duration, blow: Blow) {
        let at = self.now() + u64::try_from(after.as_micros()).unwrap_or(u64::MAX / 4);
        let number = self.number();
        self.blows.insert((at, number), blow);
    }

    fn build_sites(&self) {
        let sites = self.scene.plans.iter().filter_map(|plan| self.scene.known(&plan.name).site);
        let old = || Destination::with(vec![OLD_SITE.to_owned()]);
        self.scene.world.lock().destinations = sites.map(|site| (site, old())).collect();
    }

    /// Everything happens as the seed has it, with all that goes wrong.
    fn storm(&mut self) {
        let (schedulers, workers) = {
            let mut world = self.scene.world.lock();
            world.trouble = self.scene.trouble;
            (world.rng.random_range(1..=2), world.rng.random_range(1..=3))
        };
        // A second API, with the same clients: each submission comes twice, side by side.
        if self.scene.has_two_apis {
            self.start(Role::Api);
        }
        (0..schedulers).for_each(|_| self.start(Role::Scheduler));
        (0..workers).for_each(|_| self.start(Role::Worker));
        let blows = chaos::draw(&mut self.scene.world.lock().rng);
        let lasts = blows.lasts;
        for (after, blow) in blows.blows {
            self.plan(after, blow);
        }
        let end = self.now() + lasts;
        while self.now() < end && !self.is_broken() {
            self.step(end);
        }
    }

    /// Nothing goes wrong any more: everything comes to its end.
    fn calm(&mut self) {
        self.blows.retain(|_, blow| matches!(blow, Blow::Start(_) | Blow::GoOn(_)));
        {
            let mut world = self.scene.world.lock();
            world.trouble = Default::default();
            (world.store_down_until, world.queue_down_until) = (0, 0);
            world.note("calm", &"");
        }
        self.scene.shared().is_calm = true;
        let begun = self.now();
        let mut quiet_since = None;
        while !self.is_broken() {
            let now = self.now();
            if now > begun + CALM_MAX {
                self.scene.world.lock().violated("the calm does not end".to_owned());
            }
            match (self.is_quiet(), quiet_since) {
                (true, Some(since)) if now > since + QUIET => return,
                (true, None) => {
                    quiet_since = Some(now);
                    self.let_a_week_pass();
                }
                (true, Some(_)) => {}
                (false, _) => quiet_since = None,
            }
            while self.now() < now + SECOND && !self.is_broken() {
                self.step(now + SECOND);
            }
        }
    }

    /// Whoever has not enrolled by now never does, and is waited for no longer than a week.
    fn let_a_week_pass(&self) {
        let waits = |state: &State| matches!(state, State::AwaitingSource);
        let mut world = self.scene.world.lock();
        if world.migrations().iter().any(|migration| waits(&migration.state)) && !self.scene.shared().is_aged
        {
            self.scene.shared().is_aged = true;
            world.note("clock", &"a week passes");
            world.clock_off += 8 * 24 * 3600 * 1_000_000;
        }
    }

    /// Whether everything is at an end, or waits for a person who has been told.
    fn is_quiet(&self) -> bool {
        let is_over = |state: &State| match state {
            State::Queued { .. } | State::Running { .. } => false,
            State::AwaitingSource => !self.scene.shared().is_aged,
            State::Paused { .. } | State::NeedsSupport { .. } => true,
            State::Succeeded | State::Cancelled { .. } | State::Rejected { .. } | State::RolledBack => true,
        };
        let migrations = self.scene.world.lock().migrations();
        let known = self.scene.plans.iter().all(|plan| self.scene.known(&plan.name).migration.is_some());
        known
            && migrations.iter().all(|migration| is_over(&migration.state))
            && untold_cases(&self.scene).is_empty()
    }

    /// One step: the world's next events, then the processes that they concern, in an order drawn anew.
    fn step(&mut self, end: u64) {
        let now = self.now();
        let blow = self.blows.keys().next().map_or(u64::MAX, |(at, _)| *at);
        let event = self.scene.world.next_event().unwrap_or(u64::MAX);
        let next = event.min(blow).min(self.looked + LOOK).min(end.max(now + 1));
        // Processes count in milliseconds.
        let next = next.max(now + 1).div_ceil(1000) * 1000;
        let mut concerned = self.scene.world.advance(next);
        if next >= self.looked + LOOK {
            self.looked = next;
            concerned = self.seats.keys().copied().collect();
        }
        let mut concerned: Vec<ProcessId> = concerned.into_iter().collect();
        concerned.shuffle(&mut self.scene.world.lock().rng);
        for id in concerned {
            if let Some(seat) = self.seats.get_mut(&id) {
                seat.process.run_until(next);
            }
        }
        for panic in crate::PANICS.take() {
            self.scene.world.lock().violated(format!("a process panicked: {panic}"));
        }
        for id in self.scene.world.doomed() {
            self.crash(id);
        }
        self.bury();
        while let Some((at, number)) = self.blows.keys().next().copied().filter(|(at, _)| *at <= next) {
            if let Some(blow) = self.blows.remove(&(at, number)) {
                self.fall(blow);
            }
        }
    }

    /// Processes that ended by themselves are started again.
    fn bury(&mut self) {
        let ended: BTreeSet<ProcessId> =
            self.seats.iter().filter(|(_, seat)| seat.process.has_ended()).map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|id| self.crash(id));
    }

    fn crash(&mut self, id: ProcessId) {
        let Some(mut seat) = self.seats.remove(&id) else { return };
        let (polls, after) = {
            let mut world = self.scene.world.lock();
            world.note("dies", &format_args!("{:?} {}", seat.role, id.0));
            (world.rng.random_range(0..20), world.rng.random_range(50..8_000))
        };
        seat.process.crash(polls);
        self.crashes += 1;
        self.plan(Duration::from_millis(after), Blow::Start(seat.role));
    }

    fn someone(&self) -> Option<ProcessId> {
        let ids: Vec<ProcessId> = self.seats.keys().copied().collect();
        let mut world = self.scene.world.lock();
        (!ids.is_empty()).then(|| ids[world.rng.random_range(0..ids.len())])
    }

    fn fall(&mut self, blow: Blow) {
        match blow {
            Blow::Start(role) => self.start(role),
            Blow::Crash => {
                if let Some(id) = self.someone() {
                    self.crash(id);
                }
            }
            Blow::Drain => {
                if let Some(seat) = self.someone().and_then(|id| self.seats.get_mut(&id)) {
                    seat.drain.cancel();
                    self.scene.world.lock().touch(seat.process.id);
                }
            }
            Blow::Stop(length) => {
                let Some(id) = self.someone() else { return };
                if let Some(seat) = self.seats.get_mut(&id).filter(|seat| !seat.process.is_stopped()) {
                    self.scene.world.lock().note("stops", &format_args!("{:?} {}", seat.role, id.0));
                    seat.process.stop();
                    self.plan(length, Blow::GoOn(id));
                }
            }
            Blow::GoOn(id) => {
                let now = self.now();
                if let Some(seat) = self.seats.get_mut(&id) {
                    self.scene.world.lock().note("goes on", &format_args!("{:?} {}", seat.role, id.0));
                    seat.process.go_on(now);
                }
            }
            Blow::ToTheWorld(blow) => chaos::fall(&self.scene.world, blow),
        }
    }

    /// Whatever a person was told had been done is in the audit.
    fn is_audited(&self, world: &mut Inner) {
        let lines = world.store.events(stream::AUDIT, 0, usize::MAX);
        let mut written: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in lines {
            let body: serde_json::Value = serde_json::from_slice(&line.body).unwrap_or_default();
            let facts = &body["facts"];
            let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
            *written.entry((text("migration"), text("action"))).or_default() += 1;
        }
        let done = self.scene.shared().done.clone();
        for ((migration, action), times) in done {
            let found = written.get(&(migration.clone(), action.clone())).copied().unwrap_or_default();
            if found < times && world.history.rollbacks == 0 {
                world.violated(format!(
                    "{action} of {migration}: {times} were confirmed, {found} are in the audit"
                ));
            }
        }
    }

    /// What has to be true at the end of it all.
    fn last_look(&mut self) {
        let mut world = self.scene.world.lock();
        world.check_everything();
        let forgot = world.history.rollbacks > 0;
        let migrations = world.migrations();
        if migrations.len() > self.scene.plans.len() + self.scene.shared().rivals.len() {
            world.violated("one submission made two migrations".to_owned());
        }
        self.is_audited(&mut world);
        for plan in &self.scene.plans {
            let known = self.scene.known(&plan.name);
            let found = migrations.iter().find(|migration| Some(migration.id) == known.migration);
            let Some(migration) = found else {
                if !forgot {
                    world.violated(format!("{} was accepted and is gone", plan.name));
                }
                continue;
            };
            let live = known.site.and_then(|site| world.destinations.get(&site));
            let live = live.map_or_else(|| vec![OLD_SITE.to_owned()], |site| site.live.clone());
            let is_old = live == [OLD_SITE];
            if migrations.iter().any(|other| other.site == migration.site && other.id != migration.id) {
                continue;
            }
            let prefix = format!("{} ", migration.id);
            let is_new = live.len() == plan.units
                && live.iter().enumerate().all(|(number, unit)| {
                    unit.starts_with(&prefix) && unit.ends_with(&format!(" unit {number}"))
                });
            let is_right = match migration.state {
                State::Succeeded => is_new || (forgot && is_old),
                State::Cancelled { .. } | State::Rejected { .. } | State::RolledBack => {
                    is_old || (forgot && is_new)
                }
                State::AwaitingSource
                | State::Queued { .. }
                | State::Running { .. }
                | State::Paused { .. }
                | State::NeedsSupport { .. } => is_old || is_new,
            };
            if !is_right {
                world.violated(format!(
                    "{} is {}, and {live:?} is live",
                    migration.id,
                    migration.state.name()
                ));
            }
        }
    }
}
