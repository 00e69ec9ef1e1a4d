//! Tests of the testkit itself, against the real servers.

mod servers;
mod sites;
