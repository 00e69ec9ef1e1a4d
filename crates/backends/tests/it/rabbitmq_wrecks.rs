//! Queues of which the broker has kept the name and lost what makes them work: RabbitMQ 3.10 after a kill -9 within half
//! a second of their declaration.

use std::time::Duration;

use landfall_backends::rabbitmq::{RabbitOptions, RabbitQueue};
use landfall_common::Phase;
use landfall_common::ports::{Queue, QueueError};
use landfall_common::wire::QueueName;
use landfall_testkit::conformance::{PATIENCE, eventually};
use landfall_testkit::lab::{RabbitMq, wait_until};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::rabbitmq::options;
use crate::servers;

const IMPORT: QueueName = QueueName::Phase(Phase::Import);
/// One suffices unless the machine stalls.
const KILLS_MAX: usize = 5;
/// Whether a queue has no leader or none yet is told by time alone.
const LEADERLESS_LIMIT: Duration = Duration::from_secs(90);

fn names(options: &RabbitOptions) -> impl Iterator<Item = String> {
    QueueName::ALL.into_iter().map(|queue| format!("{}{}", options.prefix, queue.as_str()))
}

async fn channel(server: &RabbitMq) -> lapin::Channel {
    let connection = lapin::Connection::connect(&server.url(), lapin::ConnectionProperties::default()).await;
    connection.unwrap().create_channel().await.unwrap()
}

async fn declare_all(channel: &lapin::Channel, options: &RabbitOptions) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    for name in names(options) {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), durable, arguments.clone()).await.unwrap();
    }
}

/// Kills the broker right after its queues were deleted and declared again, until they are hollow.
async fn hollow_out(server: &mut RabbitMq) -> RabbitOptions {
    let options = options(&server.url());
    for _ in 0..KILLS_MAX {
        let channel = channel(server).await;
        declare_all(&channel, &options).await;
        // What the node knows of these is on its disk, as it is half a second after any declaration.
        server.ctl(&["eval", "dets:sync(ra_directory_reverse)."]).await.unwrap();
        for name in names(&options) {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
        }
        declare_all(&channel, &options).await;
        server.restart().await.unwrap();
        let states = server.ctl(&["list_queues", "name", "state"]).await.unwrap();
        let down = states.lines().filter(|line| line.starts_with(&options.prefix) && line.ends_with("down"));
        if down.count() == QueueName::ALL.len() {
            return options;
        }
    }
    panic!("{KILLS_MAX} kills of the broker hollowed no queues out");
}

/// Kills the broker right after new queues were declared, until the last of them, for support cases, has no leader.
async fn take_leader(server: &mut RabbitMq) -> RabbitOptions {
    for _ in 0..KILLS_MAX {
        let options = options(&server.url());
        declare_all(&channel(server).await, &options).await;
        server.restart().await.unwrap();
        let ask = format!("ra:members({}, 1000).", raft_server(&options, QueueName::Support));
        if server.ctl(&["eval", &ask]).await.unwrap().contains("timeout") {
            return options;
        }
    }
    panic!("{KILLS_MAX} kills of the broker left its queues their leaders");
}

fn raft_server(options: &RabbitOptions, queue: QueueName) -> String {
    format!("{{'%2F_{}{}', node()}}", options.prefix, queue.as_str())
}

#[tokio::test]
async fn wrecks_left_by_a_kill_of_the_broker_are_rebuilt_for_consumers_and_publishers() {
    let mut server = servers::lab().await.rabbitmq("rabbitmq-wrecks").await.unwrap();
    let hollow = hollow_out(&mut server).await;
    let leaderless = take_leader(&mut server).await;
    tokio::join!(
        hollow_queues_are_rebuilt_for_consumers_and_publishers(&hollow),
        leaderless_queues_are_rebuilt_for_publishers(&leaderless),
    );
    let leaderless = take_leader(&mut server).await;
    leaderless_queues_are_rebuilt_for_consumers(&leaderless).await;
}

