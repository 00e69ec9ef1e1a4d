//! The long suite of faults (`make faults`): `landfall-faults [kills|cut-over|sleepers|servers|writes]…`.

use anyhow::Result;
use landfall_tests::faults;

#[tokio::main]
async fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    faults::run(&wanted).await
}
