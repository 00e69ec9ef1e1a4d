//! Watching over one queue, and rebuilding it where the broker has kept its name and lost what makes it work.
//!
//! A broker that is killed within half a second of a quorum queue's declaration may come back with one of two wrecks
//! (both seen on 3.10; neither ever mends itself):
//!
//! - *hollow*, where the queue had been deleted just before: the queue's record without its Raft server ("could not be
//!   restarted {error,enoent}", as the directory of servers goes to disk every half second). It can be declared, but
//!   `basic.consume` ends the whole connection with 541, and every publish is nacked.
//! - *leaderless*: a Raft server that forgot its election (a follower in term 0 that waits to be told of a leader). It
//!   can be declared, but nothing else about it is answered for 65 s, and then with a 541 or a nack.
//!
//! `queue.delete` takes both away, and a new declaration makes a sound queue. What such a queue held is lost already, and
//! is published again out of the store.
//!
//! Nothing is deleted on suspicion, as a 541, a nack or silence may have other causes: an outage, a queue at its limit,
//! an election. So after failures in a row the broker is asked for one message on a connection that nobody else needs.
//! The answer `noproc` says hollow; none within [`ELECTION_LIMIT`], while the connection answers all else, says
//! leaderless. (So does a cluster that has lost its majority for so long; a queue rebuilt on what is left serves then.)

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_common::wire::QueueName;
use lapin::options::{BasicGetOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::types::ShortString;
use lapin::{Connection, ErrorKind};

use super::link::{CONNECT_LIMIT, Connector};
use super::{ANSWER_LIMIT, declare, is_missing};

/// Failures in a row before the broker is asked.
pub(super) const FAILURES_MAX: u32 = 3;
/// A queue that has no leader for longer than this gets none.
const ELECTION_LIMIT: Duration = Duration::from_secs(20);
/// A queue without a leader is deleted by force after 5 s.
const REBUILD_LIMIT: Duration = Duration::from_secs(20);
/// Many processes see a queue fail at once; the first to ask repairs it, and the others find it well.
const SPREAD: Duration = Duration::from_secs(1);
const REPAIR_INTERVAL: Duration = Duration::from_secs(60);
/// How long consumers leave a queue alone that cannot be helped: each try costs all of them their connection.
const REST: Duration = Duration::from_secs(5);
/// How long a queue that was found well is not asked again: the answer takes a message out and puts it back.
const TRUST: Duration = Duration::from_secs(30);

/// What is known of one queue's health in this process.
pub(super) struct Ward {
    queue: QueueName,
    name: ShortString,
    connector: Connector,
    state: Mutex<State>,
    /// Held while the queue is examined and rebuilt.
    examining: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    failures: u32,
    trusted_until: Option<Instant>,
    rests_until: Option<Instant>,
    repaired: Option<Instant>,
    /// Attempts to rebuild it that failed, in a row.
    not_rebuilt: u32,
}

/// What an examination came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// The queue gives messages, or is not there and can be declared.
    Well,
    Wreck(Wreck),
}

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wreck {
    Hollow,
    Leaderless,
}

