//! Event streams.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use futures::StreamExt;
use landfall_api::Limits;
use landfall_common::event::{Event, EventKind};
use landfall_common::migration::Command;
use landfall_common::ports::{Commit, EventWrite};
use landfall_common::progress::{Count, Progress};
use landfall_common::{MigrationId, Phase};
use serde_json::Value;

use crate::app::{App, Caller, organization};
use crate::faulty::Fault;

/// No test waits longer for what has to come.
const LIMIT: Duration = Duration::from_secs(10);

/// One message of a stream.
#[derive(Debug, Default, Clone, PartialEq)]
struct Message {
    name: String,
    id: Option<u64>,
    data: String,
    comment: String,
}

/// A stream that is read.
struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(caller: &Caller, id: &str, last: Option<u64>) -> Self {
        let mut request = caller.request(Method::GET, &format!("/v1/migrations/{id}/events"), None);
        request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.to_string().parse().unwrap());
        }
        let response = caller.open(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next message; none at the end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut message = Message::default();
                for line in block.lines() {
                    match line.split_once(':') {
                        Some(("", comment)) => message.comment = comment.trim().to_owned(),
                        Some(("id", id)) => message.id = id.trim().parse().ok(),
                        Some(("event", name)) => message.name = name.trim().to_owned(),
                        Some(("data", data)) => message.data.push_str(data.trim()),
                        Some(_) | None => {}
                    }
                }
                self.text = rest.to_owned();
                return Some(message);
            }
            let chunk = tokio::time::timeout(LIMIT, self.body.next()).await.expect("something comes")?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    /// The next message that is no comment.
    async fn told(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message.comment.is_empty() {
                return message;
            }
        }
    }

    /// The ids of the next lines of the timeline.
    async fn ids(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let message = self.told().await;
            if message.name.is_empty() {
                let data: Value = serde_json::from_str(&message.data).unwrap();
                assert_eq!(data["id"].as_u64(), message.id);
                ids.push(message.id.expect("a line of the timeline has an id"));
            }
        }
        ids
    }
}

async fn scene(limits: Limits) -> (App, Caller, String) {
    let app = App::with(limits);
    let owner = app.role("owner", organization()).await;
    owner.noop_site("probe").await;
    let id = owner.noop_migration("probe").await;
    (app, owner, id)
}

