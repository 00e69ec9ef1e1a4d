//! Destinations: files and databases.

pub mod database;
pub mod files;
