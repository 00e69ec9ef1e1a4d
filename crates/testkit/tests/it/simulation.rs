//! The simulated ports keep the contracts of the real ones: what is found over them is found in the roles.

use landfall_testkit::simulation::{ProcessId, World};

const NOBODY: ProcessId = ProcessId(0);

mod store {
    use std::sync::Arc;

    use landfall_common::ports::Store;
    use landfall_testkit::simulation::SimStore;

    use super::{NOBODY, World};

    async fn fresh() -> (Arc<dyn Store>, ()) {
        (Arc::new(SimStore::new(World::direct().network(NOBODY))), ())
    }

    landfall_testkit::store_conformance!(fresh);
}

mod queue {
    use std::sync::Arc;

    use landfall_common::ports::Queue;
    use landfall_testkit::simulation::SimQueue;

    use super::{NOBODY, World};

    async fn fresh() -> (Arc<dyn Queue>, ()) {
        (Arc::new(SimQueue::new(World::direct().network(NOBODY))), ())
    }

    landfall_testkit::queue_conformance!(fresh);
}

mod staging {
    use std::sync::Arc;

    use landfall_common::ports::Staging;
    use landfall_testkit::simulation::SimStaging;

    use super::{NOBODY, World};

    async fn fresh() -> (Arc<dyn Staging>, ()) {
        (Arc::new(SimStaging::new(World::direct().network(NOBODY))), ())
    }

    landfall_testkit::staging_conformance!(fresh);
}
