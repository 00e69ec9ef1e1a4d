//! Landfall: testkit.
