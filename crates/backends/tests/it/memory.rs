use std::sync::Arc;

use landfall_backends::memory::MemoryQueue;
use landfall_common::ports::Queue;

async fn fresh() -> (Arc<dyn Queue>, ()) {
    (Arc::new(MemoryQueue::new()), ())
}

landfall_testkit::queue_conformance!(fresh);
