//! Queues of which the broker has kept the name and lost the rest. Seen on RabbitMQ 3.10 after a kill -9 within half a
//! second of a queue's deletion and new declaration.

use std::time::{Duration, Instant};

use landfall_backends::rabbitmq::{RabbitOptions, RabbitQueue};
use landfall_common::Phase;
use landfall_common::ports::{Queue, QueueError};
use landfall_common::wire::QueueName;
use landfall_testkit::conformance::{PATIENCE, eventually};
use landfall_testkit::lab::RabbitMq;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::rabbitmq::options;
use crate::servers;

const IMPORT: QueueName = QueueName::Phase(Phase::Import);
/// One suffices unless the machine stalls.
const KILLS_MAX: usize = 5;

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

async fn state_of(server: &RabbitMq, name: &str) -> String {
    let states = server.ctl(&["list_queues", "name", "state"]).await.unwrap();
    let line = states.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().to_owned()
}

/// Deletes all queues, declares them again and kills the broker at once, until that has hollowed them out.
async fn hollow_out(server: &mut RabbitMq, options: &RabbitOptions) {
    for _ in 0..KILLS_MAX {
        let channel = channel(server).await;
        declare_all(&channel, options).await;
        // What the node knows of the former queues is on its disk, as it is half a second after any declaration.
        server.ctl(&["eval", "dets:sync(ra_directory_reverse)."]).await.unwrap();
        for name in names(options) {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
        }
        declare_all(&channel, options).await;
        server.restart().await.unwrap();
        let name = names(options).last().unwrap();
        if state_of(server, &name).await == "down" {
            return;
        }
    }
    panic!("{KILLS_MAX} kills of the broker left its queues sound");
}

#[tokio::test]
async fn queues_hollowed_out_by_a_kill_of_the_broker_are_rebuilt_for_consumers_and_publishers() {
    let mut server = servers::lab().await.rabbitmq("rabbitmq-hollow").await.unwrap();
    let options = options(&server.url());
    hollow_out(&mut server, &options).await;

    let queue = RabbitQueue::open(&options).unwrap();
    let begun = Instant::now();
    let mut consumers = Vec::new();
    for name in [IMPORT, QueueName::Phase(Phase::Snapshot)] {
        consumers.push(queue.consume(name).await.unwrap());
    }
    for consumer in &consumers {
        eventually("it consumes", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();
    }
    println!("consumers were back after {:?}", begun.elapsed());
    queue.publish(IMPORT, b"after").await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, consumers[0].next()).await.unwrap();
    assert_eq!(delivery.body(), b"after");
    delivery.ack().await;

    // Nobody consumes this one: only its publisher can notice.
    let begun = Instant::now();
    let refused = queue.publish(QueueName::Support, b"wake").await;
    assert!(matches!(refused, Err(QueueError::NotTaken)), "{refused:?}");
    eventually("it is taken", async || Ok(queue.publish(QueueName::Support, b"wake").await.ok())).await.unwrap();
    println!("publishers were back after {:?}", begun.elapsed());
    assert_eq!(queue.depth(QueueName::Support).await.unwrap(), 1);
}

#[tokio::test]
async fn a_queue_hollowed_out_under_its_consumer_is_rebuilt_and_the_consumer_hears_again() {
    let server = servers::rabbitmq().await;
    let options = options(&server.url());
    let queue = RabbitQueue::open(&options).unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    queue.publish(IMPORT, b"before").await.unwrap();
    tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().ack().await;
    let kill = format!(
        "ra:force_delete_server(quorum_queues, {{'%2F_{}{}', node()}}).",
        options.prefix,
        IMPORT.as_str()
    );
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
