use std::time::Duration;

use anyhow::{Context, Result};
use landfall_common::ports::{
    Commit, CommitError, DocumentWrite, DueQuery, EventWrite, Expect, OutboxWrite, Write,
};

use super::{Subject, commit, document, entry, members, put, set, with_document};
use crate::conformance::eventually;

const LANE: DueQuery =
    DueQuery { lane: String::new(), tenants: 10, per_tenant: 10, skip_tenants: 0, skip_entries: 0, epoch: 0 };

/// A commit that does something of everything.
fn of_everything() -> Commit {
    let mut all = commit();
    all.documents = vec![put("a", Expect::Version(1), b"2"), put("b", Expect::Absent, b"1")];
    all.events = vec![EventWrite { stream: "s".to_owned(), body: "{}".into(), keep: None }];
    all.outbox = vec![entry("e", "", "t", Duration::ZERO)];
    all.index = vec![set("i", "m", 1)];
    all
}

pub async fn a_conflict_leaves_nothing_half_written(store: Subject) -> Result<()> {
    store.commit(&with_document(put("a", Expect::Absent, b"1"))).await?;
    let stale = DocumentWrite { write: Write::Keep, ..put("c", Expect::Version(7), b"") };
    let claim =
        OutboxWrite::Claim { id: "none".to_owned(), due: Default::default(), hide: Duration::ZERO, epoch: 1 };
    let by_document = {
        let mut all = of_everything();
        all.documents.push(stale);
        (all, "migration/c")
    };
    let by_claim = {
        let mut all = of_everything();
        all.outbox.push(claim);
        (all, "outbox/none")
    };
    for (all, expected) in [by_document, by_claim] {
        match store.commit(&all).await {
            Err(CommitError::Conflict { what }) => assert_eq!(what, expected),
            other => panic!("{expected} should conflict: {other:?}"),
        }
        assert_eq!(document(&store, "a").await?.context("as before")?.body, "1");
        assert_eq!(document(&store, "b").await?, None);
        assert!(store.events("s", 0, 10).await?.is_empty());
        assert!(store.due(&LANE).await?.1.is_empty());
        assert_eq!(store.next_due("").await?, None);
        assert!(members(&store, "i").await?.is_empty());
    }
    // The same without the fault goes through, numbers from 1.
    store.commit(&of_everything()).await?;
    assert_eq!(store.events("s", 0, 10).await?.first().context("an event")?.id, 1);
    Ok(())
}

pub async fn the_same_request_again_returns_the_first_result(store: Subject) -> Result<()> {
    store.commit(&with_document(put("a", Expect::Absent, b"1"))).await?;
    let all = of_everything();
    let first = store.commit(&all).await?;
    store.commit(&with_document(put("a", Expect::Version(2), b"3"))).await?;
    assert_eq!(store.commit(&all).await?, first, "although the document has moved on");
    assert_eq!(document(&store, "a").await?.context("it is there")?.body, "3");
    assert_eq!(store.events("s", 0, 10).await?.len(), 1);
    Ok(())
}

pub async fn a_request_sent_many_times_at_once_happens_once(store: Subject) -> Result<()> {
    store.commit(&with_document(put("a", Expect::Absent, b"1"))).await?;
    let all = of_everything();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (store, all) = (store.clone(), all.clone());
        senders.spawn(async move { store.commit(&all).await });
    }
    let mut results = Vec::new();
    while let Some(sender) = senders.join_next().await {
        results.push(sender??);
    }
    results.dedup();
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!(store.events("s", 0, 10).await?.len(), 1);
    assert_eq!(document(&store, "a").await?.context("it is there")?.version, 2);
    Ok(())
}

pub async fn the_time_of_a_commit_lies_between_the_loads_around_it(store: Subject) -> Result<()> {
    for round in 0..20 {
        let (before, _) = store.load(&[]).await?;
        let mut one = commit();
        one.events = vec![EventWrite { stream: "s".to_owned(), body: "{}".into(), keep: None }];
        let at = store.commit(&one).await?.at;
        let (after, _) = store.load(&[]).await?;
        assert!(before <= at && at <= after, "{before:?} {at:?} {after:?}");
        assert_eq!(store.events("s", round, 1).await?.first().context("the event")?.at, at);
    }
    Ok(())
}

pub async fn the_store_says_that_it_is_well(store: Subject) -> Result<()> {
    store.check().await?;
    Ok(())
}

pub async fn ephemeral_values_read_back_and_end(store: Subject) -> Result<()> {
    let hour = Duration::from_secs(3600);
    store.put_ephemeral("a", b"\x00\xff".as_slice().into(), hour).await?;
    store.put_ephemeral("b", "first".into(), hour).await?;
    store.put_ephemeral("b", "second".into(), Duration::from_millis(30)).await?;
    let keys = ["b".to_owned(), "none".to_owned(), "a".to_owned()];
    let [b, none, a] = &store.ephemeral(&keys).await?[..] else { panic!("three answers for three keys") };
    assert_eq!((a.as_deref(), none), (Some(b"\x00\xff".as_slice()), &None));
    assert!(b.is_none() || b.as_deref() == Some(b"second"), "{b:?}");
    eventually("it ends", async || Ok(store.ephemeral(&keys).await?[0].is_none().then_some(()))).await?;
    assert!(store.ephemeral(&[]).await?.is_empty());
    Ok(())
}
