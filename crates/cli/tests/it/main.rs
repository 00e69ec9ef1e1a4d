//! The binary as its users run it: `landfall dev` on a folder of its own, and the client commands against it.

mod bench;
mod commands;
mod configuration;
mod dev;
mod rewrite;
mod support;
