//! What every staging storage does.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use landfall_common::ports::{Staging, StagingError};

/// A staging storage under test.
pub type Subject = Arc<dyn Staging>;

/// Makes a test of each property of a staging storage.
#[macro_export]
macro_rules! staging_conformance {
    ($fresh:path) => {
        $crate::conformance_tests!(
            $fresh,
            staging: an_object_reads_back_byte_for_byte,
            put_replaces_and_create_leaves_alone,
            of_racing_creates_exactly_one_wins,
            a_missing_object_is_named,
            keys_list_in_byte_order_page_by_page,
            a_deleted_object_is_gone_and_its_key_is_free,
        );
    };
}

pub async fn an_object_reads_back_byte_for_byte(staging: Subject) -> Result<()> {
    let large: Bytes = (0..=255).cycle().take(5_000_000).collect();
    for (key, body) in [("a/empty", Bytes::new()), ("a/small", "x".into()), ("a/b/large", large)] {
        staging.put(key, body.clone()).await?;
        assert!(staging.get(key).await? == body, "{key}");
        let created = format!("{key}.created");
        staging.create(&created, body.clone()).await?;
        assert!(staging.get(&created).await? == body, "{created}");
    }
    Ok(())
}

pub async fn put_replaces_and_create_leaves_alone(staging: Subject) -> Result<()> {
    staging.create("a/b", "first".into()).await?;
    let again = staging.create("a/b", "second".into()).await;
    assert!(matches!(&again, Err(StagingError::Exists { key }) if key == "a/b"), "{again:?}");
    assert_eq!(staging.get("a/b").await?, "first");
    staging.put("a/b", "third".into()).await?;
    assert_eq!(staging.get("a/b").await?, "third");
    Ok(())
}

pub async fn of_racing_creates_exactly_one_wins(staging: Subject) -> Result<()> {
    for round in 0..5 {
        let key = format!("race/{round}");
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..20 {
            let (staging, key, body) = (staging.clone(), key.clone(), Bytes::from(format!("racer {racer}")));
            racers.spawn(async move {
                match staging.create(&key, body.clone()).await {
                    Ok(()) => Ok(Some(body)),
                    Err(StagingError::Exists { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            });
        }
        let mut winners = Vec::new();
        while let Some(racer) = racers.join_next().await {
            winners.extend(racer??);
        }
        assert_eq!(winners, [staging.get(&key).await?]);
    }
    Ok(())
}

pub async fn a_missing_object_is_named(staging: Subject) -> Result<()> {
    staging.put("a/b", "x".into()).await?;
    for missing in ["a/c", "nothing/here", "a"] {
        let found = staging.get(missing).await;
        assert!(matches!(&found, Err(StagingError::Missing { key }) if key == missing), "{found:?}");
    }
    Ok(())
}

pub async fn keys_list_in_byte_order_page_by_page(staging: Subject) -> Result<()> {
    let mut keys: Vec<String> =
        ["s/b", "s/a/x", "s/a-x", "s/a.x", "s/B", "s/a/y/z", "s/é", "t/other"].map(str::to_owned).into();
    keys.extend((0..30).map(|n| format!("s/n/{n:03}")));
    for key in &keys {
        staging.put(key, "x".into()).await?;
    }
    keys.sort();
    for (prefix, limit) in
        [("", 7), ("s/", 1), ("s/", 100), ("s/a", 2), ("s/a/", 2), ("s/n/01", 3), ("none", 3)]
    {
        let expected: Vec<String> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        let mut listed: Vec<String> = Vec::new();
        loop {
            let page = staging.list(prefix, listed.last().map(String::as_str), limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, expected, "{prefix:?} by {limit}");
    }
    // Going on behind a key that is not there.
    assert_eq!(staging.list("s/n/", Some("s/n/0005"), 2).await?, ["s/n/001", "s/n/002"]);
    Ok(())
}

pub async fn a_deleted_object_is_gone_and_its_key_is_free(staging: Subject) -> Result<()> {
    staging.delete("a/b").await?;
    staging.create("a/b", "first".into()).await?;
    staging.delete("a/b").await?;
    assert!(matches!(staging.get("a/b").await, Err(StagingError::Missing { .. })));
    assert!(staging.list("a/", None, 10).await?.is_empty());
    staging.create("a/b", "second".into()).await?;
    assert_eq!(staging.get("a/b").await?, "second");
    Ok(())
}
