//! The queue: messages that may get lost, come twice, come late or in another order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use landfall_common::ports::{Consumer, Delivery, Queue, QueueError};
use landfall_common::wire::QueueName;
use rand::Rng;
use tokio::sync::Notify;

use super::world::{Inner, Lost, Network, ProcessId};

/// The broker's state.
#[derive(Debug)]
pub struct QueueModel {
    epoch: u64,
    lanes: BTreeMap<QueueName, Lane>,
    consumers: BTreeMap<u64, Link>,
    last: u64,
}

impl Default for QueueModel {
    fn default() -> Self {
        let lanes = QueueName::ALL.into_iter().map(|name| (name, Lane::default())).collect();
        Self { epoch: 1, lanes, consumers: BTreeMap::new(), last: 0 }
    }
}

#[derive(Debug, Default)]
struct Lane {
    ready: VecDeque<Waiting>,
    held: BTreeMap<u64, Vec<u8>>,
    arrivals: Arc<Notify>,
}

#[derive(Debug)]
struct Waiting {
    from: u64,
    body: Vec<u8>,
}

/// A consumer's connection.
#[derive(Debug)]
struct Link {
    process: ProcessId,
    queue: QueueName,
    /// The message that it holds, by its tag.
    holds: Option<u64>,
    down_until: u64,
}

impl QueueModel {
    fn lane(&mut self, queue: QueueName) -> &mut Lane {
        self.lanes.get_mut(&queue).expect("every queue has its lane")
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Messages that wait or are held.
    pub fn depth(&self, queue: QueueName) -> u64 {
        let lane = &self.lanes[&queue];
        (lane.ready.len() + lane.held.len()) as u64
    }
}

impl Inner {
    /// Whoever waits for a message of the queue looks again.
    fn wake_consumers(&mut self, queue: QueueName) {
        let processes: Vec<ProcessId> = self
            .queue
            .consumers
            .values()
            .filter(|link| link.queue == queue)
            .map(|link| link.process)
            .collect();
        processes.into_iter().for_each(|process| self.touch(process));
        self.queue.lane(queue).arrivals.notify_waiters();
    }

    fn enqueue(&mut self, queue: QueueName, body: Vec<u8>, delay: Duration) {
        let from = self.now() + u64::try_from(delay.as_micros()).unwrap_or_default();
        self.queue.lane(queue).ready.push_back(Waiting { from, body });
        if delay.is_zero() {
            self.wake_consumers(queue);
        } else {
            self.plan(delay, move |world| world.wake_consumers(queue));
        }
    }

    fn publish(&mut self, queue: QueueName, body: Vec<u8>) -> Result<(), QueueError> {
        let trouble = self.trouble;
        if self.happens(trouble.message_refused) {
            if self.happens(0.5) {
                self.enqueue(queue, body, Duration::ZERO);
            }
            return Err(QueueError::NotTaken);
        }
        if self.happens(trouble.message_lost) {
            self.note("queue", &"loses a message");
            return Ok(());
        }
        for _ in 0..=u8::from(self.happens(trouble.message_twice)) {
            let is_late = self.happens(trouble.message_late);
            let delay = if is_late { self.rng.random_range(1..60_000) } else { 0 };
            self.enqueue(queue, body.clone(), Duration::from_millis(delay));
        }
        Ok(())
    }

    /// The oldest message that is ready, or by chance another.
    fn take(&mut self, consumer: u64) -> Option<(u64, Vec<u8>)> {
        let now = self.now();
        let link = self.queue.consumers.get(&consumer)?;
        let queue = link.queue;
        if link.holds.is_some() || now < link.down_until || now < self.queue_down_until {
            return None;
        }
        let lane = self.queue.lane(queue);
        let ready: Vec<usize> = lane
            .ready
            .iter()
            .enumerate()
            .filter(|(_, waiting)| waiting.from <= now)
            .map(|(at, _)| at)
            .collect();
        if ready.is_empty() {
            return None;
        }
        let pick =
            if self.happens(self.trouble.reordered) { self.rng.random_range(0..ready.len()) } else { 0 };
        let tag = self.queue.number();
        let lane = self.queue.lane(queue);
        let body = lane.ready.remove(ready[pick])?.body;
        lane.held.insert(tag, body.clone());
        if let Some(link) = self.queue.consumers.get_mut(&consumer) {
            link.holds = Some(tag);
        }
        Some((tag, body))
    }

    /// The message is done with, or comes again.
    fn let_go(&mut self, consumer: u64, queue: QueueName, tag: u64, is_acked: bool) {
        let body = self.queue.lane(queue).held.remove(&tag);
        if let Some(link) = self.queue.consumers.get_mut(&consumer).filter(|link| link.holds == Some(tag)) {
            link.holds = None;
        }
        if let Some(body) = body.filter(|_| !is_acked) {
            let from = self.now();
            self.queue.lane(queue).ready.push_front(Waiting { from, body });
        }
        self.wake_consumers(queue);
    }

