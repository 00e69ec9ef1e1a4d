//! Rows: every value of every table arrives as the server has it.

use landfall_worker::model::{BadBlock, Table};
use landfall_worker::source::{RowCursor, RowsEnd, SourceClient, SourceSchema};

use super::cutter::Cutter;
use super::site::{SECRET, Site, site};

/// Tables that break migrations in the field.
const FIXTURES: &str = r"
    DROP TABLE IF EXISTS wp_lf_types, wp_lf_composite, wp_lf_binary, wp_lf_keyless, wp_lf_big, wp_lf_bigkeyless, wp_lf_latin,
        wp_lf_negative, wp_lf_prefixkey, wp_lf_enumkey, `wp_lf_order`, wp_LF_Order, wp_lf_empty, wp_lf_big2, other_app;
    SET SESSION sql_mode = '', SESSION time_zone = '+00:00';
    CREATE TABLE wp_lf_types (id int NOT NULL, b bit(12), d decimal(30,10), f float, g double, t timestamp NULL, dt datetime,
        y year, e enum('a','b'), s set('x','y'), j json, bl blob, p point, tx text, n varchar(20),
        gen int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id));
    INSERT INTO wp_lf_types (id, b, d, f, g, t, dt, y, e, s, j, bl, p, tx, n) VALUES
        (-5, b'101010101010', 12345678901234567890.0123456789, 0.1, 0.1234567890123456789, '2001-02-03 04:05:06', '0000-00-00 00:00:00',
         2024, 'a', 'x,y', '{}', x'00FF0A0D5C27', POINT(1,2), '', 'NULL'),
        (0, b'0', 0, 16777217, 1e308, NULL, '2024-02-30 00:00:00', NULL, 'b', '', NULL, '', NULL, NULL, NULL),
        (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[1]', NULL, NULL, 'x', '');
    CREATE TABLE wp_lf_composite (a varchar(20) COLLATE utf8mb4_unicode_ci NOT NULL, b int NOT NULL, c datetime NOT NULL, v text,
        PRIMARY KEY (a, b, c)) CHARSET utf8mb4;
    INSERT INTO wp_lf_composite SELECT CONCAT('K', seq % 37, IF(seq % 2, 'ä', 'Z')), CAST(seq AS SIGNED) % 101 - 50, FROM_UNIXTIME(seq), REPEAT('v', seq % 300)
        FROM seq_1_to_12000;
    CREATE TABLE wp_lf_binary (k varbinary(16) NOT NULL, v int, PRIMARY KEY (k));
    INSERT INTO wp_lf_binary SELECT UNHEX(MD5(seq)), seq FROM seq_1_to_3000;
    INSERT INTO wp_lf_binary VALUES ('', 0), (x'00', 1), (x'FF', 2), (x'27', 3);
    CREATE TABLE wp_lf_keyless (a int, b varchar(10));
    INSERT INTO wp_lf_keyless SELECT seq % 10, 'dup' FROM seq_1_to_5000;
    CREATE TABLE wp_lf_big (id int PRIMARY KEY, before_ varchar(10), body longtext, after_ mediumblob);
    INSERT INTO wp_lf_big VALUES (1, 'small', 'x', 'y'), (2, NULL, REPEAT('ü', 1500000), REPEAT(x'00FF', 700000)),
        (3, 'null', NULL, REPEAT('q', 2000000)), (4, 'end', '', '');
    CREATE TABLE wp_lf_bigkeyless (body longtext);
    INSERT INTO wp_lf_bigkeyless VALUES ('a'), (REPEAT('b', 2500000)), ('c'), (REPEAT('b', 2500000));
    CREATE TABLE wp_lf_latin (k varchar(20) CHARACTER SET latin1 NOT NULL, v varchar(20) CHARACTER SET latin1, PRIMARY KEY (k));
    INSERT INTO wp_lf_latin VALUES (_latin1 x'E4', _latin1 x'C3A4'), (_latin1 x'FF80', _latin1 x'FFFE'), ('z', 'z');
    CREATE TABLE wp_lf_negative (id bigint unsigned NOT NULL, t time NOT NULL, UNIQUE KEY k (t, id));
    INSERT INTO wp_lf_negative SELECT 18446744073709551615 - seq, SEC_TO_TIME(CAST(seq AS SIGNED) % 50 - 25) FROM seq_1_to_1500;
    CREATE TABLE wp_lf_prefixkey (u text NOT NULL, UNIQUE KEY u (u(20)));
    INSERT INTO wp_lf_prefixkey VALUES ('one'), ('two');
    CREATE TABLE wp_lf_enumkey (e enum('z','a') NOT NULL PRIMARY KEY, f float);
    INSERT INTO wp_lf_enumkey VALUES ('z', 1.5), ('a', 2.25);
    CREATE TABLE `wp_lf_order` (`select` int PRIMARY KEY, `we``ird` int);
    INSERT INTO `wp_lf_order` VALUES (1, 2);
    CREATE TABLE `wp_LF_Order` (`id` int PRIMARY KEY);
    INSERT INTO `wp_LF_Order` VALUES (1), (2);
    CREATE TABLE wp_lf_empty (id int PRIMARY KEY);
    CREATE TABLE other_app (id int PRIMARY KEY);
    CREATE OR REPLACE VIEW wp_lf_view AS SELECT id FROM wp_lf_types;
    CREATE OR REPLACE TRIGGER wp_lf_trigger BEFORE INSERT ON wp_lf_empty FOR EACH ROW SET NEW.id = NEW.id;
    CREATE OR REPLACE FUNCTION lf_hidden() RETURNS int DETERMINISTIC RETURN 4;
    CREATE OR REPLACE DEFINER = 'old_shop'@'127.0.0.1' FUNCTION lf_function() RETURNS int DETERMINISTIC RETURN 3;
    CREATE OR REPLACE EVENT lf_event ON SCHEDULE EVERY 1 YEAR DO SET @x = 1;
";

/// Count of rows and, per column, the sum of the checksums of its values. The order of rows does not matter.
#[derive(Debug, PartialEq, Eq)]
struct Sums {
    rows: u64,
    columns: Vec<u64>,
}

async fn read_sums(client: &SourceClient, table: &Table, from: Option<RowCursor>) -> (Sums, RowsEnd) {
    let mut reader = client.read_rows(table, from);
    let mut sums = Sums { rows: 0, columns: vec![0; table.columns.len()] };
    while let Some(page) = reader.next_page().await.unwrap_or_else(|e| panic!("{}: {e:?}", table.name)) {
        add(&mut sums, table, &page.block);
    }
    (sums, reader.end().expect("an end"))
}

fn add(sums: &mut Sums, table: &Table, block: &landfall_worker::model::RowBlock) {
    sums.rows += block.rows;
    block
        .for_each_row::<BadBlock>(table.columns.len(), |row| {
            for (sum, value) in sums.columns.iter_mut().zip(row) {
                *sum += value.map_or(0, |bytes| u64::from(crc32fast::hash(bytes)));
            }
            Ok(())
        })
        .unwrap();
}

/// The same by the server itself.
async fn server_sums(site: &Site, table: &Table) -> Sums {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let name = format!("`{}`", column.name.replace('`', "``"));
            let value = match column.data_type.as_str() {
                "bit" => format!("CAST({name} AS UNSIGNED)"),
                "float" => format!("({name} * 1e0)"),
                _other => name,
            };
            format!("COALESCE(SUM(CRC32({value})), 0)")
        })
        .collect();
    let own =
        if table.name == "wp_options" { " WHERE option_name NOT LIKE 'landfall\\_migrate\\_%'" } else { "" };
    let sql = format!(
        "SET SESSION time_zone = '+00:00'; SELECT COUNT(*), {} FROM `{}`{own}",
        columns.join(", "),
        table.name.replace('`', "``")
    );
    let text = site.sql(&sql).await;
    let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().expect(number));
    Sums { rows: numbers.next().expect("a count"), columns: numbers.collect() }
}

