use std::time::Duration;

use anyhow::{Context, Result};
use landfall_common::StoreTime;
use landfall_common::ports::{Commit, CommitError, DueQuery, OutboxEntry, OutboxWrite};

use super::{Subject, commit, entry};
use crate::conformance::eventually;

const HOUR: Duration = Duration::from_secs(3600);

fn with_outbox(outbox: Vec<OutboxWrite>) -> Commit {
    Commit { outbox, ..commit() }
}

fn claim(entry: &OutboxEntry, hide: Duration, epoch: u64) -> OutboxWrite {
    OutboxWrite::Claim { id: entry.id.clone(), due: entry.due, hide, epoch }
}

fn remove(id: &str) -> OutboxWrite {
    OutboxWrite::Remove { id: id.to_owned() }
}

fn query(lane: &str, tenants: usize, per_tenant: usize, epoch: u64) -> DueQuery {
    DueQuery { lane: lane.to_owned(), tenants, per_tenant, skip_tenants: 0, skip_entries: 0, epoch }
}

async fn due(store: &Subject, lane: &str, epoch: u64) -> Result<Vec<OutboxEntry>> {
    let (time, entries) = store.due(&query(lane, 100, 100, epoch)).await?;
    assert!(epoch != 0 || entries.iter().all(|entry| entry.due <= time));
    Ok(entries)
}

