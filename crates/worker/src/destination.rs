//! Destinations: files, databases, and how they look to visitors.

pub mod database;
pub mod files;
pub mod probe;
