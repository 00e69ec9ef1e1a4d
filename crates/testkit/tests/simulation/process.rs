//! A process: an async runtime of its own, with a clock that the world moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfall_testkit::simulation::ProcessId;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// A process that runs, or is stopped.
#[derive(Debug)]
pub(crate) struct Process {
    /// Which incarnation.
    pub(crate) id: ProcessId,
    runtime: Option<Runtime>,
    /// The world's time at its start, in microseconds.
    born: u64,
    /// Its own clock at its start.
    start: Instant,
    /// How fast its clock runs: 1 is right.
    rate: f64,
    is_stopped: bool,
    has_ended: Arc<AtomicBool>,
}

impl Process {
    /// Starts one at the world's time `now`. Its monotonic clock runs at `rate`; it has no other clock.
    pub(crate) fn start(
        id: ProcessId,
        now: u64,
        rate: f64,
        main: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            // One poll at a time, so that it can die between any two.
            .event_interval(1)
            .build()
            .expect("a runtime without I/O needs nothing");
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = has_ended.clone();
        runtime.spawn(async move {
            main.await;
            ended.store(true, Ordering::Relaxed);
        });
        let start = runtime.block_on(async { Instant::now() });
        Self { id, runtime: Some(runtime), born: now, start, rate, is_stopped: false, has_ended }
    }

    /// Its own clock when the world's is `now`, to the millisecond.
    fn local(&self, now: u64) -> Instant {
        let lived = Duration::from_micros(now.saturating_sub(self.born)).mul_f64(self.rate);
        self.start + Duration::from_millis(u64::try_from(lived.as_millis()).unwrap_or(u64::MAX))
    }

    /// Lets it do everything that it does until the world's time `now`.
    pub(crate) fn run_until(&mut self, now: u64) {
        if self.is_stopped {
            return;
        }
        let until = self.local(now);
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async { tokio::time::sleep_until(until).await });
        }
    }

    /// Lets it do so many polls of what it could do now, and then kills it: nothing of it is left.
    pub(crate) fn crash(&mut self, polls: u32) {
        if let Some(runtime) = self.runtime.take() {
            if !self.is_stopped {
                runtime.block_on(async {
                    for _ in 0..polls {
                        tokio::task::yield_now().await;
                    }
                });
            }
            drop(runtime);
        }
    }

    /// It stands still, as after SIGSTOP. Its clock goes on all the same.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// It goes on, as after SIGCONT: what was ready then is looked at first, with a clock that has jumped.
    pub(crate) fn go_on(&mut self, now: u64) {
        self.is_stopped = false;
        let until = self.local(now);
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async {
                let slept = until.saturating_duration_since(Instant::now());
                tokio::time::advance(slept).await;
            });
        }
    }

    /// Whether it stands still.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Whether its main task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}