impl Wreck {
    const fn as_str(self) -> &'static str {
        match self {
            Wreck::Hollow => "hollow",
            Wreck::Leaderless => "leaderless",
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WardError {
    #[error("the broker cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the broker does not answer")]
    Silence(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Broker(#[from] lapin::Error),
}

impl std::fmt::Debug for Ward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The connector holds the password.
        f.debug_struct("Ward").field("queue", &self.name).finish_non_exhaustive()
    }
}

impl Ward {
    pub(super) fn new(queue: QueueName, name: ShortString, connector: Connector) -> Self {
        Self { queue, name, connector, state: Mutex::default(), examining: tokio::sync::Mutex::default() }
    }

    /// The queue's name at the broker.
    pub(super) fn name(&self) -> ShortString {
        self.name.clone()
    }

    /// Says that the queue did what it is for.
    pub(super) fn well(&self) {
        let mut state = self.state();
        (state.failures, state.not_rebuilt) = (0, 0);
    }

    /// Returns when there is no reason to leave this queue alone.
    pub(super) async fn rested(&self) {
        drop(self.examining.lock().await);
        tokio::time::sleep(self.rest()).await;
    }

    fn rest(&self) -> Duration {
        let until = self.state().rests_until;
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Says that the queue failed so often although the broker answers. The one who completes a row returns once the
    /// queue was examined and, where that helps, rebuilt; the others at once.
    pub(super) async fn complain(&self, failures: u32) {
        let Some(_examining) = self.begin(failures) else { return };
        tokio::time::sleep(SPREAD.mul_f64(rand::random())).await;
        match self.examine().await {
            Ok(Finding::Well) => self.state().trusted_until = Some(Instant::now() + TRUST),
            Ok(Finding::Wreck(wreck)) => self.repair(wreck).await,
            // Whatever it was, the broker is away now, and that has its own cure.
            Err(error @ WardError::Unreachable(_)) => {
                tracing::debug!(queue.name = %self.name, error = &error as &dyn std::error::Error, "cannot ask for a queue")
            }
            Err(error @ (WardError::Silence(_) | WardError::Broker(_))) => {
                tracing::warn!(
                    queue.name = %self.name,
                    error = &error as &dyn std::error::Error,
                    "the broker cannot serve a queue; trying again"
                );
                self.let_rest(REST);
            }
        }
    }

    /// Counts failures; `Some` to the one who shall examine.
    fn begin(&self, failures: u32) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(failures);
        let now = Instant::now();
        let is_in_vain =
            [state.trusted_until, state.rests_until].into_iter().flatten().any(|until| now < until);
        if state.failures < FAILURES_MAX || is_in_vain {
            return None;
        }
        let examining = self.examining.try_lock().ok()?;
        state.failures = 0;
        Some(examining)
    }

    /// Asks for one message. It goes back to its place with the end of the connection.
    async fn examine(&self) -> Result<Finding, WardError> {
        let connection = self.connect().await?;
        let found = self.ask(&connection).await;
        close(connection).await;
        found
    }

    async fn ask(&self, connection: &Connection) -> Result<Finding, WardError> {
        let channel = tokio::time::timeout(ANSWER_LIMIT, connection.create_channel()).await??;
        let get = channel.basic_get(self.name(), BasicGetOptions::default());
        match tokio::time::timeout(ELECTION_LIMIT, get).await {
            Ok(Ok(_)) => Ok(Finding::Well),
            Ok(Err(error)) if is_missing(&error) => Ok(Finding::Well),
            Ok(Err(error)) if says_hollow(&error) => Ok(Finding::Wreck(Wreck::Hollow)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                // Only the queue is silent, or the broker altogether?
                let _ = tokio::time::timeout(ANSWER_LIMIT, connection.create_channel()).await??;
                Ok(Finding::Wreck(Wreck::Leaderless))
            }
        }
    }

    async fn repair(&self, wreck: Wreck) {
        let last = self.state().repaired.map(|repaired| repaired.elapsed());
        if let Some(left) = last.and_then(|last| REPAIR_INTERVAL.checked_sub(last)) {
            tracing::warn!(queue.name = %self.name, wreck = wreck.as_str(), "a queue is a wreck again so soon; it is rebuilt later");
            return self.let_rest(left);
        }
        match self.rebuild().await {
            Ok(()) => {
                self.state().repaired = Some(Instant::now());
                metrics::counter!(
                    "landfall_queue_repairs_total",
                    "queue" => self.queue.as_str(),
                    "wreck" => wreck.as_str(),
                )
                .increment(1);
                tracing::warn!(
                    queue.name = %self.name,
                    wreck = wreck.as_str(),
                    "rebuilt a queue that could serve nobody any more; its tickets are published again"
                );
            }
            Err(error) => self.not_rebuilt(wreck, &error),
        }
    }

    /// Two processes that rebuild a queue in the same moment get in each other's way once; only a second failure in a
    /// row needs a person.
    fn not_rebuilt(&self, wreck: Wreck, error: &WardError) {
        let error: &dyn std::error::Error = error;
        let times = {
            let mut state = self.state();
            state.not_rebuilt = state.not_rebuilt.saturating_add(1);
            state.not_rebuilt
        };
        if times == 1 {
            let (queue, wreck) = (&self.name, wreck.as_str());
            tracing::warn!(queue.name = %queue, wreck, error, "a queue was not rebuilt; looking again");
            return self.let_rest(SPREAD);
        }
        tracing::error!(
            queue.name = %self.name,
            wreck = wreck.as_str(),
            error,
            "a queue can serve nobody any more and cannot be rebuilt from here; run `rabbitmqctl delete_queue {}`",
            self.name,
        );
        self.let_rest(REST);
    }

    async fn rebuild(&self) -> Result<(), WardError> {
        let connection = self.connect().await?;
        let replace = async {
            let channel = connection.create_channel().await?;
            // Quorum queues know neither `if-unused` nor `if-empty`.
            channel.queue_delete(self.name(), QueueDeleteOptions::default()).await?;
            declare(&channel, self.name()).await
        };
        let replaced = tokio::time::timeout(REBUILD_LIMIT, replace).await;
        close(connection).await;
        Ok(replaced??)
    }

    async fn connect(&self) -> Result<Connection, WardError> {
        match tokio::time::timeout(CONNECT_LIMIT, self.connector.connect()).await {
            Ok(connected) => connected.map_err(|error| WardError::Unreachable(Box::new(error))),
            Err(elapsed) => Err(WardError::Unreachable(Box::new(elapsed))),
        }
    }

    fn let_rest(&self, rest: Duration) {
        self.state().rests_until = Some(Instant::now() + rest);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(connection: Connection) {
    let _ = tokio::time::timeout(ANSWER_LIMIT, connection.close(200, "OK".into())).await;
}

/// Whether the broker ended the connection because something within it failed (541).
pub(super) fn is_internal(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR)))
}

/// `Cannot get a message from queue 'queue 'x' in vhost '/'': noproc`: the queue's Raft server does not exist.
fn says_hollow(error: &lapin::Error) -> bool {
    is_internal(error)
        && matches!(error.kind(), ErrorKind::ProtocolError(error)
        if error.get_message().as_str().ends_with(": noproc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::RabbitOptions;

    fn ward() -> Ward {
        let connector =
            Connector::new(&RabbitOptions::new("amqp://u:hunter2@127.0.0.1:1/%2f"), "test").unwrap();
        Ward::new(QueueName::Support, "q".into(), connector)
    }

    #[test]
    fn only_failures_in_a_row_call_for_one_examination() {
        let ward = ward();
        assert!(ward.begin(2).is_none());
        ward.well();
        assert!(ward.begin(2).is_none());
        let examining = ward.begin(1);
        assert!(examining.is_some());
        assert!(ward.begin(100).is_none(), "one at a time");
        drop(examining);
        assert!(ward.begin(3).is_some());
    }

    #[test]
    fn a_queue_that_rests_or_was_found_well_is_not_examined() {
        let ward = ward();
        ward.let_rest(REST);
        assert!(ward.rest() > Duration::ZERO);
        assert!(ward.begin(FAILURES_MAX).is_none());
        let now = Instant::now();
        *ward.state() = State { trusted_until: Some(now + TRUST), ..State::default() };
        assert!(ward.begin(FAILURES_MAX).is_none());
        *ward.state() = State { trusted_until: Some(now), rests_until: Some(now), ..State::default() };
        assert_eq!(ward.rest(), Duration::ZERO);
        assert!(ward.begin(FAILURES_MAX).is_some());
    }

    #[tokio::test]
    async fn a_queue_that_was_rebuilt_within_the_minute_rests_until_it_is_over() {
        let ward = ward();
        ward.state().repaired = Some(Instant::now());
        ward.repair(Wreck::Hollow).await;
        assert!(ward.rest() > REPAIR_INTERVAL / 2, "{:?}", ward.rest());
    }

    #[test]
    fn debug_output_keeps_the_password() {
        assert!(!format!("{:?}", ward()).contains("hunter2"));
    }
}
