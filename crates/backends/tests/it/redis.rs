use std::sync::Arc;

use landfall_backends::redis::{RedisOptions, RedisStore};
use landfall_common::ports::Store;

use crate::servers;

async fn fresh() -> (Arc<dyn Store>, ()) {
    let mut options = RedisOptions::new(servers::redis().await.url());
    options.prefix = servers::unique("test");
    (Arc::new(RedisStore::open(&options).unwrap()), ())
}

landfall_testkit::store_conformance!(fresh);
