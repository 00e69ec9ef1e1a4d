//! What every queue does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use landfall_common::Phase;
use landfall_common::ports::{Consumer, Delivery, Queue};
use landfall_common::wire::QueueName;

use super::{PATIENCE, eventually};

/// A queue under test.
pub type Subject = Arc<dyn Queue>;

const IMPORT: QueueName = QueueName::Phase(Phase::Import);
/// Long enough for a message that is there to come, on a busy machine too.
const SILENCE: Duration = Duration::from_millis(300);

/// Makes a test of each property of a queue.
#[macro_export]
macro_rules! queue_conformance {
    ($fresh:path) => {
        $crate::conformance_tests!(
            $fresh,
            queue: a_message_arrives_byte_for_byte,
            queues_are_apart,
            a_consumer_holds_one_message_at_a_time,
            a_message_dropped_without_an_ack_comes_again,
            a_message_comes_again_when_its_consumer_goes,
            a_cancelled_wait_loses_nothing,
            nothing_is_lost_between_several_consumers,
            the_depth_tells_what_waits,
            a_consumer_is_connected_before_it_is_asked_for_a_message,
            the_epoch_stays_as_it_is,
        );
    };
}

async fn next(consumer: &mut Box<dyn Consumer>) -> Result<Box<dyn Delivery>> {
    tokio::time::timeout(PATIENCE, consumer.next()).await.context("a message")
}

async fn is_silent(consumer: &mut Box<dyn Consumer>) -> bool {
    tokio::time::timeout(SILENCE, consumer.next()).await.is_err()
}

async fn next_body(consumer: &mut Box<dyn Consumer>) -> Result<Vec<u8>> {
    let delivery = next(consumer).await?;
    let body = delivery.body().to_vec();
    delivery.ack().await;
    Ok(body)
}

pub async fn a_message_arrives_byte_for_byte(queue: Subject) -> Result<()> {
    let mut consumer = queue.consume(IMPORT).await?;
    let every_byte: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    for body in [b"{}".as_slice(), &every_byte, b""] {
        queue.publish(IMPORT, body).await?;
        assert_eq!(next_body(&mut consumer).await?, body);
    }
    assert!(is_silent(&mut consumer).await);
    Ok(())
}

pub async fn queues_are_apart(queue: Subject) -> Result<()> {
    for name in QueueName::ALL {
        queue.publish(name, name.as_str().as_bytes()).await?;
    }
    for name in QueueName::ALL {
        let mut consumer = queue.consume(name).await?;
        assert_eq!(next_body(&mut consumer).await?, name.as_str().as_bytes());
        assert!(is_silent(&mut consumer).await);
    }
    Ok(())
}

pub async fn a_consumer_holds_one_message_at_a_time(queue: Subject) -> Result<()> {
    queue.publish(IMPORT, b"first").await?;
    queue.publish(IMPORT, b"second").await?;
    let mut busy = queue.consume(IMPORT).await?;
    let held = next(&mut busy).await?;
    assert!(is_silent(&mut busy).await, "it holds one already");
    let mut idle = queue.consume(IMPORT).await?;
    let other = next_body(&mut idle).await?;
    assert_ne!(held.body(), other);
    held.ack().await;
    queue.publish(IMPORT, b"third").await?;
    drop(idle);
    assert_eq!(next_body(&mut busy).await?, b"third");
    Ok(())
}

pub async fn a_message_dropped_without_an_ack_comes_again(queue: Subject) -> Result<()> {
    let mut consumer = queue.consume(IMPORT).await?;
    queue.publish(IMPORT, b"again").await?;
    for _ in 0..3 {
        assert_eq!(next(&mut consumer).await?.body(), b"again");
    }
    assert_eq!(next_body(&mut consumer).await?, b"again");
    assert!(is_silent(&mut consumer).await, "acked at last");
    Ok(())
}

