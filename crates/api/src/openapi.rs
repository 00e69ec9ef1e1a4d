//! The OpenAPI 3.1 description, made from the routes themselves.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

/// What holds for all routes.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(
    info(
        title = "Landfall",
        description = "Moves WordPress sites onto the platform.\n\nEvery error is an RFC 9457 problem with a stable \
            `code`; every answer has an `x-request-id`. Ids are opaque. Times are RFC 3339, by the store's clock.",
    ),
    modifiers(&Bearer),
    security(("machine_token" = [])),
    tags(
        (name = "migrations", description = "One source site brought to one destination"),
        (name = "sites", description = "Sites on the platform: where migrations go to"),
        (name = "machine tokens", description = "Credentials of the plugin and of services"),
        (name = "enrolments", description = "How the source's plugin joins its migration"),
        (name = "support", description = "What retries could not cure"),
        (name = "operation", description = "Holds, and what an organization gets"),
        (name = "plugin", description = "The WordPress plugin"),
        (name = "errors", description = "What an error code means"),
        (name = "health", description = "For the platform that runs this"),
    ),
)]
pub(crate) struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("lfm_…")
            .description(Some("A machine token"))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("machine_token", SecurityScheme::Http(scheme));
    }
}

/// The description.
pub fn description() -> OpenApi {
    crate::router::described().into_openapi()
}

/// The same for every process of a version, so it is written once.
static JSON: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec_pretty(&description()).expect("a description is plain data").into());

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")),
)]
pub(crate) async fn openapi_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], JSON.clone()).into_response()
}
