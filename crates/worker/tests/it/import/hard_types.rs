//! Values of every type come out as they went in.

use std::borrow::Cow;

use landfall_testkit::lab::{DatabaseAccess, Lab, MariaDb, MariaDbOptions};
use landfall_worker::destination::database::create_table::{Target, adapt};
use landfall_worker::destination::database::facts::ServerFacts;
use landfall_worker::destination::database::rows::{
    LoadTable, PacketLimits, PartDone, PartEncoder, RowRules, read_back,
};
use landfall_worker::model::Table;
use mysql_async::prelude::Queryable;

use super::copies;
use super::site::database_of;

struct All;

impl RowRules for All {
    fn keeps(&self, _values: &[Option<Cow<'_, [u8]>>]) -> bool {
        true
    }

    fn set(&self, _values: &mut [Option<Cow<'_, [u8]>>]) -> Vec<usize> {
        Vec::new()
    }
}

const HARD: &str = r#"
CREATE TABLE `select` (
  id BIGINT NOT NULL AUTO_INCREMENT, `a``b` VARCHAR(191), small TINYINT UNSIGNED, neg INT, dec_ DECIMAL(40,20), fl FLOAT,
  dbl DOUBLE, bits BIT(64), one BIT(1), y YEAR, d DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, t TIME(2),
  en ENUM('x','y z','é'), st SET('a','b','c'), js JSON, geo GEOMETRY, pt POINT, bin BINARY(8), vb VARBINARY(300),
  bl LONGBLOB, u UUID, i6 INET6, tx LONGTEXT, gen INT AS (neg * 2) VIRTUAL, gens VARCHAR(20) AS (CONCAT('s', neg)) STORED,
  PRIMARY KEY (id), KEY (`a``b`), FULLTEXT KEY (tx), CONSTRAINT chk CHECK (neg < 1000)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `select` (id, `a``b`, small, neg, dec_, fl, dbl, bits, one, y, d, dt, ts, t, en, st, js, geo, pt, bin, vb, bl, u, i6, tx)
VALUES
 (0, '', 0, -5, -12345678901234567890.12345678901234567890, 0.1, 1e300, b'1111111100000000111111110000000011111111000000001111111100000001', b'1', 0, '0000-00-00', '0000-00-00 00:00:00', '1970-01-01 00:00:01', '-838:59:59', '', '', '{"a": [1, "é"]}', ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))', 4326), POINT(1.5, -2), 'ab', 0x00ff27225c0a0d1a, 0x000102, '550e8400-e29b-41d4-a716-446655440000', '::1', CONCAT('it''s \\ "quoted"', CHAR(0), CHAR(26), CHAR(10), CHAR(9))),
 (-7, NULL, 255, 999, 0, -0.0, -0.0, 0, b'0', 2155, '2020-02-31', '9999-12-31 23:59:59.999999', NULL, '12:34:56.78', 'é', 'a,c', NULL, NULL, NULL, NULL, '', '', NULL, NULL, NULL),
 (9223372036854775807, 'NULL', 1, NULL, 1.5, 3.4028235e38, 5e-324, 1, NULL, 1999, '1000-01-01', '2024-02-29 12:00:00.5', '2038-01-19 03:14:07.999', '00:00:00', 'y z', 'a,b,c', '[]', POINT(0,0), POINT(0,0), 0x0000000000000000, 0x20, REPEAT(0xff, 70000), NULL, 'fe80::1', REPEAT('ä€😀', 30000));
CREATE TABLE latin (t TEXT CHARACTER SET latin1, e ENUM('a','ü') CHARACTER SET latin1, u16 VARCHAR(20) CHARACTER SET utf16) ENGINE=MyISAM DEFAULT CHARSET=latin1;
INSERT INTO latin VALUES (0xc3a4c3b6, 'ü', 'aé'), (0x80ff00, '', NULL), (0xc3a4c3b6, 'ü', 'aé'), (0xc3a4c3b6, 'ü', 'aé');
CREATE TABLE parted (id INT NOT NULL, k VARCHAR(10) NOT NULL DEFAULT 'x', PRIMARY KEY (id, k)) ENGINE=MyISAM
 PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parted VALUES (1, 'a'), (100, 'b');
CREATE TABLE empty_ (id INT PRIMARY KEY) ENGINE=Aria;
"#;

async fn server(options: MariaDbOptions) -> (Lab, MariaDb, DatabaseAccess, DatabaseAccess) {
    let lab = Lab::temporary().unwrap();
    let server = lab.mariadb("db", options).await.unwrap();
    let source = server.create_database("source").await.unwrap();
    let destination = server.create_database("destination").await.unwrap();
    (lab, server, source, destination)
}

/// Makes the table at the destination, loads it, and compares: by its own read-back, and by the server.
async fn carry(
    source: &DatabaseAccess,
    destination: &DatabaseAccess,
    limits: PacketLimits,
    table: &Table,
) -> u64 {
    let mut from = copies::connect(source).await;
    let database = database_of(destination);
    let mut to = database.connect().await.unwrap();
    let facts = ServerFacts::read(&mut to).await.unwrap();
    let mut target = Target {
        source_name: &table.name,
        name: &table.name,
        shadows: &[(table.name.clone(), table.name.clone())].into(),
        server: &facts,
        taken: &mut Default::default(),
        free_name: &mut || "free".to_owned(),
    };
    let adapted = adapt(&table.create_sql, &mut target).unwrap();
    to.query_drop(&adapted.sql).await.unwrap_or_else(|error| panic!("{error}: {}", adapted.sql));
    let load = LoadTable::new(table, &table.name, "wp_", limits);
    let mut done = PartDone::default();
    for block in copies::blocks(&mut from, table).await {
        let mut encoder = PartEncoder::new(block);
        while let Some(statement) = encoder.next(&load, None, &All).unwrap() {
            load.send(&mut to, &statement).await.unwrap();
        }
        done.add(encoder.done());
    }
    assert_eq!(read_back(&mut to, &load, &done).await.unwrap(), (done.rows, done.hash), "{}", table.name);
    assert_eq!(all_rows(source, table).await, all_rows(destination, table).await, "{}", table.name);
    done.rows
}

/// All values as the server spells them, generated ones included, sorted.
async fn all_rows(access: &DatabaseAccess, table: &Table) -> Vec<Vec<u8>> {
    let mut conn = copies::connect(access).await;
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for block in copies::blocks(&mut conn, table).await {
        let mut framed = Vec::new();
        block
            .for_each_row::<landfall_worker::model::BadBlock>(table.columns.len(), |row| {
                framed.push(format!("{row:?}").into_bytes());
                Ok(())
            })
            .unwrap();
        rows.extend(framed);
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn every_type_comes_out_as_it_went_in() {
    let (_lab, _server, source, destination) = server(MariaDbOptions::default()).await;
    let mut conn = copies::connect(&source).await;
    let mode = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";
    conn.query_drop(format!("SET SESSION sql_mode = '{mode}'")).await.unwrap();
    conn.query_drop(HARD).await.unwrap();
    let limits = PacketLimits { packet_max: 64 << 20, local_infile: true };
    let schema = copies::schema(&mut conn).await;
    assert_eq!(schema.tables.len(), 4);
    let mut rows = 0;
    for table in &schema.tables {
        rows += carry(&source, &destination, limits, table).await;
    }
    assert_eq!(rows, 3 + 4 + 2);
    let mut there = copies::connect(&destination).await;
    let engines: Vec<String> = there
        .query("SELECT DISTINCT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
        .await
        .unwrap();
    assert_eq!(engines, ["InnoDB"]);
}

#[tokio::test]
async fn large_rows_and_every_type_go_by_load_data_as_well() {
    let (_lab, server, source, destination) =
        server(MariaDbOptions { max_allowed_packet_mib: 16, ..MariaDbOptions::default() }).await;
    let mut conn = copies::connect(&source).await;
    conn.query_drop("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'").await.unwrap();
    conn.query_drop(HARD).await.unwrap();
    // The server takes no statement of 20 MB, so the row grows within it.
    conn.query_drop(
        "CREATE TABLE huge (id INT PRIMARY KEY, bits BIT(9), js JSON, tx LONGTEXT, bl LONGBLOB, \
         la MEDIUMTEXT CHARACTER SET latin1) DEFAULT CHARSET=utf8mb4; \
         INSERT INTO huge VALUES (0, b'101', '{}', REPEAT('a\\\\b\\'\\t\\n', 1750000), NULL, \
         CONVERT(REPEAT(x'e94100', 200000) USING latin1))",
    )
    .await
    .unwrap();
    server.sql("SET GLOBAL max_allowed_packet = 67108864").await.unwrap();
    let mut roomy = copies::connect(&source).await;
    roomy.query_drop("UPDATE huge SET tx = CONCAT(tx, tx), bl = REPEAT(0x00ff5c09, 1000)").await.unwrap();
    server.sql("SET GLOBAL max_allowed_packet = 16777216").await.unwrap();
    let length: Option<u64> = roomy.query_first("SELECT OCTET_LENGTH(tx) FROM huge").await.unwrap();
    assert!(length.unwrap() > 20 << 20, "{length:?}");
    let huge = copies::definition(&mut conn, "huge").await;
    let limits = PacketLimits { packet_max: 16 << 20, local_infile: true };
    assert_eq!(carry(&source, &destination, limits, &huge).await, 1);
    // With so small a packet every row of the other tables is too large for a statement.
    let tiny = PacketLimits { packet_max: 16 * 1024 + 200, local_infile: true };
    let schema = copies::schema(&mut conn).await;
    for table in schema.tables.iter().filter(|table| table.name != "huge") {
        carry(&source, &destination, tiny, table).await;
    }
}
