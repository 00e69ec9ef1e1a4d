<?php
/**
 * Statements and cursors.
 *
 * @package Landfall_Migrate
 */

/**
 * A table without a server.
 *
 * @param string $name    Its name.
 * @param array  $columns Name => array of data type and character set.
 * @param array  $key     Positions of the key's columns.
 * @return Landfall_Migrate_Table
 */
function table( $name, array $columns, array $key ) {
	$reflection = new ReflectionClass( 'Landfall_Migrate_Table' );
	$table      = $reflection->newInstanceWithoutConstructor();

	$table->name     = $name;
	$table->columns  = array();
	$table->key      = $key;
	$table->key_name = array() === $key ? '' : 'PRIMARY';
	foreach ( $columns as $column => $type ) {
		$table->columns[] = array(
			'name'        => $column,
			'data_type'   => $type[0],
			'column_type' => $type[0],
			'charset'     => $type[1],
			'generated'   => false,
		);
	}
	return $table;
}

return array(
	'a page follows the whole key in the columns own collation' => function () {
		$columns = array(
			'a' => array( 'varchar', 'utf8mb4' ),
			'b' => array( 'int', null ),
			'c' => array( 'datetime', null ),
			'v' => array( 'longtext', 'latin1' ),
			'f' => array( 'float', null ),
			'x' => array( 'bit', null ),
		);
		$query = new Landfall_Migrate_Row_Query( table( 'wp_x', $columns, array( 0, 1, 2 ) ), 'wp_' );
		$sql   = $query->page( array( "O'k", '-5', '2001-01-01 00:00:00' ), 0, 10, 65536 );
		$where = "WHERE `a` >= _utf8mb4 x'4f276b' AND (`a` > _utf8mb4 x'4f276b' OR (`b` >= -5 AND (`b` > -5 OR (`c` > '2001-01-01 00:00:00'))))";
		holds( false !== strpos( $sql, $where ), $sql );
		holds( false !== strpos( $sql, 'IF(OCTET_LENGTH(`v`) <= 65536, `v`, NULL), (`f` * 1e0), CAST(`x` AS UNSIGNED), OCTET_LENGTH(`v`)' ), $sql );
		holds( false !== strpos( $sql, 'FORCE INDEX (`PRIMARY`)' ) && false !== strpos( $sql, 'ORDER BY `a`, `b`, `c` LIMIT 10' ), $sql );
	},
	'names are quoted and values of a cursor cannot be SQL'     => function () {
		same( '`a``; DROP TABLE x; -- `', Landfall_Migrate_Database::name( 'a`; DROP TABLE x; -- ' ) );
		$query = new Landfall_Migrate_Row_Query( table( 'wp_x', array( 'id' => array( 'bigint', null ) ), array( 0 ) ), 'wp_' );
		foreach ( array( '1 OR 1=1', '', '1;', '0x10', "1\n", '1e5' ) as $value ) {
			same( 'bad_params', refusal_of( function () use ( $query, $value ) {
				$query->page( array( $value ), 0, 1, 1 );
			} ), json_encode( $value ) );
		}
		$query = new Landfall_Migrate_Row_Query( table( 'wp_x', array( 't' => array( 'timestamp', null ) ), array( 0 ) ), 'wp_' );
		same( 'bad_params', refusal_of( function () use ( $query ) {
			$query->page( array( "2001' OR '1" ), 0, 1, 1 );
		} ) );
	},
	'the plugin hides its own options and nothing else'         => function () {
		$columns = array( 'option_id' => array( 'bigint', null ), 'option_name' => array( 'varchar', 'utf8mb4' ) );
		foreach ( array( 'wp_options', 'WP_OPTIONS', 'wp_2_options' ) as $name ) {
			$query = new Landfall_Migrate_Row_Query( table( $name, $columns, array( 0 ) ), 'wp_' );
			holds( false !== strpos( $query->count(), "NOT LIKE 'landfall\\_migrate\\_%'" ), $name );
		}
		$query = new Landfall_Migrate_Row_Query( table( 'wp_my_options', $columns, array( 0 ) ), 'wp_' );
		same( 'SELECT COUNT(*) FROM `wp_my_options`', $query->count() );
	},
	'a cursor comes back as it went and only to its table'      => function () {
		$table  = table( 'wp_x', array( 'k' => array( 'varbinary', null ) ), array( 0 ) );
		$cursor = Landfall_Migrate_Row_Cursor::read( '', $table );
		$cursor->pass( array( "\x00\xff'" ) );
		$cursor->large_key   = array( 'z' );
		$cursor->large_at    = 77;
		$cursor->large_stamp = 'abc';

		$read = Landfall_Migrate_Row_Cursor::read( $cursor->text(), $table );
		same( $cursor->text(), $read->text() );
		same( array( "\x00\xff'" ), $read->key );
		holds( strlen( $cursor->text() ) < 200, 'it is small' );
		$other = table( 'wp_x', array( 'k' => array( 'varchar', 'utf8mb4' ) ), array( 0 ) );
		same( 'table_changed', refusal_of( function () use ( $cursor, $other ) {
			Landfall_Migrate_Row_Cursor::read( $cursor->text(), $other );
		} ) );
		foreach ( array( 'x', '{}', '{"s":"' . $cursor->shape . '","n":1,"k":[]}', '{"s":"' . $cursor->shape . '","n":1,"k":["*"]}' ) as $text ) {
			same( 'bad_params', refusal_of( function () use ( $text, $table ) {
				Landfall_Migrate_Row_Cursor::read( $text, $table );
			} ), $text );
		}
	},
);
