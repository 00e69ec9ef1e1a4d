<?php
/**
 * The statements that read rows.
 *
 * @package Landfall_Migrate
 */

/**
 * Makes the SELECTs of one table. Values of keys become literals in the column's own character set, so that the server
 * compares in the column's collation and uses the index.
 */
final class Landfall_Migrate_Row_Query {

	/**
	 * Types whose values can be larger than memory.
	 */
	const LARGE_TYPES = array( 'mediumtext', 'longtext', 'mediumblob', 'longblob', 'json' );

	/**
	 * Types whose literals are bare numbers.
	 */
	const NUMBER_TYPES = array( 'tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'year', 'bit' );

	/**
	 * Types whose literals are quoted digits and signs.
	 */
	const TIME_TYPES = array( 'date', 'time', 'datetime', 'timestamp' );

	/**
	 * The table.
	 *
	 * @var Landfall_Migrate_Table
	 */
	private $table;

	/**
	 * Condition that hides the plugin's own rows; empty for most tables.
	 *
	 * @var string
	 */
	private $filter;

	/**
	 * Takes the table.
	 *
	 * @param Landfall_Migrate_Table $table  The table.
	 * @param string                 $prefix Prefix of the site's tables.
	 */
	public function __construct( Landfall_Migrate_Table $table, $prefix ) {
		$this->table  = $table;
		$this->filter = self::own_rows_filter( $table, $prefix );
	}

	/**
	 * Positions of the columns whose values can be larger than memory.
	 *
	 * @return array
	 */
	public function large_columns() {
		$large = array();
		foreach ( $this->table->columns as $position => $column ) {
			if ( in_array( $column['data_type'], self::LARGE_TYPES, true ) ) {
				$large[] = $position;
			}
		}
		return $large;
	}

	/**
	 * One page of rows: all columns in their order, then the lengths of the large ones. A large value that is longer
	 * than allowed comes as NULL.
	 *
	 * @param array|null $after     Key that the page begins behind; null for the first page.
	 * @param int        $offset    Rows to skip, for tables without a key.
	 * @param int        $limit     Most rows.
	 * @param int        $bytes_max Longest large value.
	 * @return string
	 */
	public function page( $after, $offset, $limit, $bytes_max ) {
		$select = array();
		$large  = $this->large_columns();
		foreach ( $this->table->columns as $position => $column ) {
			$name     = Landfall_Migrate_Database::name( $column['name'] );
			$select[] = in_array( $position, $large, true )
				? 'IF(OCTET_LENGTH(' . $name . ') <= ' . (int) $bytes_max . ', ' . $name . ', NULL)'
				: self::expression( $column );
		}
		foreach ( $large as $position ) {
			$select[] = 'OCTET_LENGTH(' . Landfall_Migrate_Database::name( $this->table->columns[ $position ]['name'] ) . ')';
		}
		$where = $this->where( null === $after ? '' : $this->behind( $after, 0 ) );
		$limit = ' LIMIT ' . (int) $limit . ( $offset > 0 ? ' OFFSET ' . (int) $offset : '' );
		return 'SELECT ' . implode( ', ', $select ) . $this->from() . $where . $this->order() . $limit;
	}

	/**
	 * One row for the reader of large rows: small columns as they are, length and checksum of the large ones.
	 *
	 * @param array|null $key    Its key; null in a table without one.
	 * @param int        $offset Its number, in a table without a key.
	 * @return string
	 */
	public function outline( $key, $offset ) {
		$select = array();
		$large  = $this->large_columns();
		foreach ( $this->table->columns as $position => $column ) {
			$select[] = in_array( $position, $large, true ) ? 'NULL' : self::expression( $column );
		}
		foreach ( $large as $position ) {
			$name     = Landfall_Migrate_Database::name( $this->table->columns[ $position ]['name'] );
			$select[] = 'OCTET_LENGTH(' . $name . ')';
			$select[] = 'CRC32(' . $name . ')';
		}
		return 'SELECT ' . implode( ', ', $select ) . $this->one( $key, $offset );
	}

	/**
	 * A piece of a large value.
	 *
	 * @param int        $position Its column.
	 * @param array|null $key      Key of its row; null in a table without one.
	 * @param int        $offset   Number of its row, in a table without a key.
	 * @param int        $at       First byte, from 0.
	 * @param int        $length   Most bytes.
	 * @return string
	 */
	public function piece( $position, $key, $offset, $at, $length ) {
		$column = $this->table->columns[ $position ];
		$name   = Landfall_Migrate_Database::name( $column['name'] );
		$value  = 'json' === $column['data_type'] ? 'CAST(' . $name . ' AS CHAR)' : $name;
		// CONVERT, because CAST gives NULL for a value that is larger than max_allowed_packet.
		return 'SELECT SUBSTRING(CONVERT(' . $value . ' USING binary), ' . ( (int) $at + 1 ) . ', ' . (int) $length . ')'
			. $this->one( $key, $offset );
	}

	/**
	 * How many rows there are to read.
	 *
	 * @return string
	 */
	public function count() {
		return 'SELECT COUNT(*) FROM ' . Landfall_Migrate_Database::name( $this->table->name ) . $this->where( '' );
	}

	/**
	 * FROM and WHERE of a single row.
	 *
	 * @param array|null $key    Its key; null in a table without one.
	 * @param int        $offset Its number, in a table without a key.
	 * @return string
	 */
	private function one( $key, $offset ) {
		if ( null === $key ) {
			return $this->from() . $this->where( '' ) . ' LIMIT 1 OFFSET ' . (int) $offset;
		}
		$same = array();
		foreach ( $this->table->key as $part => $position ) {
			$column = $this->table->columns[ $position ];
			$same[] = Landfall_Migrate_Database::name( $column['name'] ) . ' = ' . self::literal( $column, $key[ $part ] );
		}
		return $this->from() . $this->where( implode( ' AND ', $same ) ) . ' LIMIT 1';
	}

	/**
	 * The rows behind a key: `a >= ? AND (a > ? OR (b >= ? AND (…)))`, which the server reads as one range of the index.
	 *
	 * @param array $key  Values of the key.
	 * @param int   $part Where in the key to begin.
	 * @return string
	 */
	private function behind( array $key, $part ) {
		$column  = $this->table->columns[ $this->table->key[ $part ] ];
		$name    = Landfall_Migrate_Database::name( $column['name'] );
		$literal = self::literal( $column, $key[ $part ] );
		if ( count( $this->table->key ) - 1 === $part ) {
			return $name . ' > ' . $literal;
		}
		return $name . ' >= ' . $literal . ' AND (' . $name . ' > ' . $literal . ' OR (' . $this->behind( $key, $part + 1 ) . '))';
	}

	/**
	 * The table, with the key that is to be used.
	 *
	 * @return string
	 */
	private function from() {
		$from = ' FROM ' . Landfall_Migrate_Database::name( $this->table->name );
		if ( '' !== $this->table->key_name ) {
			$from .= ' FORCE INDEX (' . Landfall_Migrate_Database::name( $this->table->key_name ) . ')';
		}
		return $from;
	}

	/**
	 * A condition together with the filter.
	 *
	 * @param string $condition The condition, or empty.
	 * @return string
	 */
	private function where( $condition ) {
		$both = array_filter( array( $condition, $this->filter ) );
		return array() === $both ? '' : ' WHERE ' . implode( ' AND ', $both );
	}

	/**
	 * The order of the key.
	 *
	 * @return string
	 */
	private function order() {
		$names = array_map( array( 'Landfall_Migrate_Database', 'name' ), $this->table->key_names() );
		return array() === $names ? '' : ' ORDER BY ' . implode( ', ', $names );
	}

	/**
	 * How a value is asked for, so that nothing of it is lost.
	 *
	 * @param array $column Its column.
	 * @return string
	 */
	private static function expression( array $column ) {
		$name = Landfall_Migrate_Database::name( $column['name'] );
		if ( 'bit' === $column['data_type'] ) {
			return 'CAST(' . $name . ' AS UNSIGNED)';
		}
		// The server shows six digits of a FLOAT; as a DOUBLE it shows all of them.
		return 'float' === $column['data_type'] ? '(' . $name . ' * 1e0)' : $name;
	}

	/**
	 * A value of a key as a literal.
	 *
	 * @param array  $column Its column.
	 * @param string $value  Its raw bytes.
	 * @return string
	 * @throws Landfall_Migrate_Refusal When the cursor holds something that is not such a value.
	 */
	private static function literal( array $column, $value ) {
		if ( in_array( $column['data_type'], self::NUMBER_TYPES, true ) ) {
			if ( 1 !== preg_match( '/^-?[0-9]{1,65}(\.[0-9]{1,38})?$/D', $value ) ) {
				throw new Landfall_Migrate_Refusal( 'bad_params', 'The cursor is not one of this table.' );
			}
			return $value;
		}
		if ( in_array( $column['data_type'], self::TIME_TYPES, true ) ) {
			if ( 1 !== preg_match( '/^[0-9:. -]{1,32}$/D', $value ) ) {
				throw new Landfall_Migrate_Refusal( 'bad_params', 'The cursor is not one of this table.' );
			}
			return "'" . $value . "'";
		}
		$introducer = null === $column['charset'] ? '' : '_' . preg_replace( '/[^A-Za-z0-9]/', '', $column['charset'] ) . ' ';
		return $introducer . "x'" . bin2hex( $value ) . "'";
	}

	/**
	 * Hides the plugin's options, the key of the migration among them.
	 *
	 * @param Landfall_Migrate_Table $table  The table.
	 * @param string                 $prefix Prefix of the site's tables.
	 * @return string
	 */
	private static function own_rows_filter( Landfall_Migrate_Table $table, $prefix ) {
		if ( 1 !== preg_match( '/^' . preg_quote( $prefix, '/' ) . '([0-9]+_)?options$/Di', $table->name ) ) {
			return '';
		}
		foreach ( $table->columns as $column ) {
			if ( 'option_name' === strtolower( $column['name'] ) ) {
				return Landfall_Migrate_Database::name( $column['name'] ) . " NOT LIKE 'landfall\\_migrate\\_%'";
			}
		}
		return '';
	}
}
