//! The destination files.
