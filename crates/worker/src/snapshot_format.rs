//! The plain format of snapshots.