async fn hollow_queues_are_rebuilt_for_consumers_and_publishers(options: &RabbitOptions) {
    let queue = RabbitQueue::open(options).unwrap();
    let mut consumers = Vec::new();
    for name in [IMPORT, QueueName::Phase(Phase::Snapshot)] {
        consumers.push(queue.consume(name).await.unwrap());
    }
    for consumer in &consumers {
        eventually("it consumes", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();
    }
    queue.publish(IMPORT, b"after").await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, consumers[0].next()).await.unwrap();
    assert_eq!(delivery.body(), b"after");
    delivery.ack().await;

    // Nobody consumes this one: only its publisher can notice.
    let refused = queue.publish(QueueName::Support, b"wake").await;
    assert!(matches!(refused, Err(QueueError::NotTaken)), "{refused:?}");
    eventually("it is taken", async || Ok(queue.publish(QueueName::Support, b"wake").await.ok()))
        .await
        .unwrap();
    assert_eq!(queue.depth(QueueName::Support).await.unwrap(), 1);
}

async fn leaderless_queues_are_rebuilt_for_publishers(options: &RabbitOptions) {
    let mut options = options.clone();
    options.publish_limit = Duration::from_secs(2);
    let queue = RabbitQueue::open(&options).unwrap();
    let publish = || queue.publish(QueueName::Support, b"wake");
    let refused = publish().await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    wait_until("it is taken", LEADERLESS_LIMIT, async || publish().await.is_ok()).await.unwrap();
}

async fn leaderless_queues_are_rebuilt_for_consumers(options: &RabbitOptions) {
    let queue = RabbitQueue::open(options).unwrap();
    let mut consumer = queue.consume(QueueName::Support).await.unwrap();
    wait_until("it consumes", LEADERLESS_LIMIT, async || consumer.is_connected()).await.unwrap();
    queue.publish(QueueName::Support, b"wake").await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    assert_eq!(delivery.body(), b"wake");
}

#[tokio::test]
async fn a_queue_hollowed_out_under_its_consumer_is_rebuilt_and_the_consumer_hears_again() {
    let server = servers::rabbitmq().await;
    let options = options(&server.url());
    let queue = RabbitQueue::open(&options).unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    queue.publish(IMPORT, b"before").await.unwrap();
    tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().ack().await;
    let kill = format!("ra:force_delete_server(quorum_queues, {}).", raft_server(&options, IMPORT));
    server.ctl(&["eval", &kill]).await.unwrap();
    let delivery = eventually("a message arrives", async || {
        let _ = queue.publish(IMPORT, b"after").await;
        Ok(tokio::time::timeout(Duration::from_millis(500), consumer.next()).await.ok())
    });
    let delivery = delivery.await.unwrap();
    assert_eq!(delivery.body(), b"after");
    delivery.ack().await;
}

#[tokio::test]
async fn a_full_queue_that_refuses_is_not_taken_for_a_hollow_one() {
    let server = servers::rabbitmq().await;
    let options = options(&server.url());
    let pattern = format!("^{}", options.prefix);
    let limits = r#"{"max-length": 1, "overflow": "reject-publish"}"#;
    server.ctl(&["set_policy", "--apply-to", "queues", &options.prefix, &pattern, limits]).await.unwrap();
    let queue = RabbitQueue::open(&options).unwrap();
    let mut taken = 0_u8;
    eventually("it is full", async || match queue.publish(IMPORT, &[taken]).await {
        Ok(()) => {
            taken += 1;
            Ok(None)
        }
        Err(QueueError::NotTaken) => Ok(Some(())),
        Err(error) => Err(error.into()),
    })
    .await
    .unwrap();
    // The examination that the first refusal called for is over before the second is.
    let refused = queue.publish(IMPORT, b"more").await;
    assert!(matches!(refused, Err(QueueError::NotTaken)), "{refused:?}");
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    for n in 0..taken {
        let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
        assert_eq!(delivery.body(), [n]);
        delivery.ack().await;
    }
}
