//! Tests of the testkit itself, against the real servers.
#![expect(clippy::unwrap_used, reason = "helpers of tests end at the first surprise, as the tests do")]

mod servers;
mod simulation;
mod sites;
