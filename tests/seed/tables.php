<?php
/**
 * Tables of plugins and of other programs, with what the common tools lose.
 */

declare(strict_types=1);

/**
 * Runs one statement or ends with its error.
 *
 * @param string $statement SQL.
 */
function lab_sql( string $statement ): void {
	global $wpdb;
	if ( ! mysqli_query( $wpdb->dbh, $statement ) ) {
		throw new RuntimeException( mysqli_error( $wpdb->dbh ) . ' in ' . substr( $statement, 0, 200 ) );
	}
}

/**
 * A quoted value.
 *
 * @param string $bytes Its bytes.
 */
function lab_quote( string $bytes ): string {
	global $wpdb;
	return "'" . mysqli_real_escape_string( $wpdb->dbh, $bytes ) . "'";
}

/** Foreign keys, a check, a view, a trigger. */
function lab_shop_tables( string $p ): void {
	$home = home_url();
	lab_sql( "CREATE TABLE {$p}shop_customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL, site VARCHAR(200)) ENGINE=InnoDB" );
	lab_sql(
		"CREATE TABLE {$p}shop_orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, parent INT NULL,
		total DECIMAL(20,4) NOT NULL, note TEXT, KEY customer (customer),
		CONSTRAINT {$p}orders_customer FOREIGN KEY (customer) REFERENCES {$p}shop_customers (id) ON DELETE CASCADE,
		CONSTRAINT {$p}orders_parent FOREIGN KEY (parent) REFERENCES {$p}shop_orders (id) ON DELETE SET NULL,
		CONSTRAINT {$p}orders_total CHECK (total >= 0)) ENGINE=InnoDB"
	);
	lab_sql( "CREATE TABLE {$p}shop_audit (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100)) ENGINE=InnoDB" );
	lab_sql( "CREATE TRIGGER {$p}orders_audit AFTER INSERT ON {$p}shop_orders FOR EACH ROW INSERT INTO {$p}shop_audit (what) VALUES (CONCAT('order ', NEW.id))" );
	lab_sql( "CREATE VIEW {$p}shop_totals AS SELECT c.id, c.name, COALESCE(SUM(o.total), 0) AS total FROM {$p}shop_customers c LEFT JOIN {$p}shop_orders o ON o.customer = c.id GROUP BY c.id, c.name" );
	for ( $i = 1; $i <= 20; $i++ ) {
		lab_sql( "INSERT INTO {$p}shop_customers (id, name, site) VALUES ({$i}, 'Møller {$i}', '{$home}/c/{$i}')" );
		$parent = $i > 1 ? $i - 1 : 'NULL';
		lab_sql( "INSERT INTO {$p}shop_orders (id, customer, parent, total, note) VALUES ({$i}, {$i}, {$parent}, {$i}.0500, 'see {$home}/order/{$i}')" );
	}
}

/** No key with duplicates; composite, negative and binary keys; names that differ in case or are reserved. */
function lab_key_tables( string $p ): void {
	$home = home_url();
	lab_sql( "CREATE TABLE {$p}keyless_log (at DATETIME, line VARCHAR(300), code INT) ENGINE=InnoDB" );
	for ( $i = 0; $i < 400; $i++ ) {
		$line = "visit {$home}/log/" . ( $i % 7 );
		lab_sql( "INSERT INTO {$p}keyless_log VALUES ('2023-01-01 00:00:0" . ( $i % 3 ) . "', '{$line}', " . ( $i % 2 ? 'NULL' : $i % 5 ) . ')' );
	}
	lab_sql( "CREATE TABLE {$p}composite (region INT NOT NULL, code VARBINARY(8) NOT NULL, word VARCHAR(40) NOT NULL, text VARCHAR(200), PRIMARY KEY (region, code, word)) ENGINE=InnoDB" );
	for ( $i = -60; $i < 60; $i++ ) {
		$code = lab_quote( pack( 'nC', $i & 0xffff, $i & 0xff ) . "\0\xff" );
		lab_sql( "INSERT INTO {$p}composite VALUES ({$i}, {$code}, 'Wörter " . ( $i % 3 ) . "', '{$home}/composite/{$i}')" );
	}
	lab_sql( "CREATE TABLE {$p}unique_only (a INT NOT NULL, b VARCHAR(20) NOT NULL, c TEXT, UNIQUE KEY ab (a, b)) ENGINE=InnoDB" );
	lab_sql( "INSERT INTO {$p}unique_only VALUES (1, 'x', '{$home}'), (1, 'y', NULL), (-5, '', '')" );
	lab_sql( "CREATE TABLE {$p}Case (id INT PRIMARY KEY, t VARCHAR(20)) ENGINE=InnoDB" );
	lab_sql( "CREATE TABLE {$p}case (id INT PRIMARY KEY, t VARCHAR(20)) ENGINE=InnoDB" );
	lab_sql( "INSERT INTO {$p}Case VALUES (1, 'upper')" );
	lab_sql( "INSERT INTO {$p}case VALUES (1, 'lower'), (2, 'more')" );
	lab_sql( "CREATE TABLE `{$p}order` (`group` INT PRIMARY KEY, `key` VARCHAR(60), `select` TEXT) ENGINE=InnoDB" );
	lab_sql( "INSERT INTO `{$p}order` VALUES (1, 'reserved', '{$home}/reserved')" );
	lab_sql( "CREATE TABLE `{$p}odd name-x` (`a b` INT PRIMARY KEY, `ü``\"` TEXT) ENGINE=InnoDB" );
	lab_sql( "INSERT INTO `{$p}odd name-x` VALUES (1, '{$home}/odd')" );
	lab_sql( "CREATE TABLE {$p}empty_one (id INT PRIMARY KEY) ENGINE=InnoDB" );
}

