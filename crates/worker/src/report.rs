//! The report of a migration: the proof that its owner can read.
