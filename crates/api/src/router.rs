//! All routes. They are mounted through `routes!` alone, which mounts and describes in one: a route that is not in
//! the OpenAPI description cannot be reached.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::state::ApiState;
use crate::{
    edge, enrolments, error_pages, health, holds, migrations, openapi, organizations, plugin, sites, support,
    tokens,
};

/// The API as a router: what [`crate::serve()`] serves, and what tests call without a network.
pub fn router(state: ApiState) -> Router {
    let (router, _description) = described().split_for_parts();
    router
        .fallback(async || Problem::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(state.limits.body_bytes_max))
        .layer(middleware::from_fn_with_state(state.clone(), edge::edge))
        .with_state(state)
}

/// The routes and their description.
pub(crate) fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::Base::openapi())
        .routes(routes!(migrations::create::create_migration, migrations::list::list_migrations))
        .routes(routes!(migrations::show::show_migration))
        .routes(routes!(migrations::events::migration_events))
        .routes(routes!(migrations::report::migration_report))
        .routes(routes!(migrations::steer::cancel_migration))
        .routes(routes!(migrations::steer::pause_migration))
        .routes(routes!(migrations::steer::resume_migration))
        .routes(routes!(migrations::steer::roll_back_migration))
        .routes(routes!(sites::create::create_site, sites::list::list_sites))
        .routes(routes!(sites::list::show_site))
        .routes(routes!(sites::credentials::replace_credentials))
        .routes(routes!(tokens::create::create_token, tokens::list::list_tokens))
        .routes(routes!(tokens::list::revoke_token))
        .routes(routes!(enrolments::create::enrol))
        .routes(routes!(enrolments::status::enrolment_status))
        .routes(routes!(support::list::list_cases))
        .routes(routes!(support::list::show_case))
        .routes(routes!(support::replay::replay_case))
        .routes(routes!(support::resolve::resolve_case))
        .routes(routes!(support::desk::claim_case))
        .routes(routes!(support::desk::release_case))
        .routes(routes!(support::desk::note_case))
        .routes(routes!(support::bundle::case_bundle))
        .routes(routes!(support::groups::case_groups))
        .routes(routes!(support::bulk::replay_cases))
        .routes(routes!(holds::list_holds))
        .routes(routes!(holds::set_hold, holds::lift_hold))
        .routes(routes!(organizations::show_settings, organizations::change_settings))
        .routes(routes!(plugin::plugin_zip))
        .routes(routes!(error_pages::error_page))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics_page))
        .routes(routes!(openapi::openapi_json))
}
