//! How hard a source is asked: additive increase, multiplicative decrease, over all readers of a client.
//!
//! What adapts is the work per request (time and bytes, which the plugin keeps to) and the number of requests at once.
//! A source that answers well gets a little more with each answer; an error, or an answer that took far longer to begin
//! than usual, halves everything. So a busy site is left alone without sleeping half of the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::endpoint::SourceLimits;
use super::error::SourceError;

const TIME_MS: Range = Range { least: 250, first: 2500, most: 5000, step: 500 };
const BYTES: Range = Range { least: 512 << 10, first: 16 << 20, most: 64 << 20, step: 8 << 20 };

/// Longest wait for a turn. A caller may hold several answers open and be slow to read them: the pace is a courtesy to
/// the source, and must not stop anybody for good.
const TURN_MAX: Duration = Duration::from_secs(5);

/// Data is compressed where it comes slower than this: compressing costs the source about a second per 90 MB.
const DEFLATE_BELOW_BYTES_PER_S: f64 = 12e6;

/// An answer has to be this long to say something about the link.
const MEASURED_BYTES_MIN: u64 = 1 << 20;

/// Answers in a row after which one more request at once is tried.
const GOOD_ANSWERS: u32 = 6;

struct Range {
    least: u64,
    first: u64,
    most: u64,
    step: u64,
}

/// The pace of one source.
#[derive(Debug)]
pub(crate) struct Pace {
    gate: Arc<Semaphore>,
    state: Mutex<State>,
    parallel_max: usize,
}

#[derive(Debug)]
struct State {
    parallel: usize,
    /// Permits to be withheld when they come back.
    debt: usize,
    time_ms: u64,
    bytes: u64,
    good: u32,
    usual: Option<Duration>,
    deflate: bool,
}

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) time_ms: u64,
    pub(crate) bytes: u64,
    /// Whether compression pays.
    pub(crate) deflate: bool,
}

/// The right to have one request under way.
#[derive(Debug)]
pub(crate) struct Permit {
    pace: Arc<Pace>,
    permit: Option<OwnedSemaphorePermit>,
    /// What the request may ask for.
    pub(crate) allowance: Allowance,
}

impl Pace {
    pub(crate) fn new(parallel_max: usize) -> Arc<Self> {
        let parallel = parallel_max.clamp(1, 2);
        Arc::new(Self {
            gate: Arc::new(Semaphore::new(parallel)),
            state: Mutex::new(State {
                parallel,
                debt: 0,
                time_ms: TIME_MS.first,
                bytes: BYTES.first,
                good: 0,
                usual: None,
                deflate: false,
            }),
            parallel_max: parallel_max.max(1),
        })
    }

    /// Waits for the turn of one more request, but not for ever.
    pub(crate) async fn permit(self: &Arc<Self>) -> Permit {
        let turn = tokio::time::timeout(TURN_MAX, Arc::clone(&self.gate).acquire_owned()).await;
        let permit = turn.ok().map(|permit| permit.expect("the gate is never closed"));
        let state = self.lock();
        let allowance = Allowance { time_ms: state.time_ms, bytes: state.bytes, deflate: state.deflate };
        drop(state);
        Permit { pace: Arc::clone(self), permit, allowance }
    }

    /// For the first exchange, which runs within the turn of another request.
    pub(crate) fn spare_permit(self: &Arc<Self>) -> Permit {
        let allowance = Allowance { time_ms: TIME_MS.first, bytes: BYTES.first, deflate: false };
        Permit { pace: Arc::clone(self), permit: None, allowance }
    }

    /// An answer ended well; it had begun after `first_byte`.
    pub(crate) fn went_well(&self, first_byte: Duration) {
        let mut state = self.lock();
        let usual = *state.usual.get_or_insert(first_byte);
        if first_byte > usual * 4 + Duration::from_secs(1) {
            state.usual = Some(usual + first_byte / 8);
            self.ease(&mut state);
            return;
        }
        state.usual = Some((usual * 7 + first_byte) / 8);
        state.time_ms = (state.time_ms + TIME_MS.step).min(TIME_MS.most);
        state.bytes = (state.bytes + BYTES.step).min(BYTES.most);
        state.good += 1;
        if state.good >= GOOD_ANSWERS && state.parallel < self.parallel_max {
            state.good = 0;
            state.parallel += 1;
            if state.debt > 0 {
                state.debt -= 1;
            } else {
                self.gate.add_permits(1);
            }
        }
    }

    /// What an answer says about the link: bytes on the wire, and the time spent waiting for them.
    pub(crate) fn measured(&self, bytes: u64, waited: Duration) {
        if bytes >= MEASURED_BYTES_MIN {
            let mut state = self.lock();
            // Compressed bytes say less about a link: once it was slow, it stays compressed.
            state.deflate |= (bytes as f64) < DEFLATE_BELOW_BYTES_PER_S * waited.as_secs_f64();
        }
    }