fn table<'a>(schema: &'a SourceSchema, name: &str) -> &'a Table {
    schema.schema.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no table {name}"))
}

#[tokio::test]
async fn every_value_of_every_table_arrives() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let client = site.client();
    let schema = client.schema(false).await.unwrap();
    assert!(schema.schema.tables.len() > 25, "{}", schema.schema.tables.len());
    for table in &schema.schema.tables {
        let (sums, end) = read_sums(&client, table, None).await;
        assert_eq!(sums, server_sums(&site, table).await, "{}", table.name);
        assert_eq!(end.rows, sums.rows, "{}", table.name);
        assert_eq!(end.counted.is_some(), table.key.is_empty(), "{}", table.name);
        assert!(end.counted.is_none_or(|counted| counted == end.rows), "{}", table.name);
    }
}

#[tokio::test]
async fn the_schema_names_keys_objects_and_what_is_left_out() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let schema = site.client().schema(false).await.unwrap();
    let key = |name: &str| table(&schema, name).key.clone();
    assert_eq!(key("wp_lf_composite"), ["a", "b", "c"]);
    assert_eq!(key("wp_lf_negative"), ["t", "id"], "a unique key serves where it is NOT NULL and whole");
    for keyless in ["wp_lf_keyless", "wp_lf_prefixkey", "wp_lf_enumkey"] {
        assert!(key(keyless).is_empty(), "{keyless}");
    }
    let types = table(&schema, "wp_lf_types");
    assert!(types.columns.last().unwrap().generated && !types.columns[0].generated);
    assert_eq!(types.columns[1].data_type, "bit");
    assert!(types.create_sql.starts_with("CREATE TABLE `wp_lf_types`"));
    assert_eq!(table(&schema, "wp_lf_latin").columns[0].charset.as_deref(), Some("latin1"));
    let has = |objects: &[landfall_worker::model::SchemaObject], name: &str| {
        objects.iter().any(|object| object.name == name && object.create_sql.contains(name))
    };
    assert!(has(&schema.schema.views, "wp_lf_view"));
    assert!(has(&schema.schema.triggers, "wp_lf_trigger"));
    assert!(has(&schema.schema.routines, "lf_function"));
    assert!(has(&schema.schema.events, "lf_event"));
    // The server shows the body of another's routine to nobody: it is named instead.
    let hidden =
        schema.left_out.iter().find(|object| object.name == "lf_hidden").expect("lf_hidden is named");
    assert_eq!((hidden.what.as_str(), hidden.reason.as_str()), ("routine", "unreadable"));
    let other = schema.left_out.iter().find(|object| object.name == "other_app").expect("other_app is named");
    assert_eq!((other.what.as_str(), other.reason.as_str()), ("base table", "prefix"));
    let all = site.client().schema(true).await.unwrap();
    assert_eq!(table(&all, "other_app").key, ["id"]);
}

