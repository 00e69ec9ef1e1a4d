//! What the tests of phases share: slices without a worker, a staging storage in memory, sources made up.

pub(crate) mod made_up;
pub(crate) mod slices;
pub(crate) mod trees;

pub(crate) use slices::{FreeSlice, MemoryStaging, kill_after, migration};