/** Types whose values change when they are read or written carelessly. */
function lab_type_tables( string $p ): void {
	$home = home_url();
	lab_sql(
		"CREATE TABLE {$p}odd_types (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, flags BIT(12), price DECIMAL(38,10), big BIGINT UNSIGNED, d DOUBLE, f FLOAT,
		day DATE, moment DATETIME(6), stamp TIMESTAMP NULL, span TIME(3), y YEAR, e ENUM('a','b','ü'), s SET('x','y','z'), j JSON,
		raw VARBINARY(64), pic BLOB, fixed BINARY(8), small TINYINT(1), t TEXT) ENGINE=InnoDB"
	);
	lab_sql( 'SET @mode = @@sql_mode' );
	lab_sql( "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'" );
	$json = lab_quote( wp_json_encode( array( 'url' => $home . '/json', 'n' => 1.10 ) ) );
	$raw  = lab_quote( "\0\x01\xff\x1a'\"\\ {$home}\n" );
	lab_sql(
		"INSERT INTO {$p}odd_types VALUES
		(0, b'101010101010', 1234567890123456789012345678.0123456789, 18446744073709551615, 1.7976931348623157e308, 0.1, '0000-00-00', '0000-00-00 00:00:00', NULL, '-838:59:59.000', 0, 'ü', 'x,z', {$json}, {$raw}, {$raw}, 'ab', 1, 'id zero'),
		(-7, b'0', -0.0000000001, 0, 0.1, -1.5e-20, '2023-02-30', '2023-01-01 12:00:00.123456', '2023-01-01 00:00:00', '00:00:00.5', 1999, '', '', '{}', '', NULL, '', 0, ''),
		(5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		(6, b'1', 0, 1, -0.0, 16777217, '1000-01-01', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '12:00:00', 2155, 'a', 'y', '[]', 'x', 'y', 'z', 127, 'NULL')"
	);
	lab_sql( 'SET sql_mode = @mode' );
	lab_sql(
		"CREATE TABLE {$p}generated (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, price INT NOT NULL, link VARCHAR(200),
		twice INT GENERATED ALWAYS AS (price * 2) STORED, label VARCHAR(250) GENERATED ALWAYS AS (CONCAT('at ', link)) VIRTUAL, KEY twice (twice)) ENGINE=InnoDB"
	);
	for ( $i = 1; $i <= 30; $i++ ) {
		lab_sql( "INSERT INTO {$p}generated (price, link) VALUES ({$i}, '{$home}/g/{$i}')" );
	}
	lab_sql( "CREATE TABLE {$p}legacy (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, words TEXT, FULLTEXT KEY words (words)) ENGINE=MyISAM DEFAULT CHARSET=latin1" );
	lab_sql( 'SET NAMES latin1' );
	// UTF-8 bytes in a latin1 column, as sites of 2005 have them, and bytes that are no UTF-8 at all.
	lab_sql( "INSERT INTO {$p}legacy (words) VALUES ('caf\xc3\xa9 {$home}/legacy'), ('\xff\xfe\x80 raw'), ('plain'), ('')" );
	lab_sql( 'SET NAMES utf8mb4' );
}

