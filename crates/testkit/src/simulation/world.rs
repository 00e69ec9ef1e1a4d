//! The world: its time, its calendar of events, its one source of chance, its network, and what was wrong.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_common::{SiteId, StoreTime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::destination::Destination;
use super::invariants::History;
use super::queue::QueueModel;
use super::staging::StagingModel;
use super::store::StoreModel;
use super::trouble::{Sabotage, Trouble};

/// When the world begins, in microseconds since 1970.
const BEGINNING: u64 = 1_700_000_000_000_000;
/// How long a caller waits for an answer.
const CALL_MAX: Duration = Duration::from_secs(5);
/// Lines of the log that are kept; a run that fails shows them.
const LOG_MAX: usize = 400;

thread_local! {
    static IDS: RefCell<(u64, StdRng)> = RefCell::new((0, StdRng::seed_from_u64(0)));
}

/// Draws an id: ordered by the world's time, the rest by chance, the same for the same seed. A world belongs to its
/// thread, so that this can be handed to [`landfall_common::records::Records`] as it is.
pub fn draw_id() -> Uuid {
    IDS.with_borrow_mut(|(now, rng)| {
        let millis = (BEGINNING + *now) / 1000;
        uuid::Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid()
    })
}

/// One incarnation of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// There was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated network brought no answer")]
pub struct Lost;

type Event = Box<dyn FnOnce(&mut Inner) + Send>;

struct Planned {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What is in the world.
pub struct Inner {
    /// Microseconds since the beginning.
    now: u64,
    /// Set where the world follows the real clock and answers at once: for the ports' conformance suites.
    direct: Option<Instant>,
    planned: BinaryHeap<Reverse<Planned>>,
    planned_last: u64,
    /// The source of all chance.
    pub rng: StdRng,
    /// What goes wrong on the way.
    pub trouble: Trouble,
    /// What breaks its contract, in a run that has to fail.
    pub sabotage: Option<Sabotage>,
    /// How far the store's clock is off, in microseconds.
    pub clock_off: i64,
    /// The furthest ahead that it has been.
    pub clock_off_max: i64,
    /// The store.
    pub store: StoreModel,
    /// The queue.
    pub queue: QueueModel,
    /// The staging storage.
    pub(super) staging: StagingModel,
    /// Destinations by site.
    pub destinations: BTreeMap<SiteId, Destination>,
    /// What the invariants remember.
    pub history: History,
    /// Until when the store refuses calls.
    pub store_down_until: u64,
    /// Until when the broker refuses calls.
    pub queue_down_until: u64,
    touched: BTreeSet<ProcessId>,
    doomed: BTreeSet<ProcessId>,
    trace: DefaultHasher,
    log: Option<Vec<String>>,
}

impl Inner {
    /// Microseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The present by the store's clock.
    pub fn store_now(&self) -> StoreTime {
        StoreTime((BEGINNING + self.now).saturating_add_signed(self.clock_off))
    }

    /// Whether something happens that does with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }

    /// Plans an event for `after` from now.
    pub fn plan(&mut self, after: Duration, event: impl FnOnce(&mut Inner) + Send + 'static) {
        self.planned_last += 1;
        let at = self.now + u64::try_from(after.as_micros()).unwrap_or(u64::MAX / 4);
        self.planned.push(Reverse(Planned { at, number: self.planned_last, event: Box::new(event) }));
    }

    /// A process has something to do.
    pub fn touch(&mut self, process: ProcessId) {
        self.touched.insert(process);
    }

    /// Notes what happened: everything that is noted makes the trace of a run.
    pub fn note(&mut self, what: &str, detail: &dyn std::fmt::Display) {
        if self.direct.is_some() {
            return;
        }
        let line = format!("{:>13} {what} {detail}", self.now);
        line.hash(&mut self.trace);
        if let Some(log) = &mut self.log {
            if log.len() >= 2 * LOG_MAX {
                log.drain(..LOG_MAX);
            }
            log.push(line);
        }
    }

    /// An invariant does not hold.
    pub fn violated(&mut self, what: String) {
        self.note("VIOLATED", &what);
        self.history.violations.push(what);
    }

    /// The process dies at the next occasion.
    pub fn doom(&mut self, process: ProcessId) {
        self.doomed.insert(process);
    }

    pub(super) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    fn latency(&mut self) -> Duration {
        if self.happens(self.trouble.slow) {
            return Duration::from_micros(self.rng.random_range(5_000..3_000_000));
        }
        Duration::from_micros(self.rng.random_range(100..2_000))
    }

