//! The contracts of the ports as tests: each property is one function, and every implementation runs all of them.
//!
//! An implementation's test binary names them through the macros, with a function that starts a fresh subject:
//!
//! ```text
//! mod store {
//!     async fn fresh() -> (Arc<dyn Store>, Guard) { … }
//!     landfall_testkit::store_conformance!(fresh);
//! }
//! ```
//!
//! The second half of the pair lives as long as the test: a folder, a server.

pub mod queue;
pub mod staging;
pub mod store;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a property waits for what must come about by itself.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a test of each named property. `$fresh` is an async function that returns the subject and what must outlive it.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:path, $suite:ident: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (subject, _guard) = $fresh().await;
                $crate::conformance::$suite::$name(subject).await.unwrap();
            }
        )+
    };
}
