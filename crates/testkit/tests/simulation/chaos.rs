//! What befalls a run besides the network's own trouble.

use std::time::Duration;

use landfall_testkit::simulation::{ProcessId, World};
use rand::Rng;

use crate::roles::Role;

/// Something that happens to processes or to servers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blow {
    /// A process starts.
    Start(Role),
    /// One dies, in the midst of what it does.
    Crash,
    /// One is asked to end.
    Drain,
    /// One stands still, as after SIGSTOP.
    Stop(Duration),
    /// One that stood still goes on.
    GoOn(ProcessId),
    /// To a server.
    ToTheWorld(ToTheWorld),
}

/// Something that happens to servers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ToTheWorld {
    StoreAway(Duration),
    BrokerAway(Duration),
    /// All connections to the broker break.
    ConnectionsBreak,
    /// All queues are deleted, and made again empty.
    QueuesDeleted,
    /// In so long, the store is as it is now.
    Rollback(Duration),
    /// The store's clock jumps ahead.
    Ahead(Duration),
    /// The store's clock jumps back.
    Back(Duration),
}

/// The blows of a run.
pub(crate) struct Blows {
    /// Microseconds of the storm.
    pub(crate) lasts: u64,
    pub(crate) blows: Vec<(Duration, Blow)>,
}

/// Draws them: some runs have none of a kind, some many.
pub(crate) fn draw(rng: &mut impl Rng) -> Blows {
    let lasts = rng.random_range(60_000..900_000);
    let mut blows = Vec::new();
    let kinds: [fn(u64) -> Blow; 10] = [
        |_| Blow::Crash,
        |_| Blow::Drain,
        |ms| Blow::Stop(Duration::from_millis(ms)),
        |ms| Blow::ToTheWorld(ToTheWorld::StoreAway(Duration::from_millis(ms / 2))),
        |ms| Blow::ToTheWorld(ToTheWorld::BrokerAway(Duration::from_millis(ms))),
        |_| Blow::ToTheWorld(ToTheWorld::ConnectionsBreak),
        |_| Blow::ToTheWorld(ToTheWorld::QueuesDeleted),
        |ms| Blow::ToTheWorld(ToTheWorld::Rollback(Duration::from_millis(ms % 1000 + 1))),
        |ms| Blow::ToTheWorld(ToTheWorld::Ahead(Duration::from_millis(ms * 20))),
        |ms| Blow::ToTheWorld(ToTheWorld::Back(Duration::from_millis(ms / 10))),
    ];
    for kind in kinds {
        let times = if rng.random_bool(0.4) { rng.random_range(0..6) } else { 0 };
        for _ in 0..times {
            let at = Duration::from_millis(rng.random_range(2_000..lasts));
            blows.push((at, kind(rng.random_range(100..90_000))));
        }
    }
    Blows { lasts: lasts * 1000, blows }
}

/// Lets a blow fall on a server.
pub(crate) fn fall(world: &World, blow: ToTheWorld) {
    let mut world = world.lock();
    world.note("blow", &format_args!("{blow:?}"));
    let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or_default();
    match blow {
        ToTheWorld::StoreAway(length) => world.store_down_until = world.now() + micros(length),
        ToTheWorld::BrokerAway(length) => {
            world.queue_down_until = world.now() + micros(length);
            world.break_connections(length);
        }
        ToTheWorld::ConnectionsBreak => world.break_connections(Duration::from_millis(300)),
        ToTheWorld::QueuesDeleted => {
            let is_new_epoch = world.happens(0.5);
            world.delete_queues(is_new_epoch);
        }
        ToTheWorld::Rollback(length) => {
            // A clock that is behind hands out tokens by counting, and what was counted is lost with a rollback: two
            // faults at once are one more than the design survives by its tokens alone.
            if world.clock_off < world.clock_off_max {
                return;
            }
            let backup = world.store.clone();
            world.plan(length, move |world| {
                if world.clock_off >= world.clock_off_max {
                    world.note("blow", &"the store is rolled back");
                    world.store = backup;
                    world.rolled_back();
                }
            });
        }
        ToTheWorld::Ahead(length) => {
            world.clock_off += micros(length).cast_signed();
            world.clock_off_max = world.clock_off_max.max(world.clock_off);
        }
        ToTheWorld::Back(length) => world.clock_off -= micros(length).cast_signed(),
    }
}
