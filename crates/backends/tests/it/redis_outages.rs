use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use landfall_backends::redis::{RedisOptions, RedisStore};
use landfall_common::RequestId;
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, EventWrite, Expect, Store, StoreError,
    Write,
};
use landfall_testkit::conformance::eventually;

use crate::servers;

const WRITERS: u64 = 20;

fn open(url: &str) -> Arc<RedisStore> {
    Arc::new(RedisStore::open(&RedisOptions::new(url)).unwrap())
}

fn key(writer: u64) -> DocumentKey {
    DocumentKey::new(DocumentKind::Migration, writer)
}

fn commit(writer: u64, body: Bytes) -> Commit {
    let mut commit = Commit::new(RequestId::from_uuid(uuid::Uuid::new_v4()));
    commit.documents = vec![DocumentWrite {
        key: key(writer),
        expect: Expect::Any,
        write: Write::Put(body),
        expires_in: None,
    }];
    commit.events = vec![EventWrite { stream: writer.to_string(), body: "{}".into(), keep: None }];
    commit
}

/// Redis' own command, behind Landfall's back.
async fn command(url: &str, words: &[&str]) {
    let client = ::redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.exec_async(&mut connection).await.unwrap();
}

/// Commits until told to stop; what fails is sent again with the same request. Returns how many were acknowledged.
async fn write_on(store: Arc<RedisStore>, writer: u64, stop: Arc<AtomicBool>, all: Arc<AtomicU64>) -> u64 {
    let mut acknowledged = 0;
    while !stop.load(Ordering::SeqCst) {
        let commit = commit(writer, "x".into());
        loop {
            match store.commit(&commit).await {
                Ok(_) => break,
                Err(CommitError::Store(StoreError::Unavailable(_))) => {}
                Err(error) => panic!("{error}"),
            }
        }
        acknowledged += 1;
        all.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_acknowledged_and_does_nothing_twice() {
    let mut server = servers::lab().await.redis("redis-killed").await.unwrap();
    let store = open(&server.url());
    let (stop, all) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write_on(Arc::clone(&store), writer, Arc::clone(&stop), Arc::clone(&all))))
        .collect();
    let progress = async |count: u64| {
        let target = all.load(Ordering::SeqCst) + count;
        eventually("commits go on", async || Ok((all.load(Ordering::SeqCst) >= target).then_some(()))).await
    };
    for _ in 0..3 {
        progress(200).await.unwrap();
        server.daemon.kill9().unwrap();
        server.restart().await.unwrap();
    }
    progress(200).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    for (writer, task) in (0..).zip(writers) {
        let acknowledged = task.await.unwrap();
        let (_, found) = store.load(&[key(writer)]).await.unwrap();
        assert_eq!(found[0].as_ref().unwrap().version, acknowledged, "writer {writer}");
        let events = store.events(&writer.to_string(), 0, usize::MAX).await.unwrap();
        assert_eq!(events.len() as u64, acknowledged);
    }
}

#[tokio::test]
async fn a_reader_of_the_feed_misses_nothing_when_the_server_is_killed() {
    let mut server = servers::lab().await.redis("redis-feed").await.unwrap();
    let store = open(&server.url());
    let (start, _) = store.feed(None, 10, Duration::ZERO).await.unwrap();
    store.commit(&commit(1, "x".into())).await.unwrap();
    let (position, lines) = store.feed(Some(&start), 10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(lines.len(), 1);
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            loop {
                // While the server is away the answer is an error; the position stays good.
                if let Ok((_, lines)) = store.feed(Some(&position), 10, Duration::from_secs(5)).await
                    && let Some(line) = lines.into_iter().next()
                {
                    return line;
                }
            }
        }
    });
    server.daemon.kill9().unwrap();
    server.restart().await.unwrap();
    store.commit(&commit(2, "x".into())).await.unwrap();
    let line = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(line.stream, "2");
}

