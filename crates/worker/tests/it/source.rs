//! The source client against a real WordPress with the plugin in it: what it reads is what is there, wherever the
//! connection breaks, and each thing that goes wrong has its code.

mod cutter;
mod failures;
mod files;
mod plugin;
mod rows;
mod site;
mod wizard;