    /// Every queue is gone, with what was in it. Under a new epoch the store learns of it.
    pub fn delete_queues(&mut self, is_new_epoch: bool) {
        for lane in self.queue.lanes.values_mut() {
            lane.ready.clear();
            lane.held.clear();
        }
        if is_new_epoch {
            self.queue.epoch += 1;
        }
        self.break_connections(Duration::from_millis(500));
    }

    /// Every consumer's connection breaks: what it holds comes again, although it works on it.
    pub fn break_connections(&mut self, away: Duration) {
        let until = self.now() + u64::try_from(away.as_micros()).unwrap_or_default();
        let held: Vec<(u64, QueueName, u64)> = self
            .queue
            .consumers
            .iter()
            .filter_map(|(id, link)| Some((*id, link.queue, link.holds?)))
            .collect();
        for (consumer, queue, tag) in held {
            self.let_go(consumer, queue, tag, false);
        }
        self.queue.consumers.values_mut().for_each(|link| link.down_until = until);
        self.plan(away, |world| QueueName::ALL.into_iter().for_each(|queue| world.wake_consumers(queue)));
    }
}

/// The world's queue as one process reaches it.
#[derive(Debug, Clone)]
pub struct SimQueue {
    network: Network,
}

impl SimQueue {
    /// The broker at the other end of this network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Inner) -> T + Send + 'static,
    ) -> Result<T, QueueError> {
        let answer = self.network.call(move |world| {
            if world.now() < world.queue_down_until {
                return Err(Lost);
            }
            Ok(question(world))
        });
        answer.await.map_err(|lost| QueueError::Unavailable(Box::new(lost)))
    }
}

#[async_trait]
impl Queue for SimQueue {
    async fn publish(&self, queue: QueueName, body: &[u8]) -> Result<(), QueueError> {
        let body = body.to_vec();
        self.ask(move |world| world.publish(queue, body)).await?
    }

    async fn consume(&self, queue: QueueName) -> Result<Box<dyn Consumer>, QueueError> {
        let process = self.network.process();
        let mut world = self.network.world().lock();
        let id = world.queue.number();
        world.queue.consumers.insert(id, Link { process, queue, holds: None, down_until: 0 });
        let arrivals = world.queue.lane(queue).arrivals.clone();
        Ok(Box::new(SimConsumer { network: self.network.clone(), id, queue, arrivals }))
    }

    fn is_serving(&self) -> bool {
        true
    }

    fn epoch(&self) -> u64 {
        self.network.world().lock().queue.epoch
    }

    async fn depth(&self, queue: QueueName) -> Result<u64, QueueError> {
        self.ask(move |world| world.queue.depth(queue)).await
    }
}

struct SimConsumer {
    network: Network,
    id: u64,
    queue: QueueName,
    arrivals: Arc<Notify>,
}

#[async_trait]
impl Consumer for SimConsumer {
    async fn next(&mut self) -> Box<dyn Delivery> {
        loop {
            let arrival = self.arrivals.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            if let Some((tag, body)) = self.network.world().lock().take(self.id) {
                let (network, consumer, queue) = (self.network.clone(), self.id, self.queue);
                return Box::new(SimDelivery { network, consumer, queue, tag, body, is_acked: false });
            }
            arrival.await;
        }
    }

    fn is_connected(&self) -> bool {
        let world = self.network.world().lock();
        world.queue.consumers.get(&self.id).is_some_and(|link| link.down_until <= world.now())
    }
}

impl Drop for SimConsumer {
    fn drop(&mut self) {
        self.network.world().lock().queue.consumers.remove(&self.id);
    }
}

struct SimDelivery {
    network: Network,
    consumer: u64,
    queue: QueueName,
    tag: u64,
    body: Vec<u8>,
    is_acked: bool,
}

#[async_trait]
impl Delivery for SimDelivery {
    fn body(&self) -> &[u8] {
        &self.body
    }

    async fn ack(mut self: Box<Self>) {
        let (consumer, queue, tag) = (self.consumer, self.queue, self.tag);
        let acked = self.network.call(move |world| {
            world.let_go(consumer, queue, tag, true);
            Ok(())
        });
        // An ack that is lost is a connection that is: dropping the delivery gives the message back.
        self.is_acked = acked.await.is_ok();
    }
}

impl Drop for SimDelivery {
    fn drop(&mut self) {
        if !self.is_acked {
            self.network.world().lock().let_go(self.consumer, self.queue, self.tag, false);
        }
    }
}
