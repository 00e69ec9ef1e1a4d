//! The short part of the suite of faults. `make faults` runs the long one.

use anyhow::{Result, ensure};
use landfall_tests::faults::writes;

#[tokio::test(flavor = "multi_thread")]
async fn a_report_names_the_tables_that_were_written_to_during_the_copy() -> Result<()> {
    let moved = writes::a_site_arrives_while_it_is_written_to().await?;
    ensure!(moved.len() == 2, "{moved:?}");
    Ok(())
}