pub async fn a_message_comes_again_when_its_consumer_goes(queue: Subject) -> Result<()> {
    let bodies: BTreeSet<Vec<u8>> = [b"a".to_vec(), b"b".to_vec()].into();
    for body in &bodies {
        queue.publish(IMPORT, body).await?;
    }
    let mut first = queue.consume(IMPORT).await?;
    let held = next(&mut first).await?;
    // Another that never asks: whatever was sent to it ahead of being asked for is not lost either.
    let second = queue.consume(IMPORT).await?;
    eventually("it is connected", async || Ok(second.is_connected().then_some(()))).await?;
    drop((first, held, second));
    let mut third = queue.consume(IMPORT).await?;
    let mut seen = BTreeSet::new();
    while seen != bodies {
        seen.insert(next_body(&mut third).await?);
    }
    Ok(())
}

pub async fn a_cancelled_wait_loses_nothing(queue: Subject) -> Result<()> {
    let mut consumer = queue.consume(IMPORT).await?;
    let expected: BTreeSet<Vec<u8>> = (0..50_u8).map(|n| vec![n]).collect();
    let mut seen = BTreeSet::new();
    for body in &expected {
        // Cancelled at once, often just as a message comes.
        for _ in 0..5 {
            if let Ok(delivery) = tokio::time::timeout(Duration::from_micros(200), consumer.next()).await {
                seen.insert(delivery.body().to_vec());
                delivery.ack().await;
            }
        }
        queue.publish(IMPORT, body).await?;
    }
    while seen != expected {
        seen.insert(next_body(&mut consumer).await?);
    }
    Ok(())
}

pub async fn nothing_is_lost_between_several_consumers(queue: Subject) -> Result<()> {
    const MESSAGES: u32 = 1_000;
    let (sender, mut seen) = tokio::sync::mpsc::channel(64);
    let mut consumers = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (queue, sender) = (queue.clone(), sender.clone());
        consumers.spawn(async move {
            let mut consumer = queue.consume(IMPORT).await?;
            for turn in n.. {
                let delivery = consumer.next().await;
                if turn % 10 == 0 {
                    continue; // Dropped without an ack: somebody gets it again.
                }
                let body = delivery.body().to_vec();
                delivery.ack().await;
                if sender.send(body).await.is_err() {
                    break; // All were seen.
                }
            }
            anyhow::Ok(())
        });
    }
    drop(sender);
    let publish = futures::stream::iter(0..MESSAGES)
        .map(|n| {
            let queue = queue.clone();
            async move { queue.publish(IMPORT, &n.to_be_bytes()).await }
        })
        .buffer_unordered(100)
        .map_err(anyhow::Error::from)
        .try_collect::<()>();
    let collect = async {
        let mut missing: BTreeSet<Vec<u8>> = (0..MESSAGES).map(|n| n.to_be_bytes().to_vec()).collect();
        while !missing.is_empty() {
            missing.remove(&seen.recv().await.context("the consumers live on")?);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::try_join!(publish, collect) }).await??;
    consumers.shutdown().await;
    Ok(())
}

pub async fn the_depth_tells_what_waits(queue: Subject) -> Result<()> {
    assert_eq!(queue.depth(IMPORT).await?, 0);
    for n in 0..3_u8 {
        queue.publish(IMPORT, &[n]).await?;
    }
    eventually("three wait", async || Ok((queue.depth(IMPORT).await? == 3).then_some(()))).await?;
    let mut consumer = queue.consume(IMPORT).await?;
    for _ in 0..3 {
        next_body(&mut consumer).await?;
    }
    eventually("none waits", async || Ok((queue.depth(IMPORT).await? == 0).then_some(()))).await?;
    Ok(())
}

pub async fn a_consumer_is_connected_before_it_is_asked_for_a_message(queue: Subject) -> Result<()> {
    let mut consumer = queue.consume(IMPORT).await?;
    eventually("it is connected", async || Ok(consumer.is_connected().then_some(()))).await?;
    queue.publish(IMPORT, b"x").await?;
    next_body(&mut consumer).await?;
    assert!(consumer.is_connected());
    Ok(())
}

pub async fn the_epoch_stays_as_it_is(queue: Subject) -> Result<()> {
    let epoch = queue.epoch();
    queue.publish(IMPORT, b"x").await?;
    assert_eq!(queue.epoch(), epoch);
    Ok(())
}
