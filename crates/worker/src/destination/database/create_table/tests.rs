use super::*;

fn server(is_mariadb: bool) -> ServerFacts {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ServerFacts {
        is_mariadb,
        collations: names(&["utf8mb4_unicode_520_ci", "utf8mb4_bin", "latin1_swedish_ci"]),
        charsets: names(&["utf8mb4", "latin1"]),
        ..ServerFacts::default()
    }
}

fn adapted(sql: &str, server: &ServerFacts, taken: &[&str]) -> Adapted {
    let shadows: BTreeMap<String, String> =
        [("wp_a", "lf_7_0001"), ("wp_b", "lf_7_0002")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let mut taken = taken.iter().map(|name| (*name).to_owned()).collect();
    let mut number = 0;
    let mut free_name = || {
        number += 1;
        format!("lf_7_c{number:04}")
    };
    let mut target = Target {
        source_name: "wp_b",
        name: "lf_7_0002",
        shadows: &shadows,
        server,
        taken: &mut taken,
        free_name: &mut free_name,
    };
    adapt(sql, &mut target).unwrap()
}

#[test]
fn engine_collation_and_options_become_the_destinations() {
    let sql = "CREATE TABLE `wp_b` (\n  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n  \
        `t` varchar(191) COLLATE utf8mb4_0900_ai_ci DEFAULT 'ENGINE=MyISAM, x) COLLATE y',\n  PRIMARY KEY (`id`),\n  \
        FULLTEXT KEY `t` (`t`)\n) ENGINE=MyISAM AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 \
        COLLATE=utf8mb4_0900_ai_ci ROW_FORMAT=FIXED PAGE_CHECKSUM=1 DATA DIRECTORY='/x/' COMMENT='it''s'";
    let adapted = adapted(sql, &server(true), &[]);
    assert_eq!(
        adapted.sql,
        "CREATE TABLE `lf_7_0002` (\n  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n  \
         `t` varchar(191) COLLATE utf8mb4_unicode_520_ci DEFAULT 'ENGINE=MyISAM, x) COLLATE y',\n  \
         PRIMARY KEY (`id`),\n  FULLTEXT KEY `t` (`t`)\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC AUTO_INCREMENT=42 \
         DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci COMMENT='it''s'"
    );
    assert_eq!(adapted.notes.len(), 4, "{:?}", adapted.notes);
}

#[test]
fn foreign_keys_follow_the_shadow_names_and_avoid_taken_ones() {
    let sql = "CREATE TABLE `wp_b` (\n  `p` int(11),\n  KEY `p` (`p`),\n  \
        CONSTRAINT `fk_p` FOREIGN KEY (`p`) REFERENCES `wp_a` (`id`) ON DELETE CASCADE,\n  \
        CONSTRAINT `wp_b_ibfk_1` FOREIGN KEY (`p`) REFERENCES `wp_b` (`p`),\n  \
        CONSTRAINT `fk_q` FOREIGN KEY (`p`) REFERENCES `wp_a` (`id`),\n  \
        CONSTRAINT `fk_gone` FOREIGN KEY (`p`) REFERENCES `other`.`t` (`id`)\n) ENGINE=InnoDB";
    let adapted = adapted(sql, &server(true), &["fk_q"]);
    assert_eq!(
        adapted.sql,
        "CREATE TABLE `lf_7_0002` (\n  `p` int(11),\n  KEY `p` (`p`),\n  \
         CONSTRAINT `fk_p` FOREIGN KEY (`p`) REFERENCES `lf_7_0001` (`id`) ON DELETE CASCADE,\n  \
         FOREIGN KEY (`p`) REFERENCES `lf_7_0002` (`p`),\n  \
         CONSTRAINT `lf_7_c0001` FOREIGN KEY (`p`) REFERENCES `lf_7_0001` (`id`)\n) \
         ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
    );
    assert_eq!(adapted.notes.len(), 2, "{:?}", adapted.notes);
}

#[test]
fn partitions_lose_their_folders_and_engines() {
    let sql = "CREATE TABLE `wp_b` (\n  `id` int NOT NULL\n) ENGINE=MyISAM DEFAULT CHARSET=latin1\n\
        /*!50100 PARTITION BY RANGE (`id`)\n(PARTITION p0 VALUES LESS THAN (10) DATA DIRECTORY = '/d' ENGINE = MyISAM,\n \
        PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = MyISAM) */";
    let adapted = adapted(sql, &server(true), &[]);
    assert!(
        adapted.sql.ends_with(
            "PARTITION BY RANGE (`id`)\n(PARTITION p0 VALUES LESS THAN (10)  ENGINE = InnoDB,\n \
             PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)"
        ),
        "{}",
        adapted.sql
    );
}

#[test]
fn a_taken_check_name_is_dropped_where_names_are_the_databases() {
    let sql = "CREATE TABLE `wp_b` (\n  `n` int,\n  CONSTRAINT `c` CHECK (`n` > 0)\n) ENGINE=InnoDB";
    assert!(adapted(sql, &server(false), &["c"]).sql.contains("\n  CHECK (`n` > 0)\n"));
    assert!(adapted(sql, &server(true), &["c"]).sql.contains("CONSTRAINT `c` CHECK"));
}

#[test]
fn long_keys_are_cut_where_the_server_asks_for_it() {
    let sql =
        "CREATE TABLE `t` (\n  `a` varchar(255),\n  `b` varchar(100),\n  KEY `k` (`a`,`b`)\n) ENGINE=InnoDB";
    assert!(with_short_keys(sql).unwrap().contains("KEY `k` (`a`(191),`b`)"));
    assert_eq!(with_short_keys("CREATE TABLE `t` (`b` int, KEY `b` (`b`))"), None);
}

#[test]
fn what_is_no_table_is_refused() {
    for sql in ["", "CREATE TABLE", "CREATE TABLE `a` (", "SELECT (1)", "CREATE VIEW a AS (SELECT 1)"] {
        assert!(Parts::of(sql).is_none(), "{sql}");
    }
}
