//! What handlers take from a request, with problems in place of axum's own rejections.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{self, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Problem::of_status(rejection.status()))?;
        parse(&body).map(Self)
    }
}

/// Parses a body: what is no JSON at all is 400, what is JSON of another shape is 422 and names the field.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Without this, serde would take an array for an object, member by member.
    if body.trim_ascii_start().first() != Some(&b'{') {
        let syntax = serde_json::from_slice::<serde::de::IgnoredAny>(body);
        syntax.map_err(|error| Problem::bad_request(format!("not JSON: {error}")))?;
        return Err(Problem::bad_request("the body has to be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        let detail = inner.to_string();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::invalid_field(&field, without_value(&detail)),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => Problem::bad_request(format!("not JSON: {detail}")),
        }
    })?;
    reader.end().map_err(|error| Problem::bad_request(format!("not JSON: {error}")))?;
    Ok(value)
}

/// What was expected, without the value that came instead: it may be a secret in the wrong place.
fn without_value(detail: &str) -> String {
    let detail = detail.rsplit_once(" at line ").map_or(detail, |(what, _where)| what);
    let repeats =
        ["invalid type", "invalid value", "unknown variant"].iter().any(|kind| detail.starts_with(kind));
    match detail.rsplit_once(", expected ") {
        Some((_value, expected)) if repeats => format!("expected {expected}"),
        Some(_) | None if repeats => "is not what the field takes".to_owned(),
        Some(_) | None => detail.to_owned(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Query parameters. Unknown ones are refused by the type (`deny_unknown_fields`).
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

/// The id in the path. One that cannot be an id names nothing: 404, like one that nothing has.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::of_status(StatusCode::NOT_FOUND);
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

/// `If-Match`: the version that the caller saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IfMatch(Option<u64>);

impl IfMatch {
    /// Refuses a thing that is at another version.
    pub(crate) fn check(self, version: u64) -> Result<(), Problem> {
        match self.0 {
            Some(seen) if seen != version => Err(Problem::changed()),
            Some(_) | None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        match value.to_str().map(str::trim) {
            Ok("*") => Ok(Self(None)),
            Ok(text) => text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .and_then(|text| text.parse().ok())
                .map(|version| Self(Some(version)))
                // Not one of our tags, so it matches nothing.
                .ok_or_else(Problem::changed),
            Err(_) => Err(Problem::bad_request("If-Match is not text")),
        }
    }
}

/// An `ETag` of a version.
pub(crate) fn etag(version: u64) -> (HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}

/// W3C trace context of the request; empty where there is none or it is malformed.
#[derive(Debug, Clone)]
pub(crate) struct TraceParent(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for TraceParent {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let value = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
        Ok(Self(value.filter(|value| is_traceparent(value)).unwrap_or_default().to_owned()))
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
fn is_traceparent(value: &str) -> bool {
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_set = |part: &str| part.bytes().any(|b| b != b'0');
    match value.split('-').collect::<Vec<_>>().as_slice() {
        ["00", trace, span, flags] => {
            is_hex(trace, 32) && is_set(trace) && is_hex(span, 16) && is_set(span) && is_hex(flags, 2)
        }
        _other => false,
    }
}

/// Whether the client prefers a media type over JSON: it names it, and no `*/*` or JSON stands before it.
pub(crate) fn prefers(headers: &HeaderMap, media: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .find(|range| ["*/*", "application/*", "application/json", media].contains(range))
        .is_some_and(|range| range == media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_context_is_taken_only_whole() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn json_wins_unless_the_other_type_comes_first() {
        let accept = |value: &str| HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())]);
        assert!(prefers(&accept("text/plain"), "text/plain"));
        assert!(prefers(&accept("text/html, text/plain;q=0.9, */*"), "text/plain"));
        assert!(!prefers(&accept("application/json, text/plain"), "text/plain"));
        assert!(!prefers(&accept("*/*"), "text/plain"));
        assert!(!prefers(&HeaderMap::new(), "text/plain"));
    }
}
