//! `GET /v1/migrations/{id}/events`, as JSON and as server-sent events.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use landfall_common::MigrationId;
use landfall_common::event::Event;
use landfall_common::ports::StoredLine;
use landfall_common::records::stream;
use serde::{Deserialize, Serialize};

use super::visible;
use crate::auth::Principal;
use crate::extract::{Params, PathId, prefers};
use crate::live;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::view::Moment;

/// Most events of a page.
const LIMIT_MAX: usize = 500;
/// No event has a higher id: stores count exactly up to 2^53.
const ID_MAX: u64 = 1 << 53;
/// Events of a page where the client does not say.
const LIMIT_USUAL: usize = 100;

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Only events with a higher id.
    after: Option<u64>,
    /// Most events of a page, 1 to 500; 100 where absent. Not for event streams.
    limit: Option<usize>,
}

/// One line of the timeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    /// Its number in the timeline, from 1.
    id: u64,
    at: Moment,
    /// What happened.
    #[schema(value_type = String, example = "slice_claimed")]
    kind: serde_json::Value,
    /// One sentence for people.
    message: String,
    /// Facts for programs.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Option<Object>)]
    facts: serde_json::Value,
    /// Who asked for it; absent where nobody did.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(value_type = Option<String>)]
    by: String,
}

/// A page of the timeline, oldest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EventsPage {
    items: Vec<EventView>,
    /// `after` of the next page; absent where there is nothing newer yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<u64>,
    /// Whether events between `after` and the first item were trimmed.
    is_trimmed: bool,
}

impl EventView {
    /// The view of a stored line; one that cannot be read is shown as unknown, so that the timeline goes on.
    pub(crate) fn new(line: &StoredLine) -> Self {
        let kind = serde_json::from_slice::<serde_json::Value>(&line.body)
            .ok()
            .and_then(|mut value| value.get_mut("kind").map(serde_json::Value::take));
        let event = serde_json::from_slice::<Event>(&line.body).ok();
        let (message, facts, by) =
            event.map_or_else(Default::default, |event| (event.message, event.facts, event.by));
        // The kind as it was written: this version may not know the kinds of a newer one.
        Self { id: line.id, at: Moment(line.at), kind: kind.unwrap_or("unknown".into()), message, facts, by }
    }
}

/// The timeline of a migration.
///
/// With `Accept: text/event-stream` it goes on: unnamed events carry the lines of the timeline and their ids,
/// `progress` carries live progress, `reset` says that lines after your `Last-Event-ID` were trimmed and that what
/// follows begins later.
#[utoipa::path(
    get, path = "/v1/migrations/{id}/events", tag = "migrations",
    params(
        ("id" = String, Path, description = "The migration"),
        EventsQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "For event streams: the last id that you saw"),
    ),
    responses(
        (status = 200, description = "The timeline", content(
            (EventsPage = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn migration_events(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<MigrationId>,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    visible(&state, &principal, id).await?;
    if prefers(&headers, "text/event-stream") {
        let last = last_event_id(&headers)?.or(query.after);
        return live::follow(&state, id, last.map(|last| last.min(ID_MAX)));
    }
    let limit = query.limit.unwrap_or(LIMIT_USUAL);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("limit has to be 1 to {LIMIT_MAX}")));
    }
    let after = query.after.unwrap_or_default().min(ID_MAX);
    let lines = state.records.store().events(&stream::migration(id), after, limit).await?;
    let page = EventsPage {
        is_trimmed: lines.first().is_some_and(|first| first.id > after.saturating_add(1)),
        next_after: lines.last().filter(|_| lines.len() == limit).map(|last| last.id),
        items: lines.iter().map(EventView::new).collect(),
    };
    Ok(Json(page).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .map(Some)
        .ok_or_else(|| Problem::bad_request("Last-Event-ID is not a number of this stream"))
}
