//! The queue within one process, for one machine. Its messages end with the process; the epoch tells the store so.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use landfall_common::ports::{Consumer, Delivery, Queue, QueueError};
use landfall_common::wire::QueueName;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Messages that one queue holds at most; the relay keeps it far shallower.
const MESSAGES_MAX: usize = 100_000;

/// The queue in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryQueue {
    epoch: u64,
    lanes: Arc<HashMap<QueueName, Arc<Lane>>>,
}

impl MemoryQueue {
    /// An empty queue of an epoch of its own.
    pub fn new() -> Self {
        let lanes = QueueName::ALL.map(|name| (name, Arc::new(Lane::default())));
        Self { epoch: rand::random_range(1..=u64::MAX), lanes: Arc::new(lanes.into()) }
    }

    fn lane(&self, queue: QueueName) -> &Arc<Lane> {
        self.lanes.get(&queue).expect("every queue has its lane")
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Default)]
struct Lane {
    state: Mutex<LaneState>,
    arrivals: Notify,
}

#[derive(Debug, Default)]
struct LaneState {
    ready: VecDeque<Vec<u8>>,
    unacked: u64,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, queue: QueueName, body: &[u8]) -> Result<(), QueueError> {
        let lane = self.lane(queue);
        let mut state = lane.state();
        if state.ready.len() >= MESSAGES_MAX {
            return Err(QueueError::NotTaken);
        }
        state.ready.push_back(body.to_vec());
        drop(state);
        lane.arrivals.notify_one();
        Ok(())
    }

    async fn consume(&self, queue: QueueName) -> Result<Box<dyn Consumer>, QueueError> {
        let lane = Arc::clone(self.lane(queue));
        Ok(Box::new(MemoryConsumer { lane, hand: Arc::new(Semaphore::new(1)) }))
    }

    fn is_serving(&self) -> bool {
        true
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn depth(&self, queue: QueueName) -> Result<u64, QueueError> {
        let state = self.lane(queue).state();
        Ok(u64::try_from(state.ready.len()).unwrap_or(u64::MAX).saturating_add(state.unacked))
    }
}

struct MemoryConsumer {
    lane: Arc<Lane>,
    /// One permit: the message that the consumer may hold.
    hand: Arc<Semaphore>,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Box<dyn Delivery> {
        let permit = Arc::clone(&self.hand).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            // A wake that a cancelled call had received goes on to another consumer; one between look and wait is kept.
            let arrival = self.lane.arrivals.notified();
            {
                let mut state = self.lane.state();
                if let Some(body) = state.ready.pop_front() {
                    state.unacked += 1;
                    if !state.ready.is_empty() {
                        self.lane.arrivals.notify_one();
                    }
                    let lane = Arc::clone(&self.lane);
                    return Box::new(MemoryDelivery { lane, body: Some(body), _permit: permit });
                }
            }
            arrival.await;
        }
    }

    fn is_connected(&self) -> bool {
        true
    }
}

struct MemoryDelivery {
    lane: Arc<Lane>,
    /// `None` once it is acked.
    body: Option<Vec<u8>>,
    _permit: OwnedSemaphorePermit,
}

#[async_trait]
impl Delivery for MemoryDelivery {
    fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    async fn ack(mut self: Box<Self>) {
        self.body = None;
    }
}

impl Drop for MemoryDelivery {
    fn drop(&mut self) {
        let mut state = self.lane.state();
        state.unacked = state.unacked.saturating_sub(1);
        if let Some(body) = self.body.take() {
            state.ready.push_front(body);
            drop(state);
            self.lane.arrivals.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_an_epoch_of_its_own_and_never_0() {
        let queues = [MemoryQueue::new(), MemoryQueue::new()];
        assert_ne!(queues[0].epoch(), queues[1].epoch());
        assert!(queues.iter().all(|queue| queue.epoch() != 0));
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more() {
        let queue = MemoryQueue::new();
        for _ in 0..MESSAGES_MAX {
            queue.publish(QueueName::Support, b"").await.unwrap();
        }
        let refused = queue.publish(QueueName::Support, b"").await;
        assert!(matches!(refused, Err(QueueError::NotTaken)), "{refused:?}");
    }
}
