//! Landfall: rewrite.
