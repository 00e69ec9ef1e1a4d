//! The names of the API's metrics. Labels are bounded: route templates, methods, statuses, codes; never an id.

/// Requests by `method`, `route` and `status`.
pub(crate) const REQUESTS: &str = "landfall_http_requests_total";
/// Seconds until the answer began, by `method` and `route`.
pub(crate) const REQUEST_SECONDS: &str = "landfall_http_request_seconds";
/// Problems by `code`.
pub(crate) const PROBLEMS: &str = "landfall_http_problems_total";
/// Event streams open now.
pub(crate) const LIVE_CLIENTS: &str = "landfall_http_live_clients";
/// Migrations accepted, by `source`.
pub(crate) const ACCEPTED: &str = "landfall_migrations_accepted_total";
/// Sources enrolled.
pub(crate) const ENROLLED: &str = "landfall_sources_enrolled_total";
