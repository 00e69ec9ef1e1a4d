//! Landfall: backends.
