use std::time::Duration;

use anyhow::{Context, Result};
use landfall_common::ports::{
    Commit, DueQuery, IndexEntry, IndexQuery, IndexWrite, Order, OutboxWrite, Score,
};

use super::{Subject, commit, entry, everything, members, set};

fn with_index(index: Vec<IndexWrite>) -> Commit {
    Commit { index, ..commit() }
}

fn remove(index: &str, member: &str) -> IndexWrite {
    IndexWrite::Remove { index: index.to_owned(), member: member.to_owned() }
}

fn entry_of(member: &str, score: u64) -> IndexEntry {
    IndexEntry { member: member.to_owned(), score }
}

/// All pages of an index, `limit` entries each.
async fn pages(store: &Subject, order: Order, limit: usize) -> Result<Vec<IndexEntry>> {
    let mut all: Vec<IndexEntry> = Vec::new();
    loop {
        let after = all.last().cloned();
        let (_, page) = store.index(&IndexQuery { order, after, limit, ..everything("i") }).await?;
        assert!(page.len() <= limit);
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

pub async fn an_index_pages_in_both_directions_through_equal_scores(store: Subject) -> Result<()> {
    let names = ["a", "B", "é", "a1", "Z", "", "a:b", "日本"];
    let mut expected = Vec::new();
    for score in [3, 1, 2] {
        expected.extend(names.map(|name| entry_of(&format!("{name}{score}"), score)));
    }
    store.commit(&with_index(expected.iter().map(|e| set("i", &e.member, e.score)).collect())).await?;
    // Byte order, whatever the server's locale.
    expected.sort_by(|a, b| (a.score, a.member.as_bytes()).cmp(&(b.score, b.member.as_bytes())));
    for limit in [1, 2, 5, 8, 100] {
        assert_eq!(pages(&store, Order::Ascending, limit).await?, expected, "pages of {limit}");
    }
    expected.reverse();
    for limit in [1, 3, 8, 100] {
        assert_eq!(pages(&store, Order::Descending, limit).await?, expected, "pages of {limit}");
    }
    assert!(members(&store, "another").await?.is_empty());
    assert_eq!(
        store.index(&IndexQuery { limit: usize::MAX, ..everything("i") }).await?.1.len(),
        expected.len()
    );
    assert!(store.index(&IndexQuery { limit: 0, ..everything("i") }).await?.1.is_empty());
    Ok(())
}

pub async fn a_page_goes_on_behind_an_entry_that_moved_or_went(store: Subject) -> Result<()> {
    store.commit(&with_index(["a", "b", "c", "d", "e"].map(|name| set("i", name, 5)).into())).await?;
    store.commit(&with_index(vec![remove("i", "c"), set("i", "b", 9)])).await?;
    for (after, ascending, descending) in
        [("b", vec!["d", "e", "b"], vec!["a"]), ("c", vec!["d", "e", "b"], vec!["a"])]
    {
        let behind = |order| IndexQuery { order, after: Some(entry_of(after, 5)), ..everything("i") };
        let names = |page: Vec<IndexEntry>| page.into_iter().map(|entry| entry.member).collect::<Vec<_>>();
        assert_eq!(names(store.index(&behind(Order::Ascending)).await?.1), ascending);
        assert_eq!(names(store.index(&behind(Order::Descending)).await?.1), descending);
    }
    Ok(())
}

pub async fn an_index_is_cut_at_a_score(store: Subject) -> Result<()> {
    store.commit(&with_index((1..=9).map(|score| set("i", &format!("m{score}"), score)).collect())).await?;
    let scores = async |order, until, after: Option<u64>, limit| -> Result<Vec<u64>> {
        let after = after.map(|score| entry_of(&format!("m{score}"), score));
        let query = IndexQuery { order, until: Some(until), after, limit, ..everything("i") };
        Ok(store.index(&query).await?.1.into_iter().map(|entry| entry.score).collect())
    };
    assert_eq!(scores(Order::Ascending, 3, None, 10).await?, [1, 2, 3]);
    assert_eq!(scores(Order::Ascending, 3, None, 2).await?, [1, 2]);
    assert_eq!(scores(Order::Ascending, 3, Some(2), 2).await?, [3]);
    assert_eq!(scores(Order::Ascending, 0, None, 2).await?, [0_u64; 0]);
    assert_eq!(scores(Order::Descending, 7, None, 10).await?, [9, 8, 7]);
    assert_eq!(scores(Order::Descending, 7, Some(8), 10).await?, [7]);
    assert_eq!(scores(Order::Descending, 10, None, 10).await?, [0_u64; 0]);
    Ok(())
}

pub async fn scores_from_now_follow_the_time_of_the_commit(store: Subject) -> Result<()> {
    let ahead = Duration::from_micros(30_000_001);
    let from_now = |member: &str, ahead| IndexWrite::Set {
        index: "i".to_owned(),
        member: member.to_owned(),
        score: Score::InFromNow(ahead),
    };
    let writes = vec![from_now("now", Duration::ZERO), from_now("ahead", ahead)];
    let at = store.commit(&with_index(writes)).await?.at;
    let expected = [entry_of("now", at.as_micros()), entry_of("ahead", at.plus(ahead).as_micros())];
    assert_eq!(members(&store, "i").await?, expected);
    let (time, _) = store.index(&everything("i")).await?;
    assert!(time >= at);
    Ok(())
}

pub async fn numbers_of_16_digits_stay_exact(store: Subject) -> Result<()> {
    let scores =
        [1_234_567_890_123_457, 9_007_199_254_740_991, 9_007_199_254_740_992, 0, 1_764_000_000_000_001];
    store.commit(&with_index(scores.map(|score| set("i", &score.to_string(), score)).into())).await?;
    for entry in members(&store, "i").await? {
        assert_eq!(entry.member, entry.score.to_string());
    }
    // The due time that a reader saw is, to the microsecond, the one that its claim must name.
    store.commit(&Commit { outbox: vec![entry("e", "lane", "t", Duration::ZERO)], ..commit() }).await?;
    for _ in 0..50 {
        let (_, found) = store
            .due(&DueQuery {
                lane: "lane".to_owned(),
                tenants: 1,
                per_tenant: 1,
                skip_tenants: 0,
                skip_entries: 0,
                epoch: 0,
            })
            .await?;
        let due = found.first().context("due")?.due;
        let write = OutboxWrite::Claim { id: "e".to_owned(), due, hide: Duration::ZERO, epoch: 0 };
        store.commit(&Commit { outbox: vec![write], ..commit() }).await?;
    }
    Ok(())
}

pub async fn index_members_move_go_and_are_counted(store: Subject) -> Result<()> {
    store.commit(&with_index(vec![set("i", "a", 1), set("i", "b", 2), set("j", "a", 1)])).await?;
    store.commit(&with_index(vec![set("i", "a", 3), remove("j", "a"), remove("j", "never there")])).await?;
    assert_eq!(members(&store, "i").await?, [entry_of("b", 2), entry_of("a", 3)]);
    let asked = ["i".to_owned(), "j".to_owned(), "k".to_owned(), "i".to_owned()];
    assert_eq!(store.count(&asked).await?, [2, 0, 0, 2]);
    assert!(store.count(&[]).await?.is_empty());
    Ok(())
}