#[tokio::test]
async fn rows_are_read_once_wherever_the_connection_breaks() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let schema = site.client().schema(false).await.unwrap();
    for (name, step) in [("wp_lf_composite", 70_000), ("wp_lf_big", 230_000), ("wp_lf_bigkeyless", 410_000)] {
        let table = table(&schema, name);
        let cutter = Cutter::start(site.address(), 8, step).await;
        let url = format!("http://{}:{}", site.source.site.url.host_str().unwrap(), cutter.address.port());
        let client = site.client_of(site.endpoint(&url.parse().unwrap(), &SECRET));
        let (sums, _) = read_sums(&client, table, None).await;
        assert_eq!(sums, server_sums(&site, table).await, "{name}");
        assert!(cutter.cuts() >= 4, "{name} met {} cuts", cutter.cuts());
    }
}

#[tokio::test]
async fn a_reading_goes_on_from_the_cursor_of_any_page() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let client = site.client();
    let schema = client.schema(false).await.unwrap();
    for name in ["wp_lf_composite", "wp_lf_binary", "wp_lf_negative", "wp_lf_big", "wp_lf_bigkeyless"] {
        let table = table(&schema, name);
        let mut sums = Sums { rows: 0, columns: vec![0; table.columns.len()] };
        let mut cursor = None;
        // A new reader for every page.
        while let Some(page) = client.read_rows(table, cursor).next_page().await.unwrap() {
            add(&mut sums, table, &page.block);
            cursor = Some(page.next);
        }
        assert_eq!(sums, server_sums(&site, table).await, "{name}");
    }
}

