use std::sync::Arc;

use landfall_backends::sqlite::{SqliteOptions, SqliteStore};
use landfall_common::RequestId;
use landfall_common::ports::{
    Commit, DocumentKey, DocumentKind, DocumentWrite, EventWrite, Expect, Store, StoreError, Write,
};
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&SqliteOptions::new(folder.path().join("landfall.db"))).unwrap();
    (Arc::new(store), folder)
}

landfall_testkit::store_conformance!(fresh);

fn commit(id: &str) -> Commit {
    let mut commit = Commit::new(RequestId::from_uuid(uuid::Uuid::new_v4()));
    commit.documents = vec![DocumentWrite {
        key: DocumentKey::new(DocumentKind::Site, id),
        expect: Expect::Absent,
        write: Write::Put("x".into()),
        expires_in: None,
    }];
    commit.events = vec![EventWrite { stream: "s".to_owned(), body: "{}".into(), keep: Some(10) }];
    commit
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let options = SqliteOptions::new(folder.path().join("landfall.db"));
    let first = commit("a");
    let (at, position) = {
        let store = SqliteStore::open(&options).unwrap();
        let at = store.commit(&first).await.unwrap().at;
        (at, store.feed(Some("0"), 10, std::time::Duration::ZERO).await.unwrap().0)
    };
    let store = open_when_free(&options).await;
    assert_eq!(store.commit(&first).await.unwrap().at, at, "the request is remembered");
    let (_, found) = store.load(&[DocumentKey::new(DocumentKind::Site, "a")]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().version, 1);
    store.commit(&commit("b")).await.unwrap();
    let (_, lines) = store.feed(Some(&position), 10, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(lines[0].event, 2, "numbers and the feed go on");
}

/// The thread of a dropped store closes the file in a moment.
async fn open_when_free(options: &SqliteOptions) -> SqliteStore {
    landfall_testkit::conformance::eventually(
        "the file is free",
        async || Ok(SqliteStore::open(options).ok()),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = TempDir::new().unwrap();
    let options = SqliteOptions::new(folder.path().join("landfall.db"));
    let first = SqliteStore::open(&options).unwrap();
    first.commit(&commit("a")).await.unwrap();
    let second = SqliteStore::open(&options);
    assert!(matches!(second, Err(StoreError::Unavailable(_))), "{second:?}");
    first.commit(&commit("b")).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_or_a_newer_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "This is a letter to my aunt. ".repeat(200)).unwrap();
    let opened = SqliteStore::open(&SqliteOptions::new(&text));
    assert!(matches!(opened, Err(StoreError::Broken(_))), "{opened:?}");

    let newer = folder.path().join("newer");
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let opened = SqliteStore::open(&SqliteOptions::new(&newer));
    assert!(matches!(opened, Err(StoreError::Broken(_))), "{opened:?}");
}
