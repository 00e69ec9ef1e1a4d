//! The API over a real embedded store, without a network except where the server itself is the subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod app;
mod description;
mod edge;
mod enrolments;
mod faulty;
mod garbage;
mod health;
mod live;
mod operation;
mod server;
mod sites;
mod steering;
mod submission;
mod support;
mod tenancy;
mod tokens;
mod written;
