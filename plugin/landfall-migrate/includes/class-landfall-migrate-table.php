<?php
/**
 * One table.
 *
 * @package Landfall_Migrate
 */

/**
 * Columns of a table, and the key that pages of its rows follow.
 */
final class Landfall_Migrate_Table {

	/**
	 * Types whose order in a key is that of their literals. Floating point and enum keys are not among them.
	 */
	const KEY_TYPES = array(
		'tinyint',
		'smallint',
		'mediumint',
		'int',
		'bigint',
		'decimal',
		'year',
		'date',
		'time',
		'datetime',
		'timestamp',
		'bit',
		'char',
		'varchar',
		'binary',
		'varbinary',
	);

	/**
	 * Its name.
	 *
	 * @var string
	 */
	public $name;

	/**
	 * Its columns in their order: each with `name`, `data_type`, `column_type`, `charset` and `generated`.
	 *
	 * @var array
	 */
	public $columns;

	/**
	 * Name of the key; empty when there is none that serves.
	 *
	 * @var string
	 */
	public $key_name = '';

	/**
	 * Columns of the key: their positions in the table.
	 *
	 * @var array
	 */
	public $key = array();

	/**
	 * Loads what the server says of a table.
	 *
	 * @param Landfall_Migrate_Database $db   Speaks METADATA.
	 * @param string                    $name A name that the server listed.
	 * @throws Landfall_Migrate_Refusal When the server refuses.
	 */
	public function __construct( Landfall_Migrate_Database $db, $name ) {
		$this->name    = $name;
		$this->columns = self::load_columns( $db, $name );
		$this->choose_key( self::load_keys( $db, $name ) );
	}

	/**
	 * The base tables of the site's database: name => what information_schema says.
	 *
	 * @param Landfall_Migrate_Database $db   Speaks METADATA.
	 * @param string                    $only Only the table of this name; '' for all.
	 * @return array
	 */
	public static function list_all( Landfall_Migrate_Database $db, $only ) {
		$sql = 'SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, AVG_ROW_LENGTH, DATA_LENGTH, INDEX_LENGTH, TABLE_COLLATION,'
			. ' UPDATE_TIME, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()';
		if ( '' !== $only ) {
			$sql .= ' AND TABLE_NAME = ' . $db->text( $only );
		}
		$tables = array();
		foreach ( $db->rows( $sql ) as $row ) {
			if ( '' === $only || $row['TABLE_NAME'] === $only ) {
				$tables[ $row['TABLE_NAME'] ] = $row;
			}
		}
		ksort( $tables, SORT_STRING );
		return $tables;
	}

	/**
	 * Whether rows of this type of table are data of its own.
	 *
	 * @param array $facts What list_all() gives for it.
	 * @return bool
	 */
	public static function is_base( array $facts ) {
		return in_array( strtoupper( (string) $facts['TABLE_TYPE'] ), array( 'BASE TABLE', 'SYSTEM VERSIONED' ), true );
	}

	/**
	 * Whether a table, or another thing in the database, has the site's prefix.
	 *
	 * @param string $name       Its name.
	 * @param string $prefix     The prefix.
	 * @param bool   $fold_cases Whether the server keeps names in lower case.
	 * @return bool
	 */
	public static function has_prefix( $name, $prefix, $fold_cases ) {
		return 0 === ( $fold_cases ? stripos( $name, $prefix ) : strpos( $name, $prefix ) );
	}

	/**
	 * Names of the columns of the key.
	 *
	 * @return array
	 */
	public function key_names() {
		$names = array();
		foreach ( $this->key as $position ) {
			$names[] = $this->columns[ $position ]['name'];
		}
		return $names;
	}

	/**
	 * A short mark of columns and key: a cursor of another shape is not gone on from.
	 *
	 * @return string
	 */
	public function shape() {
		return sprintf( '%08x', crc32( Landfall_Migrate_Frames::json( array( $this->columns, $this->key_name, $this->key ) ) ) );
	}

	/**
	 * Columns as the server lists them.
	 *
	 * @param Landfall_Migrate_Database $db   Speaks METADATA.
	 * @param string                    $name Name of the table.
	 * @return array
	 */
	private static function load_columns( Landfall_Migrate_Database $db, $name ) {
		$sql     = 'SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, EXTRA FROM information_schema.COLUMNS'
			. ' WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ' . $db->text( $name ) . ' ORDER BY ORDINAL_POSITION';
		$columns = array();
		foreach ( $db->rows( $sql ) as $row ) {
			if ( $row['TABLE_NAME'] !== $name ) {
				continue;
			}
			$columns[] = array(
				'name'        => $row['COLUMN_NAME'],
				'data_type'   => strtolower( $row['DATA_TYPE'] ),
				'column_type' => $row['COLUMN_TYPE'],
				'charset'     => 'binary' === $row['CHARACTER_SET_NAME'] ? null : $row['CHARACTER_SET_NAME'],
				'generated'   => 1 === preg_match( '/\b(VIRTUAL|STORED|PERSISTENT)\b/i', (string) $row['EXTRA'] ),
			);
		}
		return $columns;
	}

	/**
	 * Unique keys as the server lists them: name => parts.
	 *
	 * @param Landfall_Migrate_Database $db   Speaks METADATA.
	 * @param string                    $name Name of the table.
	 * @return array
	 */
	private static function load_keys( Landfall_Migrate_Database $db, $name ) {
		$sql  = 'SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE, INDEX_TYPE FROM information_schema.STATISTICS'
			. ' WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 AND TABLE_NAME = ' . $db->text( $name )
			. ' ORDER BY INDEX_NAME, SEQ_IN_INDEX';
		$keys = array();
		foreach ( $db->rows( $sql ) as $row ) {
			if ( $row['TABLE_NAME'] === $name ) {
				$keys[ $row['INDEX_NAME'] ][] = $row;
			}
		}
		return $keys;
	}

	/**
	 * Takes the primary key, or else the first unique one whose columns are whole, NOT NULL and of an ordered type.
	 *
	 * @param array $keys What load_keys() gives.
	 * @return void
	 */
	private function choose_key( array $keys ) {
		if ( isset( $keys['PRIMARY'] ) ) {
			$keys = array( 'PRIMARY' => $keys['PRIMARY'] ) + $keys;
		}
		$positions = array();
		foreach ( $this->columns as $position => $column ) {
			$positions[ $column['name'] ] = $position;
		}
		foreach ( $keys as $key_name => $parts ) {
			$key = array();
			foreach ( $parts as $part ) {
				// A part that is an expression has no column.
				$name = (string) $part['COLUMN_NAME'];
				$at   = isset( $positions[ $name ] ) ? $positions[ $name ] : null;
				if ( null === $at || ! $this->serves( $part, $this->columns[ $at ] ) ) {
					continue 2;
				}
				$key[] = $at;
			}
			$this->key_name = (string) $key_name;
			$this->key      = $key;
			return;
		}
	}

	/**
	 * Whether a part of a key can be followed page by page.
	 *
	 * @param array $part   What load_keys() gives for it.
	 * @param array $column Its column.
	 * @return bool
	 */
	private function serves( array $part, array $column ) {
		return null === $part['SUB_PART']
			&& 'YES' !== strtoupper( (string) $part['NULLABLE'] )
			&& 'BTREE' === strtoupper( (string) $part['INDEX_TYPE'] )
			&& in_array( $column['data_type'], self::KEY_TYPES, true );
	}
}
