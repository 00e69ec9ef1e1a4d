//! Errors as RFC 9457 problem details.
//!
//! A handler returns a [`Problem`]; it travels to the [`crate::edge`] as an extension of an empty response and is
//! written out there, where the request's id is known. So there is one place that makes the body of an error.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use landfall_common::codes::ErrorCode;
use landfall_common::migration::Refusal;
use landfall_common::ports::{CommitError, StoreError};
use landfall_common::records::RecordError;
use serde::Serialize;
use serde_json::{Map, Value};

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// How long a client leaves a store alone that does not answer.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(5);

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldFault>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// What happened, for people.
    pub(crate) fn detail(&self) -> String {
        self.0.detail.clone()
    }

    /// Not the request's fault: it may be made again.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.status.is_server_error()
    }
}

/// What is wrong with one field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldFault {
    /// The field, dotted: `source.url`.
    #[schema(example = "source.url")]
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// RFC 9457 problem details, with Landfall's members.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The page of the code, relative to the API's address.
    #[serde(rename = "type")]
    #[schema(example = "/errors/api.not_found")]
    kind: String,
    /// One line for people.
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What happened here.
    detail: String,
    /// Stable and dotted: what programs branch on.
    #[schema(example = "api.not_found")]
    code: &'static str,
    /// Finds the request in the logs.
    request_id: String,
    /// Every fault of the request's fields at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldFault>,
    /// Further members, by code: `migration` with `api.site_busy`.
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

impl Problem {
    /// A problem of the catalogue.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after: None,
        }))
    }

    /// 400: it cannot be read.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "api.bad_request", detail)
    }

    /// 422: it can be read, and fields of it are wrong.
    pub(crate) fn invalid(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.field, only.detail),
            several => format!("{} fields are not valid", several.len()),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "api.invalid", detail);
        problem.0.errors = errors;
        problem
    }

    /// 422 for one field.
    pub(crate) fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldFault { field: field.to_owned(), detail: detail.into() }])
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        let detail = "the request has no valid machine token";
        Self::new(StatusCode::UNAUTHORIZED, "api.unauthorized", detail)
    }

    /// 403.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "api.forbidden", detail)
    }

    /// 404: it is not there, or it is another organization's.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "api.not_found", format!("there is no such {what}"))
    }

    /// 409.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "api.conflict", detail)
    }

    /// 412: it is not at the version that `If-Match` names.
    pub(crate) fn changed() -> Self {
        let detail = "the thing is not at the version that If-Match names";
        Self::new(StatusCode::PRECONDITION_FAILED, "api.conflict", detail)
    }

    /// 429.
    pub(crate) fn rate_limited(wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "api.rate_limited", "too many requests").retry_after(wait)
    }

    /// 503.
    pub(crate) fn unavailable() -> Self {
        let detail = "the store does not answer";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "api.unavailable", detail).retry_after(UNAVAILABLE_WAIT)
    }

    /// 500. The cause is logged by the caller, once, and never shown.
    pub(crate) fn internal() -> Self {
        let detail = "the fault has been logged under the request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api.internal", detail)
    }

    /// Adds a member.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// Says when to come again.
    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The problem of a response that another layer made: by its status alone.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status.as_u16() {
            401 => return Self::unauthorized(),
            403 => ("api.forbidden", "this token may not do that"),
            404 => ("api.not_found", "there is nothing at this path"),
            405 => ("api.method_not_allowed", "the path does not take this method"),
            408 => ("api.timeout", "the request took too long"),
            409 => ("api.conflict", "the thing is in a state that does not allow this"),
            413 => ("api.too_large", "the body is too large"),
            415 => ("api.unsupported_media_type", "send application/json"),
            429 => ("api.rate_limited", "too many requests"),
            431 => ("api.too_large", "the headers are too large"),
            503 => return Self::unavailable(),
            other if other < 500 => ("api.bad_request", "the request cannot be read"),
            _server => return Self::internal(),
        };
        Self::new(status, code, detail)
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// Writes it out. `headers` are those of the response that carried it.
    pub(crate) fn render(self, request_id: &str, mut headers: HeaderMap) -> Response {
        let inner = *self.0;
        let title = ErrorCode::new(inner.code).entry().map_or("Error", |entry| entry.title);
        let body = ProblemBody {
            kind: format!("/errors/{}", inner.code),
            title: title.to_owned(),
            status: inner.status.as_u16(),
            detail: inner.detail,
            code: inner.code,
            request_id: request_id.to_owned(),
            errors: inner.errors,
            members: inner.members,
        };
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(wait) = inner.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if inner.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let json = serde_json::to_vec(&body).expect("a problem is plain data");
        let mut response = (inner.status, json).into_response();
        *response.headers_mut() = headers;
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the store does not answer");
                Self::unavailable()
            }
            StoreError::Broken(what) => {
                tracing::error!(error = what, "the store answers nonsense");
                Self::internal()
            }
        }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Store(error) => error.into(),
            RecordError::Unreadable { kind, id, source } => {
                tracing::error!(kind, id, error = %source, "a document cannot be read");
                Self::internal()
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::conflict(refusal.to_string())
    }
}

/// A commit that lost against another and was not tried again.
impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => {
                Self::conflict("somebody else changed it at the same time; read it again")
            }
            CommitError::Store(error) => error.into(),
        }
    }
}
