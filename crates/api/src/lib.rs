//! Landfall's HTTP edge: the JSON API, its OpenAPI description and the server-sent events.
//!
//! It parses, authenticates, and turns requests into commits to the store. It never runs a phase, never publishes
//! to a queue and never opens the secret of a site: what a request makes necessary is in the outbox of its own
//! commit, and the scheduler takes it from there.
//!
//! Every request passes one layer (`edge`) on its way in and out, and every error leaves as a problem (`problem`).

mod audit;
mod auth;
mod edge;
mod enrolments;
mod error_pages;
mod extract;
mod health;
mod holds;
mod idempotency;
mod ip;
mod live;
mod measures;
mod migrations;
mod openapi;
mod options;
mod organizations;
mod paging;
mod plugin;
mod problem;
mod rate;
mod router;
mod serve;
mod sites;
mod state;
mod support;
mod tokens;
mod validate;
mod view;

pub use openapi::description;
pub use options::{ApiOptions, Limits, Rate};
pub use router::router;
pub use serve::serve;
pub use state::ApiState;