    fn send<T: Send + 'static>(
        &mut self,
        from: ProcessId,
        takes: Duration,
        action: impl FnOnce(&mut Inner) -> Result<T, Lost> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        let there = self.latency();
        if self.happens(self.trouble.refused) {
            self.plan(there, move |world| world.hang_up(from, answer));
        } else if self.happens(self.trouble.request_lost) {
            self.plan(CALL_MAX * 2, move |world| world.hang_up(from, answer));
        } else {
            self.plan(there + takes, move |world| match action(world) {
                Err(Lost) => world.hang_up(from, answer),
                Ok(_) if world.happens(world.trouble.reply_lost) => {
                    let silent = world.rng.random_bool(0.5);
                    let after = if silent { CALL_MAX * 2 } else { world.latency() };
                    world.plan(after, move |world| world.hang_up(from, answer));
                }
                Ok(value) => {
                    let back = world.latency();
                    world.plan(back, move |world| {
                        world.touch(from);
                        let _ = answer.send(value);
                    });
                }
            });
        }
        answered
    }

    fn hang_up<T>(&mut self, process: ProcessId, answer: oneshot::Sender<T>) {
        self.touch(process);
        drop(answer);
    }
}

/// The world. Clones share it.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// A world that follows its own calendar. `with_log` keeps the last lines of what happens.
    pub fn new(seed: u64, with_log: bool) -> Self {
        IDS.set((0, StdRng::seed_from_u64(seed ^ 0x1d5)));
        Self::make(seed, None, with_log)
    }

    /// A world that follows the real clock, where nothing goes wrong: for conformance suites.
    pub fn direct() -> Self {
        Self::make(0, Some(Instant::now()), false)
    }

    fn make(seed: u64, direct: Option<Instant>, with_log: bool) -> Self {
        let inner = Inner {
            now: 0,
            direct,
            planned: BinaryHeap::new(),
            planned_last: 0,
            rng: StdRng::seed_from_u64(seed),
            trouble: Trouble::default(),
            sabotage: None,
            clock_off: 0,
            clock_off_max: 0,
            store: StoreModel::default(),
            queue: QueueModel::default(),
            staging: StagingModel::default(),
            destinations: BTreeMap::new(),
            history: History::default(),
            store_down_until: 0,
            queue_down_until: 0,
            touched: BTreeSet::new(),
            doomed: BTreeSet::new(),
            trace: DefaultHasher::new(),
            log: with_log.then(Vec::new),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// What is in it.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = inner.direct {
            inner.now = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        }
        inner
    }

    /// When the next event is planned, in microseconds since the beginning.
    pub fn next_event(&self) -> Option<u64> {
        self.lock().planned.peek().map(|Reverse(planned)| planned.at)
    }

    /// Moves the time to `until`, through all events before it. Returns the processes that have something to do.
    pub fn advance(&self, until: u64) -> BTreeSet<ProcessId> {
        loop {
            let mut inner = self.lock();
            let Some(Reverse(next)) = inner.planned.peek().filter(|Reverse(next)| next.at <= until) else {
                inner.now = until;
                IDS.with_borrow_mut(|(now, _)| *now = until);
                return std::mem::take(&mut inner.touched);
            };
            inner.now = inner.now.max(next.at);
            if let Some(Reverse(next)) = inner.planned.pop() {
                (next.event)(&mut inner);
            }
        }
    }

    /// Processes that asked for their death.
    pub fn doomed(&self) -> BTreeSet<ProcessId> {
        std::mem::take(&mut self.lock().doomed)
    }

    /// The network as one process sees it.
    pub fn network(&self, process: ProcessId) -> Network {
        Network { world: self.clone(), process }
    }

    /// What stands for everything that happened so far: equal for equal runs.
    pub fn trace(&self) -> u64 {
        self.lock().trace.finish()
    }

    /// The last lines of what happened, where they were kept.
    pub fn log(&self) -> Vec<String> {
        let inner = self.lock();
        let lines = inner.log.as_deref().unwrap_or_default();
        lines[lines.len().saturating_sub(LOG_MAX)..].to_vec()
    }
}

/// The way from a process to everything else.
#[derive(Debug, Clone)]
pub struct Network {
    world: World,
    process: ProcessId,
}

impl Network {
    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Whose network it is.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Has `action` done elsewhere and waits for the answer. Once asked for it may be done although the caller is gone,
    /// and without the caller learning of it.
    pub async fn call<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Inner) -> Result<T, Lost> + Send + 'static,
    ) -> Result<T, Lost> {
        self.slow_call(Duration::ZERO, CALL_MAX, action).await
    }

    /// The same for what `takes` its time, with a limit of the caller's.
    pub async fn slow_call<T: Send + 'static>(
        &self,
        takes: Duration,
        limit: Duration,
        action: impl FnOnce(&mut Inner) -> Result<T, Lost> + Send + 'static,
    ) -> Result<T, Lost> {
        let answered = {
            let mut inner = self.world.lock();
            if inner.is_direct() {
                return action(&mut inner);
            }
            inner.send(self.process, takes, action)
        };
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_hung_up)) => Err(Lost),
            Err(_elapsed) => Err(Lost),
        }
    }
}
