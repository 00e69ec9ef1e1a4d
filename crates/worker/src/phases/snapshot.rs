//! The phase.
