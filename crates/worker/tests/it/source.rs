//! The source client against a real WordPress with the plugin in it: what it reads is what is there, wherever the
//! connection breaks, and each thing that goes wrong has its code.

#![expect(clippy::unwrap_used, reason = "what a test's own fixtures cannot do fails the test")]

mod cutter;
mod failures;
mod files;
mod plugin;
mod rows;
mod site;
mod wizard;
