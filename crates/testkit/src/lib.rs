//! Landfall: testkit.

pub mod conformance;
pub mod lab;