fn ids(entries: &[OutboxEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

pub async fn an_entry_is_due_when_its_time_has_come(store: Subject) -> Result<()> {
    assert_eq!(store.next_due("lane").await?, None);
    let soon = Duration::from_millis(40);
    let at = store
        .commit(&with_outbox(vec![entry("later", "lane", "t", HOUR), entry("soon", "lane", "t", soon)]))
        .await?
        .at;
    assert_eq!(store.next_due("lane").await?, Some(at.plus(soon)));
    let found = eventually("it is due", async || {
        let (time, found) = store.due(&query("lane", 10, 10, 0)).await?;
        assert!(found.is_empty() == (time < at.plus(soon)), "due at its time, not before, not after");
        Ok((!found.is_empty()).then_some(found))
    })
    .await?;
    let expected = OutboxEntry {
        id: "soon".to_owned(),
        lane: "lane".to_owned(),
        tenant: "t".to_owned(),
        due: at.plus(soon),
        claims: 0,
        epoch: 0,
        body: "body of soon".into(),
    };
    assert_eq!(found, [expected]);
    Ok(())
}

pub async fn due_entries_are_looked_at_page_by_page(store: Subject) -> Result<()> {
    let mut outbox = Vec::new();
    for tenant in ["a", "b", "c"] {
        for number in 0..3 {
            outbox.push(entry(&format!("{tenant}{number}"), "lane", tenant, Duration::ZERO));
        }
    }
    store.commit(&with_outbox(outbox)).await?;
    let page = async |skip_tenants, skip_entries| -> Result<Vec<String>> {
        let query = DueQuery { skip_tenants, skip_entries, ..query("lane", 2, 2, 0) };
        let (_, entries) = store.due(&query).await?;
        let mut found: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
        found.sort();
        Ok(found)
    };
    let pages = [(0, 0), (2, 0), (0, 2), (2, 2), (4, 0), (0, 4)];
    let mut seen = Vec::new();
    for (tenants, entries) in pages {
        seen.push(page(tenants, entries).await?);
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2, 2, 1, 0, 0], "{seen:?}");
    let mut all = seen.concat();
    all.sort();
    assert_eq!(all, ["a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"]);
    Ok(())
}

pub async fn a_claim_hides_an_entry_and_only_one_wins(store: Subject) -> Result<()> {
    store.commit(&with_outbox(vec![entry("e", "lane", "t", Duration::ZERO)])).await?;
    let found = due(&store, "lane", 0).await?;
    let mut racers = tokio::task::JoinSet::new();
    for epoch in 1..=20 {
        let (store, write) = (store.clone(), claim(&found[0], HOUR, epoch));
        racers.spawn(async move { (epoch, store.commit(&with_outbox(vec![write])).await) });
    }
    let mut winners = Vec::new();
    while let Some(racer) = racers.join_next().await {
        match racer? {
            (epoch, Ok(committed)) => winners.push((epoch, committed.at)),
            (_, Err(CommitError::Conflict { what })) => assert_eq!(what, "outbox/e"),
            (_, Err(CommitError::Store(error))) => return Err(error.into()),
        }
    }
    let [(epoch, at)] = winners[..] else { panic!("one winner: {winners:?}") };
    assert!(due(&store, "lane", 0).await?.is_empty());
    assert_eq!(store.next_due("lane").await?, Some(at.plus(HOUR)));
    let hidden = due(&store, "lane", 99).await?;
    let hidden = hidden.first().context("seen from another epoch")?;
    assert_eq!((hidden.claims, hidden.epoch, hidden.due), (1, epoch, at.plus(HOUR)));
    Ok(())
}

pub async fn a_claimed_entry_is_due_again_after_its_time(store: Subject) -> Result<()> {
    store.commit(&with_outbox(vec![entry("e", "lane", "t", Duration::ZERO)])).await?;
    for claims in 0..3 {
        let found = eventually("it is due", async || Ok(due(&store, "lane", 7).await?.pop())).await?;
        assert_eq!(found.claims, claims);
        store.commit(&with_outbox(vec![claim(&found, Duration::from_millis(20), 7)])).await?;
    }
    Ok(())
}

pub async fn an_entry_put_again_replaces_the_former(store: Subject) -> Result<()> {
    store.commit(&with_outbox(vec![entry("e", "lane", "t", Duration::ZERO)])).await?;
    let found = due(&store, "lane", 0).await?;
    store.commit(&with_outbox(vec![claim(&found[0], HOUR, 5)])).await?;
    store.commit(&with_outbox(vec![entry("e", "other", "u", Duration::ZERO)])).await?;
    assert!(due(&store, "lane", 9).await?.is_empty());
    assert_eq!(store.next_due("lane").await?, None);
    let moved = due(&store, "other", 9).await?;
    let [moved] = &moved[..] else { panic!("one entry: {moved:?}") };
    assert_eq!((moved.tenant.as_str(), moved.claims, moved.epoch), ("u", 0, 0));
    let stale = store.commit(&with_outbox(vec![claim(&found[0], HOUR, 5)])).await;
    assert!(matches!(stale, Err(CommitError::Conflict { .. })), "{stale:?}");
    Ok(())
}

pub async fn a_removed_entry_is_gone(store: Subject) -> Result<()> {
    let now = Duration::ZERO;
    store.commit(&with_outbox(vec![entry("a", "lane", "t", now), entry("b", "lane", "t", now)])).await?;
    let found = due(&store, "lane", 0).await?;
    store.commit(&with_outbox(vec![claim(&found[0], HOUR, 5), claim(&found[1], HOUR, 5)])).await?;
    store.commit(&with_outbox(vec![remove("a"), remove("never there")])).await?;
    assert_eq!(ids(&due(&store, "lane", 6).await?), ["b"]);
    store.commit(&with_outbox(vec![remove("b")])).await?;
    assert!(due(&store, "lane", 6).await?.is_empty());
    assert_eq!(store.next_due("lane").await?, None);
    let gone = OutboxWrite::Claim { id: "a".to_owned(), due: StoreTime(0), hide: HOUR, epoch: 1 };
    assert!(matches!(store.commit(&with_outbox(vec![gone])).await, Err(CommitError::Conflict { .. })));
    // What one commit removes and puts is there.
    store.commit(&with_outbox(vec![remove("a"), entry("a", "lane", "t", now)])).await?;
    assert_eq!(ids(&due(&store, "lane", 0).await?), ["a"]);
    Ok(())
}

pub async fn tenants_are_served_by_who_waits_longest(store: Subject) -> Result<()> {
    // Each commit has a later time than the one before: big, small, late wait in this order.
    for write in [
        (0..100).map(|n| entry(&format!("big {n:03}"), "lane", "big", Duration::ZERO)).collect(),
        vec![entry("small", "lane", "small", Duration::ZERO)],
        vec![entry("late", "lane", "late", Duration::ZERO)],
    ] {
        let at = store.commit(&with_outbox(write)).await?.at;
        eventually("time goes on", async || Ok((store.load(&[]).await?.0 > at).then_some(()))).await?;
    }
    let (_, found) = store.due(&query("lane", 2, 3, 0)).await?;
    assert_eq!(ids(&found), ["big 000", "big 001", "big 002", "small"]);
    let (_, found) = store.due(&query("lane", 10, 1, 0)).await?;
    assert_eq!(ids(&found), ["big 000", "small", "late"]);
    // What was served waits behind the others.
    store
        .commit(&with_outbox(
            (0..100).map(|n| entry(&format!("big {n:03}"), "lane", "big", Duration::ZERO)).collect(),
        ))
        .await?;
    let (_, found) = store.due(&query("lane", 3, 1, 0)).await?;
    assert_eq!(ids(&found), ["small", "late", "big 000"]);
    let (_, found) = store.due(&query("lane", 0, 1, 0)).await?;
    assert!(found.is_empty());
    Ok(())
}

pub async fn what_another_epoch_claimed_is_due_at_once(store: Subject) -> Result<()> {
    let names = ["old", "new", "timed"];
    store.commit(&with_outbox(names.map(|id| entry(id, "lane", id, Duration::ZERO)).into())).await?;
    let found = due(&store, "lane", 0).await?;
    for (id, epoch) in [("old", u64::MAX), ("new", 2), ("timed", 0)] {
        let entry = found.iter().find(|entry| entry.id == id).context("all are due")?;
        store.commit(&with_outbox(vec![claim(entry, HOUR, epoch)])).await?;
    }
    store.commit(&with_outbox(vec![entry("future", "lane", "future", HOUR)])).await?;
    assert!(due(&store, "lane", 0).await?.is_empty(), "0 asks for time alone");
    let lost = due(&store, "lane", 2).await?;
    assert_eq!(ids(&lost), ["old"]);
    assert_eq!((lost[0].epoch, lost[0].claims), (u64::MAX, 1));
    store.commit(&with_outbox(vec![claim(&lost[0], HOUR, 2)])).await?;
    assert!(due(&store, "lane", 2).await?.is_empty());
    let (_, some) = store.due(&query("lane", 1, 1, 3)).await?;
    assert_eq!(some.len(), 1, "at most what was asked for");
    Ok(())
}

pub async fn lanes_and_tenants_of_similar_names_do_not_mix(store: Subject) -> Result<()> {
    let pairs = [("a", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("a:b:c", ""), ("1:a", "b"), ("{a}", "*")];
    for (n, (lane, tenant)) in pairs.into_iter().enumerate() {
        store.commit(&with_outbox(vec![entry(&format!("e{n}"), lane, tenant, Duration::ZERO)])).await?;
    }
    for (n, (lane, tenant)) in pairs.into_iter().enumerate() {
        let found = due(&store, lane, 0).await?;
        assert_eq!(ids(&found), [format!("e{n}")], "{lane:?}");
        assert_eq!(found[0].tenant, tenant);
    }
    Ok(())
}
