//! The servers that the tests share: one of each for the whole binary, with a prefix of its own for each test. They
//! end with the process (the lab's guardian sees to it).

use landfall_testkit::lab::{Lab, RabbitMq, Redis};
use tokio::sync::OnceCell;

static LAB: OnceCell<Lab> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();
static REDIS: OnceCell<Redis> = OnceCell::const_new();

pub(crate) async fn lab() -> &'static Lab {
    LAB.get_or_init(async || Lab::temporary().unwrap()).await
}

pub(crate) async fn redis() -> &'static Redis {
    REDIS.get_or_init(async || lab().await.redis("redis").await.unwrap()).await
}

pub(crate) async fn rabbitmq() -> &'static RabbitMq {
    RABBITMQ.get_or_init(async || lab().await.rabbitmq("rabbitmq").await.unwrap()).await
}

/// A name that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}
