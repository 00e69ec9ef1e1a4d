use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use landfall_common::ports::{Commit, EventWrite};

use super::{Subject, commit};

const WAIT: Duration = Duration::from_secs(10);

fn event(stream: &str, body: impl Into<Bytes>, keep: Option<u32>) -> EventWrite {
    EventWrite { stream: stream.to_owned(), body: body.into(), keep }
}

fn with_events(events: Vec<EventWrite>) -> Commit {
    Commit { events, ..commit() }
}

pub async fn events_are_numbered_without_gaps_in_each_stream(store: Subject) -> Result<()> {
    for round in 0..10 {
        let a = [event("a", format!("a{round}.1"), Some(100)), event("a", format!("a{round}.2"), Some(100))];
        let [first, second] = a;
        store.commit(&with_events(vec![first, event("b", "b", None), second])).await?;
    }
    let lines = store.events("a", 0, 100).await?;
    assert_eq!(lines.iter().map(|line| line.id).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!((lines[0].body.clone(), lines[19].body.clone()), ("a0.1".into(), "a9.2".into()));
    assert_eq!(lines[0].at, lines[1].at, "one commit has one time");
    assert_eq!(store.events("b", 0, 100).await?.len(), 10);

    let page = store.events("a", 7, 3).await?;
    assert_eq!(page.iter().map(|line| line.id).collect::<Vec<_>>(), [8, 9, 10]);
    assert!(store.events("a", 20, 3).await?.is_empty());
    assert!(store.events("a", u64::MAX, 3).await?.is_empty());
    assert!(store.events("a", 0, 0).await?.is_empty());
    assert!(store.events("never written", 0, 3).await?.is_empty());
    Ok(())
}

pub async fn a_trimmed_stream_keeps_the_newest_and_its_numbers(store: Subject) -> Result<()> {
    for _ in 0..20 {
        store.commit(&with_events((0..50).map(|_| event("a", "{}", Some(10))).collect())).await?;
    }
    let lines = store.events("a", 0, 10_000).await?;
    assert!((10..=400).contains(&lines.len()), "{} of 1,000 are left", lines.len());
    assert!(lines[0].id > 1, "the reader sees that older ones were trimmed");
    assert_eq!(lines.last().context("a line")?.id, 1_000);
    assert!(lines.windows(2).all(|pair| pair[1].id == pair[0].id + 1));
    Ok(())
}

pub async fn a_stream_without_a_limit_keeps_everything(store: Subject) -> Result<()> {
    for _ in 0..10 {
        store.commit(&with_events((0..50).map(|_| event("audit", "{}", None)).collect())).await?;
    }
    assert_eq!(store.events("audit", 0, 10_000).await?.len(), 500);
    Ok(())
}

pub async fn the_feed_tells_what_comes_from_now_on(store: Subject) -> Result<()> {
    let begun = Instant::now();
    let (empty, nothing) = store.feed(None, 10, Duration::ZERO).await?;
    assert!(nothing.is_empty());
    store.commit(&with_events(vec![event("before", "{}", None)])).await?;
    let (start, nothing) = store.feed(None, 10, Duration::from_millis(50)).await?;
    assert!(nothing.is_empty(), "{nothing:?} came before");
    assert!(begun.elapsed() < WAIT, "no longer than the wait");

    let (_, since) = store.feed(Some(&empty), 10, WAIT).await?;
    assert_eq!(since.first().context("from an empty feed")?.stream, "before");

    let waiting = tokio::spawn({
        let (store, start) = (store.clone(), start.clone());
        async move { store.feed(Some(&start), 10, WAIT).await }
    });
    let begun = Instant::now();
    store.commit(&with_events(vec![event("after", "{}", None)])).await?;
    let (next, lines) = waiting.await??;
    assert!(begun.elapsed() < WAIT / 2, "the reader was woken");
    let [line] = &lines[..] else { panic!("one line: {lines:?}") };
    assert_eq!((line.stream.as_str(), line.event, &line.position), ("after", 1, &next));
    Ok(())
}

pub async fn the_feed_goes_on_from_any_position(store: Subject) -> Result<()> {
    let (start, _) = store.feed(None, 10, Duration::ZERO).await?;
    for number in 0..30 {
        let stream = format!("stream {}", number % 3);
        store.commit(&with_events(vec![event(&stream, "{}", None)])).await?;
    }
    let mut seen = Vec::new();
    let mut position = start.clone();
    while seen.len() < 30 {
        let (next, lines) = store.feed(Some(&position), 7, WAIT).await?;
        assert!((1..=7).contains(&lines.len()), "{} lines", lines.len());
        seen.extend(lines);
        position = next;
    }
    for (number, line) in (0_u64..).zip(&seen) {
        assert_eq!((line.stream.clone(), line.event), (format!("stream {}", number % 3), number / 3 + 1));
    }
    let (_, again) = store.feed(Some(&seen[9].position), 100, WAIT).await?;
    assert_eq!(again, seen[10..]);
    let (stays, nothing) = store.feed(Some(&position), 10, Duration::ZERO).await?;
    assert_eq!((stays, nothing), (position, Vec::new()));
    assert!(store.feed(Some("nonsense"), 10, Duration::ZERO).await.is_err());
    Ok(())
}

pub async fn every_waiting_reader_of_the_feed_wakes(store: Subject) -> Result<()> {
    let (start, _) = store.feed(None, 10, Duration::ZERO).await?;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (store, start) = (store.clone(), start.clone());
        readers.spawn(async move { store.feed(Some(&start), 10, WAIT).await });
    }
    let begun = Instant::now();
    // Calls of another kind are not held up by readers that wait.
    store.load(&[]).await?;
    store.commit(&with_events(vec![event("a", "{}", None)])).await?;
    while let Some(reader) = readers.join_next().await {
        assert_eq!(reader??.1.len(), 1);
    }
    assert!(begun.elapsed() < WAIT / 2);
    Ok(())
}

pub async fn the_feed_keeps_the_newest_10000_lines(store: Subject) -> Result<()> {
    const LINES: usize = 13_000;
    let (start, _) = store.feed(None, 10, Duration::ZERO).await?;
    for _ in 0..LINES / 100 {
        store.commit(&with_events((0..100).map(|_| event("a", "{}", Some(10))).collect())).await?;
    }
    // A reader that was away for too long gets what is left, and sees by the numbers what it missed.
    let (_, lines) = store.feed(Some(&start), usize::MAX, Duration::ZERO).await?;
    assert!((10_000..LINES).contains(&lines.len()), "{} lines", lines.len());
    assert_eq!(lines.last().context("a line")?.event, LINES as u64);
    Ok(())
}
