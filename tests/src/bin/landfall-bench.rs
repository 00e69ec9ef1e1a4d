//! The benchmarks of whole migrations: `landfall-bench speed` (`make bench`) and `landfall-bench memory`
//! (`make bench-memory`).

use anyhow::{Result, bail};
use landfall_tests::bench::{memory, speed};

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("speed") => speed::run().await,
        Some("memory") => memory::run().await,
        other => bail!("{}: speed or memory", other.unwrap_or("no benchmark named")),
    }
}
