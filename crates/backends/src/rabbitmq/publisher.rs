//! Publishing with confirms.
//!
//! Each publish has a channel to itself from the message to its confirm. On a shared one the client attaches a returned
//! message to whichever confirm comes next, and a message that nobody took could pass as taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_common::ports::QueueError;
use landfall_common::wire::QueueName;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;

use super::link::{Link, Live};
use super::ward::{FAILURES_MAX, Ward};
use super::{Wards, declare, unavailable};

/// Publishes that wait for their confirms at a time; each has a channel.
const IN_FLIGHT_MAX: usize = 64;
const ATTEMPTS_MAX: usize = 6;
const NOT_READY_PAUSE_MIN: Duration = Duration::from_millis(50);
const DELIVERY_MODE_PERSISTENT: u8 = 2;
/// How often a blocked connection is looked at.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Publisher {
    link: Link,
    wards: Wards,
    limit: Duration,
    in_flight: Semaphore,
    idle: Mutex<Idle>,
    /// How often the queues were declared.
    declared: AtomicU64,
    declaring: tokio::sync::Mutex<()>,
}

/// Channels of one connection that nobody uses at the moment.
#[derive(Default)]
struct Idle {
    live: Option<Arc<Live>>,
    channels: Vec<Channel>,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Idle").field(&self.channels.len()).finish()
    }
}

impl Publisher {
    pub(super) fn new(link: Link, wards: Wards, limit: Duration) -> Self {
        Self {
            link,
            wards,
            limit,
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            idle: Mutex::default(),
            declared: AtomicU64::new(0),
            declaring: tokio::sync::Mutex::default(),
        }
    }

    pub(super) async fn close(&self) {
        *self.idle() = Idle::default();
        self.link.close().await;
    }

    pub(super) async fn publish(&self, queue: QueueName, body: &[u8]) -> Result<(), QueueError> {
        let mut used = None;
        match tokio::time::timeout(self.limit, self.attempt(queue, body, &mut used)).await {
            Ok(result) => result,
            Err(elapsed) => {
                if let Some(live) = used
                    && !live.connection.status().blocked()
                {
                    // It takes messages and confirms none. Another connection may fare better, and what this one holds
                    // back is not sent hours later.
                    live.give_up();
                    self.complain(queue, FAILURES_MAX);
                }
                Err(unavailable(elapsed))
            }
        }
    }

    /// Publishes, again where the queue was gone and has been declared, and where it was not ready.
    async fn attempt(
        &self,
        queue: QueueName,
        body: &[u8],
        used: &mut Option<Arc<Live>>,
    ) -> Result<(), QueueError> {
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        let live = self.unblocked().await;
        *used = Some(Arc::clone(&live));
        let channel = self.channel(&live).await.map_err(unavailable)?;
        let ward = self.wards.of(queue);
        let mut nacks = 0;
        let mut pause = NOT_READY_PAUSE_MIN;
        for _ in 0..ATTEMPTS_MAX {
            let declared = self.declared.load(Ordering::SeqCst);
            match send(&channel, ward, body).await.map_err(unavailable)? {
                Confirmation::Ack(None) => {
                    self.give_back(&live, channel);
                    ward.well();
                    return Ok(());
                }
                // Acked, and returned: there is no such queue.
                Confirmation::Ack(Some(_)) => self.declare_all(&live, declared).await.map_err(unavailable)?,
                // A quorum queue that was declared a moment ago has no leader yet.
                Confirmation::Nack(_) => {
                    nacks += 1;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Confirmation::NotRequested => break,
            }
        }
        self.complain(queue, nacks);
        Err(QueueError::NotTaken)
    }

    /// In a task of its own, as it may take longer than a publish may. All but one of these do no more than count.
    fn complain(&self, queue: QueueName, failures: u32) {
        let ward = Arc::clone(self.wards.of(queue));
        tokio::spawn(async move { ward.complain(failures).await });
    }

    /// The connection once the broker takes publishes on it: what is sent while it does not only piles up here.
    async fn unblocked(&self) -> Arc<Live> {
        loop {
            let live = self.link.live().await;
            if !live.connection.status().blocked() {
                return live;
            }
            tokio::time::sleep(BLOCKED_INTERVAL).await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel that confirms.
    async fn channel(&self, live: &Arc<Live>) -> lapin::Result<Channel> {
        let declared = self.declared.load(Ordering::SeqCst);
        let is_first = {
            let mut idle = self.idle();
            let is_known = idle.live.as_ref().is_some_and(|known| Arc::ptr_eq(known, live));
            if !is_known {
                *idle = Idle { live: Some(Arc::clone(live)), channels: Vec::new() };
            }
            while let Some(channel) = idle.channels.pop() {
                if channel.status().connected() {
                    return Ok(channel);
                }
            }
            !is_known
        };
        if is_first {
            self.declare_all(live, declared).await?;
        }
        let channel = live.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    fn give_back(&self, live: &Arc<Live>, channel: Channel) {
        let mut idle = self.idle();
        if idle.live.as_ref().is_some_and(|known| Arc::ptr_eq(known, live))
            && idle.channels.len() < IN_FLIGHT_MAX
        {
            idle.channels.push(channel);
        }
    }

    /// Declares all queues, unless somebody has since `declared` was read: many publishers find a queue gone at once. On
    /// a channel of its own, since a refused declaration closes its channel.
    async fn declare_all(&self, live: &Live, declared: u64) -> lapin::Result<()> {
        let _turn = self.declaring.lock().await;
        if self.declared.load(Ordering::SeqCst) != declared {
            return Ok(());
        }
        let channel = live.connection.create_channel().await?;
        for queue in QueueName::ALL {
            declare(&channel, self.wards.of(queue).name()).await?;
        }
        self.declared.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn send(channel: &Channel, ward: &Ward, body: &[u8]) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_delivery_mode(DELIVERY_MODE_PERSISTENT);
    // The nameless exchange brings a message to the queue of that name.
    channel.basic_publish("".into(), ward.name(), options, body, properties).await?.await
}
