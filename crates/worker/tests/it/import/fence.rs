//! Of two claims, the newer one writes and the older one changes nothing.

use landfall_common::{AttemptId, MigrationId};
use landfall_testkit::lab::{DatabaseAccess, Lab, MariaDb, MariaDbOptions};
use landfall_worker::destination::database::exchange::{Exchange, Incoming, present};
use landfall_worker::destination::database::fence::Claim;
use landfall_worker::destination::database::{Database, DatabaseError};
use landfall_worker::slice::Fence;
use mysql_async::prelude::Queryable;

use super::site::database_of;

fn fence(token: u64) -> Fence {
    Fence { token, attempt: AttemptId::from_uuid(uuid::Uuid::new_v4()) }
}

fn migration(number: u128) -> MigrationId {
    MigrationId::from_uuid(uuid::Uuid::from_u128(number))
}

async fn server() -> (Lab, MariaDb, DatabaseAccess, Database) {
    let lab = Lab::temporary().unwrap();
    let server = lab.mariadb("db", MariaDbOptions::default()).await.unwrap();
    let access = server.create_database("destination").await.unwrap();
    let database = database_of(&access);
    (lab, server, access, database)
}

async fn names(database: &Database) -> Vec<String> {
    database.connect().await.unwrap().query("SHOW TABLES").await.unwrap()
}

#[tokio::test]
async fn a_newer_claim_takes_everything_over_and_the_older_one_can_write_nothing() {
    let (_lab, _server, _access, database) = server().await;
    let id = migration(1);
    let (old, mut old_conn) = Claim::take(&database, id, fence(1_795_437_600_000_001)).await.unwrap();
    old_conn
        .query_drop("CREATE TABLE lf_1795437600000001_0001 (id INT PRIMARY KEY) ENGINE=InnoDB")
        .await
        .unwrap();
    old.journal().put(&mut old_conn, "plan", &7).await.unwrap();
    // A loader that was stopped in the middle of a transaction.
    let mut loader = old.connect(1).await.unwrap();
    old.begin(&mut loader).await.unwrap();
    loader.query_drop("INSERT INTO lf_1795437600000001_0001 VALUES (1)").await.unwrap();

    let (new, mut new_conn) = Claim::take(&database, id, fence(1_795_437_600_000_002)).await.unwrap();
    assert_eq!(new.journal().get::<u32>(&mut new_conn, "plan").await.unwrap(), Some(7));
    assert_eq!(
        names(&database).await,
        ["lf_1795437600000002_0001", "lf_1795437600000002_journal", "lf_fence_1795437600000002"]
    );
    // What the stopped one wrote was rolled back, and nothing that it still sends arrives.
    assert!(loader.query_drop("INSERT INTO lf_1795437600000001_0001 VALUES (2)").await.is_err());
    let rows: Option<u64> =
        new_conn.query_first("SELECT COUNT(*) FROM lf_1795437600000002_0001").await.unwrap();
    assert_eq!(rows, Some(0));
    let mut late = database.connect().await.unwrap();
    assert!(matches!(old.begin(&mut late).await, Err(DatabaseError::Fenced)));
    assert!(matches!(old.journal().put(&mut late, "x", &1).await, Err(DatabaseError::Fenced)));
    assert!(matches!(
        Claim::take(&database, id, fence(1_795_437_600_000_001)).await,
        Err(DatabaseError::Fenced)
    ));
    new.begin(&mut new_conn).await.unwrap();
}

#[tokio::test]
async fn claims_that_race_leave_the_destination_to_the_highest() {
    let (_lab, _server, _access, database) = server().await;
    let id = migration(2);
    let claims = (1..=6_u64).map(|token| Box::pin(Claim::take(&database, id, fence(token))));
    let results = futures::future::join_all(claims).await;
    // An earlier one may have been ended in the middle, or may have held it until the next came.
    assert!(results.last().unwrap().is_ok(), "{:?}", results.last().unwrap().as_ref().err());
    assert_eq!(names(&database).await, ["lf_6_journal", "lf_fence_6"]);
}

#[tokio::test]
async fn the_same_token_with_another_attempt_is_refused() {
    let (_lab, _server, _access, database) = server().await;
    let claim = Claim::take(&database, migration(3), fence(5)).await.unwrap();
    drop(claim);
    assert!(matches!(Claim::take(&database, migration(3), fence(5)).await, Err(DatabaseError::Fenced)));
}

#[tokio::test]
async fn two_migrations_in_one_database_leave_each_other_alone() {
    let (_lab, _server, _access, database) = server().await;
    let (first, mut conn) = Claim::take(&database, migration(4), fence(10)).await.unwrap();
    let (_second, _conn) = Claim::take(&database, migration(5), fence(20)).await.unwrap();
    first.check(&mut conn).await.unwrap();
    first.remove(&mut conn).await.unwrap();
    assert_eq!(names(&database).await, ["lf_20_journal", "lf_fence_20"]);
    assert!(Claim::take_existing(&database, migration(4), fence(30)).await.unwrap().is_none());
}

fn one_table() -> Vec<Incoming> {
    vec![Incoming { number: 1, source: "wp_a".into(), live: "wp_a".into() }]
}

