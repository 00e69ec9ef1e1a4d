//! Landfall: api.
