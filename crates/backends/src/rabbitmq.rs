//! The queue on RabbitMQ 3.10 to 4.x: quorum queues, publisher confirms, and connections that are supervised here.
//!
//! Publishing and consuming have a connection each: the broker blocks connections that publish when its memory or disk
//! runs out, and a consumer on the same one could not ack any more. Both are made when first needed.

mod consumer;
mod link;
mod publisher;
mod ward;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use landfall_common::ports::{Consumer, Queue, QueueError};
use landfall_common::wire::QueueName;
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ErrorKind};
use secrecy::SecretString;

use self::consumer::{Presence, RabbitConsumer};
use self::link::{Connector, Link};
use self::publisher::Publisher;
use self::ward::Ward;

/// How the broker is reached.
#[derive(Debug, Clone)]
pub struct RabbitOptions {
    /// `amqp://` or `amqps://`, with user and password.
    pub url: SecretString,
    /// Stands before the name of every queue, so that several installations can share a broker.
    pub prefix: String,
    /// Shown by the broker's tools as the connections' name.
    pub connection_name: String,
    /// How long a publish may take, reconnecting included.
    pub publish_limit: Duration,
}

impl RabbitOptions {
    /// That broker with no prefix and the port's limit of 10 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            prefix: String::new(),
            connection_name: "landfall".to_owned(),
            publish_limit: Duration::from_secs(10),
        }
    }
}

/// The queue on a RabbitMQ broker. Dropping it ends its connections; [`RabbitQueue::close`] waits for that.
#[derive(Debug)]
pub struct RabbitQueue {
    wards: Wards,
    publisher: Publisher,
    consuming: Link,
    consumers: Mutex<Vec<Presence>>,
}

impl RabbitQueue {
    /// Prepares the queue. No connection is made yet. Only a malformed URL fails.
    pub fn open(options: &RabbitOptions) -> Result<Self, QueueError> {
        crate::install_tls_provider();
        let wards = Wards::new(options)?;
        let publishing = Link::new(options, "publishing")?;
        Ok(Self {
            publisher: Publisher::new(publishing, wards.clone(), options.publish_limit),
            consuming: Link::new(options, "consuming")?,
            wards,
            consumers: Mutex::default(),
        })
    }

    fn consumers(&self) -> MutexGuard<'_, Vec<Presence>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends both connections in an orderly way. Publishes and consumers that are left wait in vain.
    pub async fn close(&self) {
        tokio::join!(self.publisher.close(), self.consuming.close());
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, queue: QueueName, body: &[u8]) -> Result<(), QueueError> {
        self.publisher.publish(queue, body).await
    }

    async fn consume(&self, queue: QueueName) -> Result<Box<dyn Consumer>, QueueError> {
        let ward = Arc::clone(self.wards.of(queue));
        let (consumer, presence) = RabbitConsumer::start(self.consuming.clone(), ward);
        let mut consumers = self.consumers();
        consumers.retain(|consumer| !consumer.is_over());
        consumers.push(presence);
        Ok(Box::new(consumer))
    }

    fn is_serving(&self) -> bool {
        self.consumers().iter().all(|consumer| consumer.is_over() || consumer.is_connected())
    }

    /// Quorum queues outlive the broker: what was published is there.
    fn epoch(&self) -> u64 {
        0
    }

    /// Messages ready; the protocol tells nothing of those unacked.
    async fn depth(&self, queue: QueueName) -> Result<u64, QueueError> {
        let ask = async {
            let live = self.consuming.live().await;
            // A refused question closes its channel, so it has one of its own.
            let channel = live.connection.create_channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(self.wards.of(queue).name(), options, FieldTable::default()).await
        };
        match tokio::time::timeout(ANSWER_LIMIT, ask).await {
            Ok(Ok(found)) => Ok(u64::from(found.message_count())),
            Ok(Err(error)) if is_missing(&error) => Ok(0),
            Ok(Err(error)) => Err(unavailable(error)),
            Err(elapsed) => Err(unavailable(elapsed)),
        }
    }
}

/// How long the broker may take over anything but a confirm.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What is known of each queue, shared by all who use it.
#[derive(Debug, Clone)]
struct Wards {
    all: Arc<HashMap<QueueName, Arc<Ward>>>,
}

impl Wards {
    fn new(options: &RabbitOptions) -> Result<Self, QueueError> {
        let connector = Connector::new(options, "repairing")?;
        let ward = |queue: QueueName| {
            let name = format!("{}{}", options.prefix, queue.as_str()).into();
            (queue, Arc::new(Ward::new(queue, name, connector.clone())))
        };
        Ok(Self { all: Arc::new(QueueName::ALL.into_iter().map(ward).collect()) })
    }

    fn of(&self, queue: QueueName) -> &Arc<Ward> {
        self.all.get(&queue).expect("`QueueName::ALL` holds every queue")
    }
}

/// Declares a queue as Landfall wants it. Everything but its type is left to the operator's policies: arguments that
/// differ from those of a queue that is there would be refused.
async fn declare(channel: &Channel, name: ShortString) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name, options, arguments).await.map(|_| ())
}

fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> QueueError {
    QueueError::Unavailable(Box::new(error))
}
