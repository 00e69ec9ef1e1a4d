use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use landfall_common::ports::{
    CommitError, Document, DocumentKey, DocumentKind, DocumentWrite, Expect, Write,
};

use super::{Subject, commit, document, key, put, with_document};
use crate::conformance::eventually;

pub async fn a_written_document_reads_back_byte_for_byte(store: Subject) -> Result<()> {
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for (id, body) in
        [("empty", Bytes::new()), ("binary", Bytes::from(every_byte)), ("odd {id}: é*\n", "x".into())]
    {
        let write = DocumentWrite { write: Write::Put(body.clone()), ..put(id, Expect::Absent, b"") };
        store.commit(&with_document(write)).await?;
        assert_eq!(document(&store, id).await?, Some(Document { version: 1, body }), "{id}");
    }
    Ok(())
}

pub async fn documents_load_in_the_order_asked_for(store: Subject) -> Result<()> {
    let mut both = commit();
    both.documents = vec![put("a", Expect::Absent, b"A"), put("b", Expect::Absent, b"B")];
    both.documents[1].key.kind = DocumentKind::Site;
    store.commit(&both).await?;
    let site_b = DocumentKey::new(DocumentKind::Site, "b");
    let (time, found) = store.load(&[site_b, key("b"), key("a"), key("a")]).await?;
    let bodies: Vec<Option<Bytes>> =
        found.into_iter().map(|found| found.map(|document| document.body)).collect();
    assert_eq!(bodies, [Some("B".into()), None, Some("A".into()), Some("A".into())]);
    let (later, nothing) = store.load(&[]).await?;
    assert!(nothing.is_empty());
    assert!(later >= time);
    Ok(())
}

pub async fn every_expectation_is_checked(store: Subject) -> Result<()> {
    store.commit(&with_document(put("there", Expect::Absent, b"1"))).await?;
    store.commit(&with_document(put("there", Expect::Version(1), b"2"))).await?;
    let cases = [
        ("there", Expect::Absent, false),
        ("there", Expect::Version(1), false),
        ("there", Expect::Version(2), true),
        ("there", Expect::Version(3), false),
        ("there", Expect::Any, true),
        ("none", Expect::Absent, true),
        ("none", Expect::Version(0), false),
        ("none", Expect::Version(1), false),
        ("none", Expect::Any, true),
    ];
    for (id, expect, is_met) in cases {
        let keep = DocumentWrite { write: Write::Keep, ..put(id, expect, b"") };
        match store.commit(&with_document(keep)).await {
            Ok(_) => assert!(is_met, "{id} {expect:?} was met"),
            Err(CommitError::Conflict { what }) => {
                assert!(!is_met, "{id} {expect:?} was not met");
                assert_eq!(what, format!("migration/{id}"));
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    let kept = document(&store, "there").await?.context("it is there")?;
    assert_eq!((kept.version, kept.body), (2, "2".into()), "expecting changes nothing");
    assert_eq!(document(&store, "none").await?, None);
    store.commit(&with_document(put("none", Expect::Any, b"1"))).await?;
    store.commit(&with_document(put("none", Expect::Any, b"2"))).await?;
    assert_eq!(document(&store, "none").await?.map(|document| document.version), Some(2));
    Ok(())
}

pub async fn a_deleted_document_does_not_reuse_its_versions(store: Subject) -> Result<()> {
    for body in [b"1", b"2", b"3"] {
        store.commit(&with_document(put("a", Expect::Any, body))).await?;
    }
    let delete = DocumentWrite { write: Write::Delete, ..put("a", Expect::Version(3), b"") };
    store.commit(&with_document(delete.clone())).await?;
    assert_eq!(document(&store, "a").await?, None);
    let again = store.commit(&with_document(delete)).await;
    assert!(matches!(again, Err(CommitError::Conflict { .. })), "{again:?}");
    // Deleting what is not there is no error where nothing was expected.
    store
        .commit(&with_document(DocumentWrite { write: Write::Delete, ..put("a", Expect::Any, b"") }))
        .await?;
    store.commit(&with_document(put("a", Expect::Absent, b"new"))).await?;
    let version = document(&store, "a").await?.context("written again")?.version;
    assert!(version > 3, "version {version} was used before");
    Ok(())
}

pub async fn an_expired_document_is_absent_and_does_not_reuse_its_versions(store: Subject) -> Result<()> {
    let brief =
        DocumentWrite { expires_in: Some(Duration::from_millis(30)), ..put("a", Expect::Absent, b"1") };
    let lasting =
        DocumentWrite { expires_in: Some(Duration::from_secs(3600)), ..put("b", Expect::Absent, b"1") };
    store.commit(&with_document(brief)).await?;
    store.commit(&with_document(lasting)).await?;
    eventually("it expires", async || Ok(document(&store, "a").await?.is_none().then_some(()))).await?;
    assert!(document(&store, "b").await?.is_some());
    let stale = store.commit(&with_document(put("a", Expect::Version(1), b"x"))).await;
    assert!(matches!(stale, Err(CommitError::Conflict { .. })), "{stale:?}");
    store.commit(&with_document(put("a", Expect::Absent, b"new"))).await?;
    let version = document(&store, "a").await?.context("written again")?.version;
    assert!(version > 1, "version {version} was used before");
    Ok(())
}

pub async fn a_document_written_again_without_expiry_stays(store: Subject) -> Result<()> {
    let brief =
        DocumentWrite { expires_in: Some(Duration::from_millis(100)), ..put("a", Expect::Absent, b"1") };
    let witness =
        DocumentWrite { expires_in: Some(Duration::from_millis(200)), ..put("b", Expect::Absent, b"1") };
    store.commit(&with_document(brief)).await?;
    store.commit(&with_document(put("a", Expect::Any, b"2"))).await?;
    store.commit(&with_document(witness)).await?;
    eventually("the witness expires", async || Ok(document(&store, "b").await?.is_none().then_some(())))
        .await?;
    assert_eq!(document(&store, "a").await?.context("it stays")?.body, "2");
    Ok(())
}

pub async fn of_100_concurrent_commits_one_wins_each_version(store: Subject) -> Result<()> {
    store.commit(&with_document(put("a", Expect::Absent, b"start"))).await?;
    for version in 1..=5 {
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..100 {
            let store = store.clone();
            let body = Bytes::from(format!("racer {racer}"));
            racers.spawn(async move {
                let write = DocumentWrite {
                    write: Write::Put(body.clone()),
                    ..put("a", Expect::Version(version), b"")
                };
                match store.commit(&with_document(write)).await {
                    Ok(_) => Ok(Some(body)),
                    Err(CommitError::Conflict { .. }) => Ok(None),
                    Err(CommitError::Store(error)) => Err(error),
                }
            });
        }
        let mut winners = Vec::new();
        while let Some(racer) = racers.join_next().await {
            winners.extend(racer??);
        }
        let found = document(&store, "a").await?.context("it is there")?;
        assert_eq!(found.version, version + 1);
        assert_eq!(winners, [found.body], "one winner, and its body is what is there");
    }
    Ok(())
}
