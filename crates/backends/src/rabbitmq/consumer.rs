//! Consuming: a task of its own keeps each consumer subscribed, whether or not anybody waits for a message.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use landfall_common::ports::{Consumer, Delivery};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::link::{Link, Live};
use super::ward::{FAILURES_MAX, Ward, is_internal};
use super::{ANSWER_LIMIT, declare};

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(2);
const ONE_AT_A_TIME: u16 = 1;
/// A queue that is deleted and declared again at once, as publishers do, may leave its former consumers without a word
/// (seen on 3.10). So one that hears nothing asks this often whether messages wait, and subscribes anew when they did
/// this many times in a row.
const DOUBT_INTERVAL: Duration = Duration::from_secs(2);
const DOUBTS_MAX: u32 = 2;

/// A consumer; its subscription ends when it is dropped.
pub(super) struct RabbitConsumer {
    shared: Arc<Shared>,
    _stop_on_drop: DropGuard,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrivals: Notify,
}

#[derive(Default)]
struct State {
    is_consuming: bool,
    /// The message that came and was not asked for yet. With a prefetch of 1 there is never a second.
    arrived: Option<RabbitDelivery>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RabbitConsumer {
    pub(super) fn start(link: Link, ward: Arc<Ward>) -> (Self, Presence) {
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let subscription = Subscription { link, ward, shared: Arc::clone(&shared), stop: stop.clone() };
        tokio::spawn(subscription.run());
        let presence = Presence { shared: Arc::downgrade(&shared), stop: stop.clone() };
        (Self { shared, _stop_on_drop: stop.drop_guard() }, presence)
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Box<dyn Delivery> {
        loop {
            let arrival = self.shared.arrivals.notified();
            if let Some(delivery) = self.shared.state().arrived.take() {
                return Box::new(delivery);
            }
            arrival.await;
        }
    }

    fn is_connected(&self) -> bool {
        self.shared.state().is_consuming
    }
}

/// Tells of a consumer that its owner keeps.
#[derive(Debug)]
pub(super) struct Presence {
    shared: Weak<Shared>,
    stop: CancellationToken,
}

impl Presence {
    /// Whether the consumer is wanted no more.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.shared.strong_count() == 0
    }

    /// Whether it would receive a message now.
    pub(super) fn is_connected(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.state().is_consuming)
    }
}

struct Subscription {
    link: Link,
    ward: Arc<Ward>,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Subscription {
    /// Subscribes again and again: after an outage, after the queue was deleted, after the broker cancelled it.
    async fn run(self) {
        let mut delay = DELAY_MIN;
        while !self.stop.is_cancelled() {
            let began = Instant::now();
            match self.turn().await {
                Ok(()) => tracing::debug!(queue.name = %self.ward.name(), "a subscription has ended"),
                Err(error) => {
                    tracing::warn!(queue.name = %self.ward.name(), %error, "cannot consume");
                    self.complain(&error).await;
                }
            }
            if began.elapsed() > DELAY_MAX {
                delay = DELAY_MIN;
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = async {
                    tokio::time::sleep(delay.mul_f64(rand::random())).await;
                    self.ward.rested().await;
                } => {}
            }
            delay = (delay * 2).min(DELAY_MAX);
        }
    }

    /// Tells of a failure that may be the fault of this queue. It may as well be that of another whose consumer shares
    /// the connection, or of the broker.
    async fn complain(&self, error: &TurnError) {
        let failures = match error {
            TurnError::Broker(error) if is_internal(error) => 1,
            TurnError::Broker(_) | TurnError::Forgotten => return,
            // Seconds of it are enough.
            TurnError::Silence(_) => FAILURES_MAX,
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.ward.complain(failures) => {}
        }
    }

    /// One subscription from its beginning to its end.
    async fn turn(&self) -> Result<(), TurnError> {
        let live = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            live = self.link.live() => live,
        };
        let (channel, stream) = tokio::time::timeout(ANSWER_LIMIT, self.subscribe(&live)).await??;
        self.ward.well();
        let tag = stream.tag();
        // Whatever ends the turn, this says that it has ended, and forgets the message that nobody asked for: the broker
        // has taken it back, or gets it back.
        let _consuming = Consuming::begin(&self.shared);
        let ended = self.pump(&channel, stream).await;
        if self.stop.is_cancelled() {
            // First no more messages, then the one at hand goes back: the other way round it would return here.
            let cancel = channel.basic_cancel(tag, BasicCancelOptions::default());
            let _ = tokio::time::timeout(ANSWER_LIMIT, cancel).await;
        }
        ended
    }