/// Appends lines to the timeline, of which the store keeps `keep`.
async fn append(app: &App, id: &str, count: usize, keep: u32) {
    for number in 0..count {
        let mut commit = Commit::new(app.records.request());
        let event = Event::new(EventKind::Step, format!("line {number}"));
        let body = serde_json::to_vec(&event).unwrap().into();
        commit.events.push(EventWrite { stream: id.to_owned(), body, keep: Some(keep) });
        app.direct.commit(&commit).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_brings_what_was_and_then_what_comes() {
    let (app, owner, id) = scene(App::limits()).await;
    let mut stream = Stream::open(&owner, &id, None).await;
    assert_eq!(stream.ids(1).await, [1]);
    app.claim(&id).await;
    assert_eq!(stream.ids(1).await, [2]);
    append(&app, &id, 5, 2000).await;
    assert_eq!(stream.ids(5).await, [3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_last_id() {
    let (app, owner, id) = scene(App::limits()).await;
    append(&app, &id, 9, 2000).await;
    let mut stream = Stream::open(&owner, &id, Some(7)).await;
    assert_eq!(stream.ids(3).await, [8, 9, 10]);
    drop(stream);
    append(&app, &id, 2, 2000).await;
    let mut stream = Stream::open(&owner, &id, Some(10)).await;
    assert_eq!(stream.ids(2).await, [11, 12]);
}

#[tokio::test]
async fn after_trimming_a_client_is_told_to_begin_anew() {
    let (app, owner, id) = scene(App::limits()).await;
    // How far a store trims beyond what it keeps is its own affair; it does so at some time.
    append(&app, &id, 400, 5).await;
    let store = app.records.store();
    let first = store.events(&id, 0, 1).await.unwrap()[0].id;
    assert!(first > 10, "the store trimmed: {first}");
    let mut stream = Stream::open(&owner, &id, Some(3)).await;
    let reset = stream.told().await;
    assert_eq!(
        (reset.name.as_str(), reset.id, reset.data.as_str()),
        ("reset", None, format!("{{\"first\":{first}}}").as_str())
    );
    assert_eq!(stream.ids(1).await, [first]);
}

#[tokio::test]
async fn an_id_that_the_timeline_never_had_begins_anew() {
    // The store went back in time, as after a fail-over.
    let (_app, owner, id) = scene(App::limits()).await;
    let mut stream = Stream::open(&owner, &id, Some(500)).await;
    assert_eq!(stream.told().await.name, "reset");
    assert_eq!(stream.ids(1).await, [1]);
}

#[tokio::test]
async fn progress_comes_without_id_and_only_when_it_changed() {
    let limits = Limits { live_progress_every: Duration::from_millis(20), ..App::limits() };
    let (app, owner, id) = scene(limits).await;
    let mut stream = Stream::open(&owner, &id, None).await;
    stream.ids(1).await;
    for done in 1..=3 {
        let mut progress = Progress::at(Phase::Snapshot, "copy_files");
        progress.files = Count { done, total: Some(3) };
        let value: Bytes = serde_json::to_vec(&progress).unwrap().into();
        let store = app.records.store();
        store.put_ephemeral(&format!("progress/{id}"), value, Duration::from_secs(60)).await.unwrap();
        let message = stream.told().await;
        assert_eq!((message.name.as_str(), message.id), ("progress", None));
        let data: Value = serde_json::from_str(&message.data).unwrap();
        assert_eq!(data["files"]["done"], done);
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let limits = Limits { live_keepalive: Duration::from_millis(30), ..App::limits() };
    let (_app, owner, id) = scene(limits).await;
    let mut stream = Stream::open(&owner, &id, Some(1)).await;
    let mut comments = 0;
    while comments < 3 {
        let message = stream.next().await.unwrap();
        comments += usize::from(message.comment == "keepalive");
    }
}

#[tokio::test]
async fn many_clients_are_served_by_one_reader_and_miss_nothing() {
    let (app, owner, id) = scene(App::limits()).await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(Stream::open(&owner, &id, None).await);
    }
    append(&app, &id, 40, 2000).await;
    let expected: Vec<u64> = (1..=41).collect();
    for stream in &mut streams {
        assert_eq!(stream.ids(41).await, expected);
    }
}

#[tokio::test]
async fn a_client_slower_than_the_timeline_gets_it_whole() {
    let (app, owner, id) = scene(App::limits()).await;
    let mut stream = Stream::open(&owner, &id, None).await;
    assert_eq!(stream.ids(1).await, [1]);
    // More than the fan-out and the connection hold for it.
    append(&app, &id, 600, 2000).await;
    assert_eq!(stream.ids(600).await, (2..=601).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_store_that_was_away_leaves_no_gap() {
    let (app, owner, id) = scene(App::limits()).await;
    let mut stream = Stream::open(&owner, &id, None).await;
    assert_eq!(stream.ids(1).await, [1]);
    for _ in 0..2 {
        app.fault(Fault::Unavailable);
        append(&app, &id, 3, 2000).await;
        app.fault(Fault::None);
        append(&app, &id, 1, 2000).await;
    }
    assert_eq!(stream.ids(8).await, (2..=9).collect::<Vec<u64>>());
}

#[tokio::test]
async fn streams_are_counted_and_their_places_come_back() {
    let (_app, owner, id) = scene(Limits { live_clients_max: 2, ..App::limits() }).await;
    let first = Stream::open(&owner, &id, None).await;
    let _second = Stream::open(&owner, &id, None).await;
    let request = || {
        let mut request = owner.request(Method::GET, &format!("/v1/migrations/{id}/events"), None);
        request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
        request
    };
    owner.send(request()).await.problem(503, "api.unavailable");
    drop(first);
    tokio::time::timeout(LIMIT, async {
        while owner.open(request()).await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the place comes back");
}

#[tokio::test]
async fn a_stream_ends_after_its_time_so_that_its_token_is_looked_at_again() {
    let (_app, owner, id) = scene(Limits { live_time: Duration::from_millis(80), ..App::limits() }).await;
    let mut stream = Stream::open(&owner, &id, None).await;
    tokio::time::timeout(LIMIT, async { while stream.next().await.is_some() {} }).await.expect("it ends");
}

#[tokio::test]
async fn a_stream_of_another_organization_does_not_exist() {
    let (app, _owner, id) = scene(App::limits()).await;
    let stranger = app.role("owner", organization()).await;
    let mut request = stranger.request(Method::GET, &format!("/v1/migrations/{id}/events"), None);
    request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    stranger.send(request).await.problem(404, "api.not_found");
}

#[tokio::test]
async fn pages_of_the_timeline_follow_each_other() {
    let (app, owner, id) = scene(App::limits()).await;
    append(&app, &id, 6, 2000).await;
    let page = owner.get(&format!("/v1/migrations/{id}/events?limit=4")).await.expect(StatusCode::OK);
    assert_eq!((page["items"].as_array().unwrap().len(), page["next_after"].as_u64()), (4, Some(4)));
    let page = owner.get(&format!("/v1/migrations/{id}/events?limit=4&after=4")).await.expect(StatusCode::OK);
    assert_eq!((page["items"].as_array().unwrap().len(), page["next_after"].as_u64()), (3, None));
    let past =
        owner.get(&format!("/v1/migrations/{id}/events?after={}", u64::MAX)).await.expect(StatusCode::OK);
    assert!(past["items"].as_array().unwrap().is_empty());
    let known: MigrationId = id.parse().unwrap();
    app.apply(&known.to_string(), Command::Cancel { by: "a test".to_owned() }).await;
}
