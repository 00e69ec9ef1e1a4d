//! Landfall: scheduler.
