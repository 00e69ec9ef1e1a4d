use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use landfall_backends::rabbitmq::{RabbitOptions, RabbitQueue};
use landfall_common::Phase;
use landfall_common::ports::{Consumer, Queue, QueueError};
use landfall_common::wire::QueueName;
use landfall_testkit::conformance::{PATIENCE, eventually};
use landfall_testkit::lab::RabbitMq;

use crate::rabbitmq::options;
use crate::servers;

const IMPORT: QueueName = QueueName::Phase(Phase::Import);

async fn next_body(consumer: &mut Box<dyn Consumer>) -> Vec<u8> {
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    let body = delivery.body().to_vec();
    delivery.ack().await;
    body
}

#[tokio::test]
async fn a_killed_broker_loses_nothing_confirmed_and_both_sides_are_back_within_seconds() {
    let mut server = servers::lab().await.rabbitmq("rabbitmq-killed").await.unwrap();
    let queue = RabbitQueue::open(&options(&server.url())).unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    eventually("it is connected", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();
    queue.publish(IMPORT, b"held").await.unwrap();
    let held = consumer.next().await;
    let mut confirmed = BTreeSet::from([b"held".to_vec()]);
    for n in 0..100_u8 {
        queue.publish(IMPORT, &[n]).await.unwrap();
        confirmed.insert(vec![n]);
    }

    server.daemon.kill9().unwrap();
    eventually("the consumer notices", async || Ok((!consumer.is_connected()).then_some(()))).await.unwrap();
    assert!(!queue.is_serving());
    server.restart().await.unwrap();
    let back = Instant::now();
    queue.publish(IMPORT, b"after").await.unwrap();
    confirmed.insert(b"after".to_vec());
    eventually("the consumer is back", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();
    assert!(back.elapsed() < Duration::from_secs(8), "back after {:?}", back.elapsed());
    assert!(queue.is_serving());

    held.ack().await; // Of another connection: harmless, and the message comes again.
    let mut seen = BTreeSet::new();
    while seen != confirmed {
        seen.insert(next_body(&mut consumer).await);
    }
}

#[tokio::test]
async fn a_broker_in_distress_blocks_publishers_and_not_consumers() {
    let server = servers::lab().await.rabbitmq("rabbitmq-alarm").await.unwrap();
    let mut options = options(&server.url());
    options.publish_limit = Duration::from_secs(5);
    let queue = RabbitQueue::open(&options).unwrap();
    for n in 0..10_u8 {
        queue.publish(IMPORT, &[n]).await.unwrap();
    }
    server.ctl(&["set_vm_memory_high_watermark", "0.00001"]).await.unwrap();
    eventually("publishing is refused", async || match queue.publish(IMPORT, b"more").await {
        Ok(()) => Ok(None),
        Err(QueueError::Unavailable(_)) => Ok(Some(())),
        Err(error) => Err(error.into()),
    })
    .await
    .unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    for _ in 0..10 {
        next_body(&mut consumer).await;
    }
    server.ctl(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    eventually("publishing is possible", async || Ok(queue.publish(IMPORT, b"again").await.ok()))
        .await
        .unwrap();
    a_frozen_broker_holds_nobody_beyond_the_limit(&server, &queue).await;
    a_message_held_beyond_the_brokers_patience_comes_again(&server, consumer).await;
}

/// On the same server, as its start costs seconds.
async fn a_frozen_broker_holds_nobody_beyond_the_limit(server: &RabbitMq, queue: &RabbitQueue) {
    server.daemon.sigstop();
    let begun = Instant::now();
    let published = queue.publish(IMPORT, b"frozen").await;
    assert!(matches!(published, Err(QueueError::Unavailable(_))), "{published:?}");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    server.daemon.sigcont();
    eventually("publishing is possible", async || Ok(queue.publish(IMPORT, b"thawed").await.ok()))
        .await
        .unwrap();
}

/// `consumer_timeout` closes the channel of a consumer that does not ack, after half an hour unless set.
async fn a_message_held_beyond_the_brokers_patience_comes_again(
    server: &RabbitMq,
    mut consumer: Box<dyn Consumer>,
) {
    for body in [b"again".as_slice(), b"thawed"] {
        while next_body(&mut consumer).await != body {}
    }
    let set = "application:set_env(rabbit, consumer_timeout, 500), application:set_env(rabbit, channel_tick_interval, 200).";
    server.ctl(&["eval", set]).await.unwrap();
    let queue = RabbitQueue::open(&options(&server.url())).unwrap();
    queue.publish(IMPORT, b"slow").await.unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    let held = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    let again = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    assert_eq!(again.body(), b"slow");
    assert!(consumer.is_connected());
    held.ack().await; // Of a channel that is closed: harmless.
    again.ack().await;
    queue.publish(IMPORT, b"next").await.unwrap();
    assert_eq!(next_body(&mut consumer).await, b"next");
}

#[tokio::test]
async fn without_a_broker_publishing_ends_at_its_limit_and_a_consumer_waits() {
    let port = landfall_testkit::lab::free_port().unwrap();
    let mut options = RabbitOptions::new(format!("amqp://guest:guest@127.0.0.1:{port}/%2f"));
    options.publish_limit = Duration::from_millis(700);
    let queue = RabbitQueue::open(&options).unwrap();
    let begun = Instant::now();
    let published = queue.publish(IMPORT, b"x").await;
    assert!(matches!(published, Err(QueueError::Unavailable(_))), "{published:?}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(500), consumer.next()).await.is_err());
    assert!(!consumer.is_connected() && !queue.is_serving());
    drop(consumer);
    assert!(queue.is_serving(), "who consumes nothing misses nothing");
}

#[tokio::test]
async fn a_broker_without_tls_gets_nothing_where_tls_is_asked_for() {
    let url = servers::rabbitmq().await.url().replace("amqp://", "amqps://");
    let mut options = RabbitOptions::new(url);
    options.publish_limit = Duration::from_secs(1);
    let published = RabbitQueue::open(&options).unwrap().publish(IMPORT, b"x").await;
    assert!(matches!(published, Err(QueueError::Unavailable(_))), "{published:?}");
}

#[test]
fn a_malformed_url_is_refused_and_not_repeated() {
    let refused = RabbitQueue::open(&RabbitOptions::new("amqp://user:hunter2@host:port")).unwrap_err();
    assert!(!format!("{refused:?}").contains("hunter2"));
}
