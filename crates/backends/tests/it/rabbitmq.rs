use std::sync::Arc;

use landfall_backends::rabbitmq::{RabbitOptions, RabbitQueue};
use landfall_common::Phase;
use landfall_common::ports::Queue;
use landfall_common::wire::QueueName;
use landfall_testkit::conformance::{PATIENCE, eventually};
use lapin::options::QueueDeleteOptions;

use crate::servers;

const IMPORT: QueueName = QueueName::Phase(Phase::Import);

pub(crate) fn options(url: &str) -> RabbitOptions {
    let mut options = RabbitOptions::new(url);
    options.prefix = servers::unique("test") + ".";
    options.connection_name = options.prefix.clone();
    options
}

async fn fresh() -> (Arc<dyn Queue>, ()) {
    let options = options(&servers::rabbitmq().await.url());
    (Arc::new(RabbitQueue::open(&options).unwrap()), ())
}

landfall_testkit::queue_conformance!(fresh);

/// Deletes all queues of a prefix, behind Landfall's back.
async fn delete_queues(options: &RabbitOptions) {
    let url = servers::rabbitmq().await.url();
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for queue in QueueName::ALL {
        let name = format!("{}{}", options.prefix, queue.as_str());
        channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn queues_that_are_deleted_come_back_for_publishers_and_consumers() {
    let options = options(&servers::rabbitmq().await.url());
    let queue = RabbitQueue::open(&options).unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    queue.publish(IMPORT, b"before").await.unwrap();
    consumer.next().await.ack().await;
    for _ in 0..3 {
        delete_queues(&options).await;
        eventually("the consumer is back", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();
        // This one's queue has no consumer that would have declared it again.
        queue.publish(QueueName::Support, b"support").await.unwrap();
        assert_eq!(queue.depth(QueueName::Support).await.unwrap(), 1);
        let received = eventually("a message arrives", async || {
            queue.publish(IMPORT, b"after").await?;
            Ok(tokio::time::timeout(std::time::Duration::from_millis(500), consumer.next()).await.ok())
        });
        received.await.unwrap().ack().await;
    }
}

#[tokio::test]
async fn publishers_that_find_their_queue_gone_all_at_once_lose_nothing() {
    let options = options(&servers::rabbitmq().await.url());
    let queue = Arc::new(RabbitQueue::open(&options).unwrap());
    queue.publish(IMPORT, b"first").await.unwrap();
    delete_queues(&options).await;
    let mut publishers = tokio::task::JoinSet::new();
    for n in 0..200_u8 {
        let queue = Arc::clone(&queue);
        publishers.spawn(async move { queue.publish(IMPORT, &[n]).await });
    }
    while let Some(published) = publishers.join_next().await {
        published.unwrap().unwrap();
    }
    eventually("all are there", async || Ok((queue.depth(IMPORT).await? == 200).then_some(())))
        .await
        .unwrap();
}

#[tokio::test]
async fn queues_are_quorum_queues_and_connections_have_names_and_end() {
    let server = servers::rabbitmq().await;
    let options = options(&server.url());
    let queue = RabbitQueue::open(&options).unwrap();
    queue.publish(IMPORT, b"x").await.unwrap();
    let consumer = queue.consume(IMPORT).await.unwrap();
    eventually("it consumes", async || Ok(consumer.is_connected().then_some(()))).await.unwrap();

    let queues = server.ctl(&["list_queues", "name", "type", "durable", "arguments"]).await.unwrap();
    let line = queues.lines().find(|line| line.contains(&options.prefix) && line.contains("import")).unwrap();
    assert!(line.contains("quorum") && line.contains("true"), "{line}");

    let connections = async || server.ctl(&["list_connections", "client_properties"]).await;
    let names = connections().await.unwrap();
    for purpose in ["publishing", "consuming"] {
        assert!(names.contains(&format!("{} {purpose}", options.prefix)), "{names}");
    }
    drop((queue, consumer));
    eventually("they end", async || Ok((!connections().await?.contains(&options.prefix)).then_some(())))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_ack_counts_although_the_consumer_has_gone() {
    let options = options(&servers::rabbitmq().await.url());
    let queue = RabbitQueue::open(&options).unwrap();
    queue.publish(IMPORT, b"x").await.unwrap();
    let mut consumer = queue.consume(IMPORT).await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    drop(consumer);
    delivery.ack().await;
    let mut other = queue.consume(IMPORT).await.unwrap();
    queue.publish(IMPORT, b"y").await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, other.next()).await.unwrap().body(), b"y");
}

#[tokio::test]
async fn closing_ends_the_connections() {
    let server = servers::rabbitmq().await;
    let options = options(&server.url());
    let queue = RabbitQueue::open(&options).unwrap();
    queue.publish(IMPORT, b"x").await.unwrap();
    queue.close().await;
    let left = server.ctl(&["list_connections", "client_properties"]).await.unwrap();
    assert!(!left.contains(&options.prefix), "{left}");
}