/** A table of another program in the same database, which nobody asked to move. */
function lab_foreign_table(): void {
	lab_sql( 'CREATE TABLE crm_contacts (id INT PRIMARY KEY, mail VARCHAR(80)) ENGINE=InnoDB' );
	lab_sql( "INSERT INTO crm_contacts VALUES (1, 'someone@example.org')" );
}

/**
 * One row of this many bytes, with a URL every few kilobytes.
 *
 * @param string $p     The prefix.
 * @param int    $bytes Its size.
 */
function lab_big_row( string $p, int $bytes ): void {
	lab_sql( "CREATE TABLE {$p}imports (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, body LONGTEXT) ENGINE=InnoDB" );
	$body = '';
	while ( strlen( $body ) < $bytes ) {
		$body .= bin2hex( lab_noise( 1500 ) ) . lab_paragraph() . ' ' . home_url( '/import/' . strlen( $body ) ) . "\n";
	}
	lab_sql( "INSERT INTO {$p}imports (body) VALUES ('short'), (" . lab_quote( substr( $body, 0, $bytes ) ) . '), (NULL)' );
}

/**
 * Posts straight into the tables, as many as WordPress would take minutes for, each with serialized meta.
 *
 * @param string $p     The prefix.
 * @param int    $count How many.
 */
function lab_bulk_posts( string $p, int $count ): void {
	$home  = home_url();
	$first = 1000000;
	lab_sql( 'SET foreign_key_checks = 0' );
	for ( $start = 0; $start < $count; $start += 100 ) {
		$posts = array();
		$meta  = array();
		for ( $i = $start; $i < min( $count, $start + 100 ); $i++ ) {
			$id   = $first + $i;
			$text = "<!-- wp:paragraph --><p>See <a href=\"{$home}/archive/{$i}/\">{$i}</a></p><!-- /wp:paragraph -->";
			for ( $k = 0; $k < 14; $k++ ) {
				$text .= "\n<p>" . lab_paragraph() . '</p>';
			}
			$text   .= "\n<img src=\"{$home}/wp-content/uploads/archive/{$i}.jpg\">";
			$title   = lab_quote( 'Archive ' . $i . ' ' . lab_words( 3 ) );
			$posts[] = "({$id}, 1, '2019-05-05 10:00:00', '2019-05-05 10:00:00', " . lab_quote( $text ) . ", {$title}, '', 'publish', 'archive-{$i}', '', '', '2019-05-05 10:00:00', '2019-05-05 10:00:00', '', '{$home}/?p={$id}', 'archive')";
			$value   = serialize( array( 'source' => "{$home}/archive/{$i}/", 'hits' => $i, 'tags' => array( lab_words( 2 ), 'x' ) ) ); // phpcs:ignore
			$meta[]  = "({$id}, 'acme_archive', " . lab_quote( $value ) . ')';
		}
		lab_sql( "INSERT INTO {$p}posts (ID, post_author, post_date, post_date_gmt, post_content, post_title, post_excerpt, post_status, post_name, to_ping, pinged, post_modified, post_modified_gmt, post_content_filtered, guid, post_type) VALUES " . implode( ',', $posts ) );
		lab_sql( "INSERT INTO {$p}postmeta (post_id, meta_key, meta_value) VALUES " . implode( ',', $meta ) );
	}
	lab_sql( 'SET foreign_key_checks = 1' );
}

/**
 * A table of this size, to see that memory does not grow with it.
 *
 * @param string $p         The prefix.
 * @param int    $megabytes Its size.
 */
function lab_big_table( string $p, int $megabytes ): void {
	lab_sql( "CREATE TABLE {$p}big_table (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, body TEXT) ENGINE=InnoDB" );
	for ( $i = 0; $i < $megabytes; $i++ ) {
		$rows = array();
		for ( $k = 0; $k < 64; $k++ ) {
			$rows[] = '(' . lab_quote( bin2hex( lab_noise( 8000 ) ) . home_url( "/big/{$i}/{$k}" ) ) . ')';
		}
		lab_sql( "INSERT INTO {$p}big_table (body) VALUES " . implode( ',', $rows ) );
	}
}