    /// A request failed.
    pub(crate) fn went_badly(&self) {
        self.ease(&mut self.lock());
    }

    fn ease(&self, state: &mut State) {
        state.good = 0;
        state.time_ms = (state.time_ms / 2).max(TIME_MS.least);
        state.bytes = (state.bytes / 2).max(BYTES.least);
        let parallel = (state.parallel / 2).max(1);
        state.debt += state.parallel - parallel;
        state.parallel = parallel;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

/// Repeats a request that failed in passing, with growing waits, until the limit of failures in a row.
#[derive(Debug)]
pub(crate) struct Repeats {
    failures: u32,
    limits: Arc<SourceLimits>,
}

impl Repeats {
    pub(crate) fn new(limits: Arc<SourceLimits>) -> Self {
        Self { failures: 0, limits }
    }

    /// There was progress: the count starts anew.
    pub(crate) fn progress(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next attempt, or gives the error back when another one makes no sense.
    pub(crate) async fn after(&mut self, error: SourceError) -> Result<(), SourceError> {
        let asked = error.retry_after();
        let is_too_long = asked.is_some_and(|wait| wait > self.limits.wait_max);
        if !error.is_passing() || is_too_long || self.failures >= self.limits.repeats {
            return Err(error);
        }
        let doubled = self.limits.backoff * 2_u32.saturating_pow(self.failures.min(8));
        let jitter = rand::rng().random_range(0.75..1.25);
        self.failures += 1;
        tracing::debug!(
            error.code = error.code(),
            failures = self.failures,
            "repeating a request to the source"
        );
        tokio::time::sleep(doubled.mul_f64(jitter).max(asked.unwrap_or_default())).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn good_answers_raise_and_errors_halve_the_load() {
        let pace = Pace::new(4);
        let first = pace.permit().await.allowance;
        for _ in 0..40 {
            pace.went_well(Duration::from_millis(50));
        }
        assert_eq!(pace.gate.available_permits(), 4);
        let raised = pace.permit().await.allowance;
        assert!(raised.time_ms == TIME_MS.most && raised.bytes == BYTES.most && raised.bytes > first.bytes);
        pace.went_badly();
        assert_eq!(pace.permit().await.allowance.time_ms, TIME_MS.most / 2);
        for _ in 0..4 {
            drop(pace.permit().await);
        }
        assert_eq!(pace.gate.available_permits(), 2, "permits are withheld as they come back");
        for _ in 0..20 {
            pace.went_badly();
            drop(pace.permit().await);
        }
        assert_eq!(pace.gate.available_permits(), 1, "one request at a time is always possible");
        let least = Allowance { time_ms: TIME_MS.least, bytes: BYTES.least, deflate: false };
        assert_eq!(pace.permit().await.allowance, least);
    }

    #[tokio::test]
    async fn an_answer_that_begins_much_later_than_usual_counts_as_load() {
        let pace = Pace::new(2);
        pace.went_well(Duration::from_millis(50));
        let before = pace.permit().await.allowance.time_ms;
        pace.went_well(Duration::from_secs(5));
        assert!(pace.permit().await.allowance.time_ms < before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_holds_every_turn_is_not_stopped_for_good() {
        let pace = Pace::new(1);
        let _held = pace.permit().await;
        assert!(pace.permit().await.permit.is_none());
    }

    #[tokio::test]
    async fn compression_is_for_slow_links() {
        let pace = Pace::new(1);
        pace.measured(64 << 20, Duration::from_secs(1));
        pace.measured(1000, Duration::from_secs(1));
        assert!(!pace.spare_permit().allowance.deflate && !pace.permit().await.allowance.deflate);
        pace.measured(4 << 20, Duration::from_secs(1));
        assert!(pace.permit().await.allowance.deflate);
    }

    #[tokio::test]
    async fn repeats_end_and_lasting_errors_are_not_repeated() {
        let limits =
            Arc::new(SourceLimits { backoff: Duration::ZERO, repeats: 2, ..SourceLimits::default() });
        let mut repeats = Repeats::new(Arc::clone(&limits));
        assert!(repeats.after(SourceError::BasicAuth).await.is_err());
        assert!(repeats.after(SourceError::CutOff).await.is_ok());
        assert!(repeats.after(SourceError::CutOff).await.is_ok());
        assert!(repeats.after(SourceError::CutOff).await.is_err());
        repeats.progress();
        assert!(repeats.after(SourceError::CutOff).await.is_ok());
        let long = SourceError::RateLimited { retry_after: Some(Duration::from_secs(600)) };
        assert!(repeats.after(long).await.is_err(), "a long wait is the caller's to plan");
    }
}
