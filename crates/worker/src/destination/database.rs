//! The destination database.
