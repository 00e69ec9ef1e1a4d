//! What `make bench…` measures: each figure beside another of the same run, never beside a number of another machine.
#![expect(clippy::print_stdout, reason = "the figures are there to be read")]

pub mod memory;
pub mod speed;