#[tokio::test]
async fn a_full_server_refuses_whole_commits_and_recovers_alone() {
    let server = servers::lab().await.redis("redis-full").await.unwrap();
    let store = open(&server.url());
    store.commit(&commit(1, "first".into())).await.unwrap();
    command(&server.url(), &["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = store.commit(&commit(1, Bytes::from(vec![0; 100_000]))).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    let (_, found) = store.load(&[key(1)]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().body, "first");
    assert_eq!(store.events("1", 0, 10).await.unwrap().len(), 1);
    command(&server.url(), &["CONFIG", "SET", "maxmemory", "0"]).await;
    command(&server.url(), &["SCRIPT", "FLUSH"]).await;
    store.commit(&commit(1, "second".into())).await.unwrap();
    assert_eq!(store.events("1", 0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_may_drop_data_is_refused() {
    let server = servers::lab().await.redis("redis-unsafe").await.unwrap();
    let store = open(&server.url());
    store.check().await.unwrap();
    for (setting, bad, good) in
        [("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendonly", "no", "yes")]
    {
        command(&server.url(), &["CONFIG", "SET", setting, bad]).await;
        let checked = store.check().await;
        assert!(matches!(&checked, Err(StoreError::Broken(what)) if what.contains(setting)), "{checked:?}");
        command(&server.url(), &["CONFIG", "SET", setting, good]).await;
        store.check().await.unwrap();
    }
    command(&server.url(), &["CONFIG", "SET", "appendfsync", "everysec"]).await;
    store.check().await.unwrap();
}

#[tokio::test]
async fn without_a_server_every_call_ends_at_its_limit() {
    let port = landfall_testkit::lab::free_port().unwrap();
    let mut options = RedisOptions::new(format!("redis://127.0.0.1:{port}/"));
    options.call_limit = Duration::from_millis(300);
    let store = RedisStore::open(&options).unwrap();
    let begun = std::time::Instant::now();
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.load(&[key(1)]).await, Err(StoreError::Unavailable(_))));
    assert!(store.feed(None, 1, Duration::from_secs(1)).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn installations_on_one_server_are_apart() {
    let url = servers::redis().await.url();
    let [a, b] = ["a", "b"].map(|prefix| {
        let options = RedisOptions { prefix: servers::unique(prefix), ..RedisOptions::new(url.as_str()) };
        RedisStore::open(&options).unwrap()
    });
    a.commit(&commit(1, "x".into())).await.unwrap();
    let (_, found) = b.load(&[key(1)]).await.unwrap();
    assert_eq!(found, [None]);
    assert!(b.events("1", 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let server = servers::lab().await.redis("redis-password").await.unwrap();
    command(&server.url(), &["CONFIG", "SET", "requirepass", "secret"]).await;
    let url = server.url().replace("redis://", "redis://:wrong@");
    let Err(StoreError::Unavailable(error)) = open(&url).check().await else { panic!("it was let in") };
    assert!(error.to_string().contains("WRONGPASS") || error.to_string().contains("assword"), "{error}");
    open(&server.url().replace("redis://", "redis://:secret@")).check().await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let url = servers::redis().await.url().replace("redis://", "rediss://");
    let mut options = RedisOptions::new(url);
    options.call_limit = Duration::from_secs(1);
    assert!(matches!(RedisStore::open(&options).unwrap().check().await, Err(StoreError::Unavailable(_))));
}

/// Stands between client and server; swallows one reply when told to, and the connection with it.
async fn forgetful_proxy(server_url: &str, is_armed: Arc<AtomicBool>) -> String {
    let server = server_url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = tokio::net::TcpStream::connect(&server).await.unwrap();
            tokio::spawn(relay(client, upstream, Arc::clone(&is_armed)));
        }
    });
    url
}

async fn relay(client: tokio::net::TcpStream, upstream: tokio::net::TcpStream, is_armed: Arc<AtomicBool>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        if is_armed.swap(false, Ordering::SeqCst) || to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    there.abort();
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_happens_once_and_succeeds() {
    let is_armed = Arc::new(AtomicBool::new(false));
    let proxy = forgetful_proxy(&servers::redis().await.url(), Arc::clone(&is_armed)).await;
    let store =
        RedisStore::open(&RedisOptions { prefix: servers::unique("lost"), ..RedisOptions::new(proxy) })
            .unwrap();
    store.commit(&commit(1, "0".into())).await.unwrap();
    for round in 1..=20 {
        is_armed.store(true, Ordering::SeqCst);
        let at = store.commit(&commit(1, Bytes::from(round.to_string()))).await.unwrap().at;
        assert!(!is_armed.load(Ordering::SeqCst), "a reply was lost");
        let (_, found) = store.load(&[key(1)]).await.unwrap();
        assert_eq!(found[0].as_ref().unwrap().version, round + 1);
        let events = store.events("1", 0, 100).await.unwrap();
        assert_eq!((events.len() as u64, events.last().unwrap().at), (round + 1, at));
    }
}
