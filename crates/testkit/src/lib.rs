//! Landfall: testkit.

pub mod conformance;
pub mod lab;
pub mod simulation;