    async fn subscribe(&self, live: &Live) -> lapin::Result<(Channel, lapin::Consumer)> {
        let channel = live.connection.create_channel().await?;
        declare(&channel, self.ward.name()).await?;
        channel.basic_qos(ONE_AT_A_TIME, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let stream =
            channel.basic_consume(self.ward.name(), "".into(), options, FieldTable::default()).await?;
        Ok((channel, stream))
    }

    async fn pump(&self, channel: &Channel, mut stream: lapin::Consumer) -> Result<(), TurnError> {
        let hand = Arc::new(Hand);
        let mut doubts = 0;
        while doubts < DOUBTS_MAX {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                next = tokio::time::timeout(DOUBT_INTERVAL, stream.next()) => next,
            };
            let Ok(next) = next else {
                let is_idle = Arc::strong_count(&hand) == 1;
                doubts = if is_idle && self.has_messages(channel).await? { doubts + 1 } else { 0 };
                continue;
            };
            doubts = 0;
            // An end without an error: the queue was deleted, or the consumer was cancelled for its slowness.
            let Some(delivery) = next.transpose()? else { return Ok(()) };
            let delivery = RabbitDelivery {
                body: delivery.data,
                acker: Some(delivery.acker),
                channel: channel.clone(),
                _hand: Arc::clone(&hand),
                runtime: Handle::current(),
            };
            self.shared.state().arrived = Some(delivery);
            self.shared.arrivals.notify_one();
        }
        Err(TurnError::Forgotten)
    }

    /// Whether messages wait in the queue. Where the queue is gone this closes the channel, hence ends the turn.
    async fn has_messages(&self, channel: &Channel) -> Result<bool, TurnError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let ask = channel.queue_declare(self.ward.name(), options, FieldTable::default());
        Ok(tokio::time::timeout(ANSWER_LIMIT, ask).await??.message_count() > 0)
    }
}

#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error("the broker does not answer")]
    Silence(#[from] tokio::time::error::Elapsed),
    #[error("the broker sends nothing although messages wait")]
    Forgotten,
    #[error(transparent)]
    Broker(#[from] lapin::Error),
}

struct Consuming<'a>(&'a Shared);

impl<'a> Consuming<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.state().is_consuming = true;
        Self(shared)
    }
}

impl Drop for Consuming<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_consuming = false;
        let left = state.arrived.take();
        drop(state);
        drop(left);
    }
}

/// What a consumer holds its one message with; messages share it while they are neither acked nor dropped.
struct Hand;

struct RabbitDelivery {
    body: Vec<u8>,
    /// `None` once it is acked.
    acker: Option<Acker>,
    /// Keeps the channel open for the ack after the consumer has gone.
    channel: Channel,
    _hand: Arc<Hand>,
    runtime: Handle,
}

#[async_trait]
impl Delivery for RabbitDelivery {
    fn body(&self) -> &[u8] {
        &self.body
    }

    async fn ack(mut self: Box<Self>) {
        let Some(acker) = self.acker.take() else { return };
        // A task of its own: a caller that is cancelled here has acked all the same.
        let task = self.runtime.spawn(async move {
            // After a reconnect there is nothing to ack; the message comes again and is found stale.
            match tokio::time::timeout(ANSWER_LIMIT, acker.ack(BasicAckOptions::default())).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => tracing::debug!("an ack came too late: its connection is gone"),
                Ok(Err(error)) => tracing::debug!(%error, "an ack failed"),
                Err(_) => tracing::debug!("an ack found no way out"),
            }
        });
        let _ = task.await;
    }
}

impl Drop for RabbitDelivery {
    fn drop(&mut self) {
        let Some(acker) = self.acker.take() else { return };
        let channel = self.channel.clone();
        self.runtime.spawn(async move {
            let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            let _ = tokio::time::timeout(ANSWER_LIMIT, acker.nack(options)).await;
            drop(channel); // Open until the nack is out.
        });
    }
}