#[tokio::test]
async fn a_stale_exchange_moves_nothing_and_a_done_one_is_taken_over_and_undone() {
    let (_lab, _server, _access, database) = server().await;
    let id = migration(6);
    let (mut old, mut conn) = Claim::take(&database, id, fence(7)).await.unwrap();
    conn.query_drop(
        "CREATE TABLE wp_a (id INT PRIMARY KEY, old INT) ENGINE=InnoDB; \
         CREATE TABLE wp_gone (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES wp_a (id)) ENGINE=InnoDB; \
         CREATE VIEW wp_v AS SELECT id FROM wp_a; \
         CREATE TABLE lf_7_0001 (id INT PRIMARY KEY, new INT) ENGINE=InnoDB",
    )
    .await
    .unwrap();
    let there = present(&mut conn).await.unwrap();
    let exchange = Exchange::plan(7, one_table(), Vec::new(), "wp_", &there);
    assert_eq!(exchange.kept.len(), 3);
    assert!(exchange.references_from_outside(&mut conn).await.unwrap().is_empty());

    let (mut new, mut new_conn) = Claim::take(&database, id, fence(8)).await.unwrap();
    let before = names(&database).await;
    let mut late = database.connect().await.unwrap();
    assert!(matches!(exchange.forward(&mut late, &mut old).await, Err(DatabaseError::Fenced)));
    assert_eq!(names(&database).await, before);

    exchange.forward(&mut new_conn, &mut new).await.unwrap();
    assert!(new.is_cut_over());
    new_conn.query_drop("SELECT new FROM wp_a").await.unwrap();
    new_conn.query_drop("CREATE TABLE wp_made_since (id INT)").await.unwrap();
    let (mut last, mut last_conn) = Claim::take(&database, id, fence(9)).await.unwrap();
    assert!(last.is_cut_over());
    exchange.backward(&mut last_conn, &mut last).await.unwrap();
    last.remove(&mut last_conn).await.unwrap();
    assert_eq!(names(&database).await, ["wp_a", "wp_gone", "wp_v"]);
    last_conn.query_drop("SELECT old FROM wp_a; SELECT id FROM wp_v").await.unwrap();
    let (_, create): (String, String) =
        last_conn.query_first("SHOW CREATE TABLE wp_gone").await.unwrap().unwrap();
    assert!(create.contains("CONSTRAINT `fk` FOREIGN KEY (`p`) REFERENCES `wp_a` (`id`)"), "{create}");
}

#[tokio::test]
async fn a_foreign_key_from_outside_is_found() {
    let (_lab, _server, _access, database) = server().await;
    let mut conn = database.connect().await.unwrap();
    conn.query_drop(
        "CREATE TABLE wp_a (id INT PRIMARY KEY) ENGINE=InnoDB; \
         CREATE TABLE crm (p INT, CONSTRAINT to_a FOREIGN KEY (p) REFERENCES wp_a (id)) ENGINE=InnoDB",
    )
    .await
    .unwrap();
    let there = present(&mut conn).await.unwrap();
    let exchange = Exchange::plan(1, one_table(), Vec::new(), "wp_", &there);
    let found = exchange.references_from_outside(&mut conn).await.unwrap();
    assert_eq!(found, ["destination.crm (to_a) refers to wp_a"]);
}

#[tokio::test]
async fn an_exchange_cut_in_half_is_finished_in_either_direction() {
    let (_lab, _server, _access, database) = server().await;
    let (_, mut conn) = Claim::take(&database, migration(7), fence(7)).await.unwrap();
    conn.query_drop(
        "CREATE TABLE wp_a (old INT); CREATE TABLE wp_b (old INT); CREATE TABLE wp_c (old INT); \
         CREATE TABLE lf_7_0001 (new INT); CREATE TABLE lf_7_0002 (new INT)",
    )
    .await
    .unwrap();
    let incoming = ["wp_a", "wp_b"].into_iter().zip(1..).map(|(name, number)| Incoming {
        number,
        source: name.into(),
        live: name.into(),
    });
    let there = present(&mut conn).await.unwrap();
    let exchange = Exchange::plan(7, incoming.collect(), Vec::new(), "wp_", &there);
    // As a server without atomic RENAME leaves it that dies in the middle.
    let half = "RENAME TABLE lf_fence_7 TO lf_fence_7_done, wp_a TO lf_old_7_0001, wp_b TO lf_old_7_0002, lf_7_0001 TO wp_a";
    conn.query_drop(half).await.unwrap();
    let (claim, mut conn) = Claim::take(&database, migration(7), fence(8)).await.unwrap();
    assert!(claim.is_cut_over());
    exchange.complete(&mut conn, &claim).await.unwrap();
    exchange.complete(&mut conn, &claim).await.unwrap();
    conn.query_drop("SELECT new FROM wp_a; SELECT new FROM wp_b; SELECT old FROM lf_old_7_0003")
        .await
        .unwrap();

    claim.journal().put(&mut conn, "going_back", &true).await.unwrap();
    let half = "RENAME TABLE lf_fence_8_done TO lf_fence_8, wp_a TO lf_8_0001, wp_b TO lf_8_0002, lf_old_7_0001 TO wp_a";
    conn.query_drop(half).await.unwrap();
    let (mut claim, mut conn) = Claim::take(&database, migration(7), fence(9)).await.unwrap();
    assert!(!claim.is_cut_over() && Exchange::is_going_back(&mut conn, &claim).await.unwrap());
    exchange.backward(&mut conn, &mut claim).await.unwrap();
    Exchange::end_going_back(&mut conn, &claim).await.unwrap();
    conn.query_drop("SELECT old FROM wp_a; SELECT old FROM wp_b; SELECT old FROM wp_c").await.unwrap();
    claim.remove(&mut conn).await.unwrap();
    assert_eq!(names(&database).await, ["wp_a", "wp_b", "wp_c"]);
}
