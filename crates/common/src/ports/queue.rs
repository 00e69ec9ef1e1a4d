//! The queue: carries tickets, nothing else. If every queue is deleted, nothing is lost.

use async_trait::async_trait;

use crate::wire::QueueName;

/// Why the queue could not do it. There is one answer to all of them: try again later.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Not connected, or no answer in time. A publish may or may not have arrived.
    #[error("the broker does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The broker took the message and could not route or store it (a nack or a return).
    #[error("the broker did not take the message")]
    NotTaken,
}

/// Publishes and consumes tickets.
///
/// Contract: a message whose `publish` returned `Ok` is delivered at least once to some consumer of its
/// queue as long as the queue is not deleted; a message that is not acked when its consumer goes away is delivered again;
/// nothing is promised about order. `publish` never takes longer than its own limit (10 s).
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug {
    /// Publishes one message, durable, and returns when the broker has confirmed it.
    async fn publish(&self, queue: QueueName, body: &[u8]) -> Result<(), QueueError>;

    /// Opens a consumer that holds at most one unacked message at a time.
    async fn consume(&self, queue: QueueName) -> Result<Box<dyn Consumer>, QueueError>;

    /// Whether each consumer that is open would receive a message now. A role of which one would not is not ready.
    fn is_serving(&self) -> bool;

    /// Changes whenever messages that were published before may be gone as a matter of course (an in-process queue
    /// after a restart). Entries published under another epoch are due again at once.
    fn epoch(&self) -> u64;

    /// Messages ready and unacked in a queue, where the broker can tell.
    async fn depth(&self, queue: QueueName) -> Result<u64, QueueError>;
}

/// A stream of deliveries. It supervises its own connection: `next` waits through outages.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery. Cancel-safe: a dropped call loses no message.
    async fn next(&mut self) -> Box<dyn Delivery>;

    /// Whether the consumer is connected and would receive a message now.
    fn is_connected(&self) -> bool;
}

/// One delivered message. Dropping it without [`Delivery::ack`] lets it be delivered again.
#[async_trait]
pub trait Delivery: Send {
    /// The message's bytes.
    fn body(&self) -> &[u8];

    /// Acknowledges it. A failure is no error to act on: the message comes again and is found stale.
    async fn ack(self: Box<Self>);
}