#[tokio::test]
async fn a_row_larger_than_the_packet_and_the_memory_limit_arrives() {
    let site = site().await;
    site.sql(
        "SET GLOBAL max_allowed_packet = 67108864; DROP TABLE IF EXISTS wp_lf_big2;
         CREATE TABLE wp_lf_big2 (id int PRIMARY KEY, body longtext, tail int);",
    )
    .await;
    site.sql(
        "INSERT INTO wp_lf_big2 VALUES (1, REPEAT('0123456789', 2000000), 7), (2, 'x', 8);
         SET GLOBAL max_allowed_packet = 4194304;",
    )
    .await;
    let client = site.client();
    let schema = client.schema(false).await.unwrap();
    let table = table(&schema, "wp_lf_big2");
    let small = site.source.site.docroot.join("wp-content/mu-plugins/small.php");
    std::fs::create_dir_all(small.parent().unwrap()).unwrap();
    std::fs::write(&small, "<?php ini_set( 'memory_limit', '16M' );").unwrap();
    let (sums, _) = read_sums(&client, table, None).await;
    std::fs::remove_file(small).unwrap();
    site.sql("SET GLOBAL max_allowed_packet = 67108864").await;
    assert_eq!(sums, server_sums(&site, table).await);
    site.sql("DROP TABLE wp_lf_big2").await;
}

#[tokio::test]
async fn pages_read_a_range_of_the_index() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let code = r"
        global $wpdb;
        foreach ( array(
            'wp_lf_composite' => array( 'K5ä', '-3', '1970-01-01 00:00:09' ),
            'wp_lf_binary'    => array( hex2bin( '7fff' ) ),
            'wp_lf_negative'  => array( '-00:00:05', '18446744073709550000' ),
            'wp_lf_latin'     => array( hex2bin( 'e4' ) ),
            'wp_options'      => array( '40' ),
        ) as $name => $key ) {
            $db    = new Landfall_Migrate_Database( Landfall_Migrate_Database::METADATA );
            $table = new Landfall_Migrate_Table( $db, $name );
            $query = new Landfall_Migrate_Row_Query( $table, $wpdb->base_prefix );
            $db->speak( Landfall_Migrate_Database::RAW );
            $plan  = $db->rows( 'EXPLAIN ' . $query->page( $key, 0, 100, 65536 ) );
            echo $name, ' ', $plan[0]['TYPE'], ' ', $plan[0]['KEY'], ' ', $plan[0]['EXTRA'], PHP_EOL;
        }";
    let plans = site.source.site.php(code).await.unwrap();
    assert_eq!(plans.lines().count(), 5, "{plans}");
    for plan in plans.lines() {
        assert!(plan.contains(" range ") && !plan.contains("filesort"), "{plan}");
    }
}

#[tokio::test]
async fn marks_tell_whether_a_table_moved() {
    let site = site().await;
    site.sql(FIXTURES).await;
    let client = site.client();
    let names = vec!["wp_lf_keyless".to_owned(), "wp_lf_empty".to_owned(), "wp_gone".to_owned()];
    let before = client.table_marks(&names).await.unwrap();
    assert_eq!((before[0].rows, before[1].rows, before[2].rows), (Some(5000), Some(0), None));
    assert_eq!(before, client.table_marks(&names).await.unwrap());
    site.sql("INSERT INTO wp_lf_empty VALUES (1)").await;
    let after = client.table_marks(&names).await.unwrap();
    assert!(before[0] == after[0] && before[1] != after[1], "{after:?}");
}
