<?php
/**
 * The verb `read_rows`.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends the rows of one table page by page, each page with the cursor behind it.
 *
 * A row is, for each column, its length (32 bits, little-endian; all ones for NULL) and its raw bytes.
 */
final class Landfall_Migrate_Verb_Read_Rows extends Landfall_Migrate_Verb {

	const FRAME_BYTES = 262144;
	const LIMIT_FIRST = 500;
	const LIMIT_MIN   = 10;
	const LIMIT_MAX   = 20000;

	/**
	 * Rows asked for at once where there is no key: each question makes the server pass all rows before.
	 */
	const LIMIT_WITHOUT_KEY = 50000;

	/**
	 * Bytes that a page should not exceed: what is left of a page at the end of the budget is fetched in vain.
	 */
	const PAGE_BYTES = 16777216;

	/**
	 * Speaks RAW while rows are read.
	 *
	 * @var Landfall_Migrate_Database
	 */
	private $db;

	/**
	 * The table.
	 *
	 * @var Landfall_Migrate_Table
	 */
	private $table;

	/**
	 * Its statements.
	 *
	 * @var Landfall_Migrate_Row_Query
	 */
	private $query;

	/**
	 * Where the reading stands.
	 *
	 * @var Landfall_Migrate_Row_Cursor
	 */
	private $cursor;

	/**
	 * Reads large rows; made when the first one is met.
	 *
	 * @var Landfall_Migrate_Large_Row|null
	 */
	private $large_row = null;

	/**
	 * Encoded rows that wait to be sent.
	 *
	 * @var string
	 */
	private $waiting = '';

	/**
	 * How many they are.
	 *
	 * @var int
	 */
	private $waiting_rows = 0;

	/**
	 * Bytes of an average row, by the server's estimate and what was seen.
	 *
	 * @var int
	 */
	private $row_bytes = 1;

	/**
	 * Longest large value that travels within its page.
	 *
	 * @var int
	 */
	private $value_max;

	/**
	 * Reads on from the cursor.
	 *
	 * @return array
	 */
	public function run() {
		$this->open();
		$is_done = $this->go_on_with_large_row() && $this->read_pages();
		$this->send_waiting();
		return array(
			'done'    => $is_done,
			'rows'    => $this->cursor->rows,
			'counted' => $this->cursor->counted,
		);
	}

	/**
	 * Looks the table up and reads the cursor.
	 *
	 * @return void
	 * @throws Landfall_Migrate_Refusal When there is no such table.
	 */
	private function open() {
		global $wpdb;
		$name     = Landfall_Migrate_Params::text( $this->params, 'table' );
		$this->db = new Landfall_Migrate_Database( Landfall_Migrate_Database::METADATA );
		$listed   = '' === $name ? array() : Landfall_Migrate_Table::list_all( $this->db, $name );
		if ( ! isset( $listed[ $name ] ) || ! Landfall_Migrate_Table::is_base( $listed[ $name ] ) ) {
			throw new Landfall_Migrate_Refusal( 'table_unknown', 'There is no such table.' );
		}
		$this->table     = new Landfall_Migrate_Table( $this->db, $name );
		$this->query     = new Landfall_Migrate_Row_Query( $this->table, $wpdb->base_prefix );
		$this->cursor    = Landfall_Migrate_Row_Cursor::read( Landfall_Migrate_Params::bytes( $this->params, 'cursor' ), $this->table );
		$this->value_max = $this->budget->value_bytes_max();
		$this->row_bytes = max( 1, (int) $listed[ $name ]['AVG_ROW_LENGTH'] );
		$this->db->speak( Landfall_Migrate_Database::RAW );
		if ( array() === $this->table->key && $this->cursor->counted < 0 ) {
			$this->cursor->counted = (int) $this->db->value( $this->query->count() );
		}
	}

	/**
	 * Ends the large row that an earlier request began.
	 *
	 * @return bool False when the budget ended within it.
	 */
	private function go_on_with_large_row() {
		return null === $this->cursor->large_key || $this->send_large_row() && ! $this->is_spent();
	}

	/**
	 * Reads pages until the table or the budget ends.
	 *
	 * @return bool True at the end of the table.
	 */
	private function read_pages() {
		$has_key = array() !== $this->table->key;
		$wanted  = $has_key ? self::LIMIT_FIRST : self::LIMIT_WITHOUT_KEY;
		while ( true ) {
			$limit  = max( self::LIMIT_MIN, min( $wanted, (int) ( self::PAGE_BYTES / $this->row_bytes ) ) );
			$began  = microtime( true );
			$offset = $has_key ? 0 : $this->cursor->rows;
			$before = $this->frames->payload_bytes();
			$count  = $this->read_page( $this->query->page( $this->cursor->key, $offset, $limit, $this->value_max ) );
			if ( $count < 0 ) {
				return false;
			}
			if ( $count < $limit ) {
				return true;
			}
			if ( $this->is_spent() ) {
				return false;
			}
			$seen            = $this->frames->payload_bytes() + strlen( $this->waiting ) - $before;
			$this->row_bytes = max( 1, (int) ( $seen / $count ) );
			if ( $has_key ) {
				$took   = microtime( true ) - $began;
				$wanted = $took < 0.2 ? min( self::LIMIT_MAX, $limit * 2 ) : ( $took > 0.8 ? $limit >> 1 : $limit );
			}
		}
	}

	/**
	 * Reads one page.
	 *
	 * @param string $sql Its statement.
	 * @return int Rows read; -1 when the budget ended within the page.
	 */
	private function read_page( $sql ) {
		$columns = count( $this->table->columns );
		$large   = $this->query->large_columns();
		$result  = $this->db->stream( $sql );
		$count   = 0;
		while ( true ) {
			$row = $result->fetch_row();
			if ( ! is_array( $row ) ) {
				break;
			}
			++$count;
			if ( array() !== $large && $this->is_large( $row, $columns ) ) {
				$this->send_waiting();
				$this->cursor->large_key = $this->key_of( $row );
				if ( ! $this->send_large_row() || $this->is_spent() ) {
					$result->free();
					return -1;
				}
				continue;
			}
			for ( $i = 0; $i < $columns; ++$i ) {
				$value          = $row[ $i ];
				$this->waiting .= null === $value ? "\xFF\xFF\xFF\xFF" : pack( 'V', strlen( $value ) ) . $value;
			}
			++$this->waiting_rows;
			$this->cursor->pass( array() === $this->table->key ? null : $this->key_of( $row ) );
			if ( strlen( $this->waiting ) >= self::FRAME_BYTES ) {
				$this->send_waiting();
				if ( $this->is_spent() ) {
					$result->free();
					return -1;
				}
			}
		}
		$this->db->check_stream();
		$result->free();
		return $count;
	}

	/**
	 * Whether a value of a row is too long to travel within its page.
	 *
	 * @param array $row     As the server gave it.
	 * @param int   $columns Columns of the table; the lengths come behind.
	 * @return bool
	 */
	private function is_large( array $row, $columns ) {
		$all = count( $row );
		for ( $i = $columns; $i < $all; ++$i ) {
			if ( null !== $row[ $i ] && (int) $row[ $i ] > $this->value_max ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Sends the large row that the cursor stands at.
	 *
	 * @return bool False when the budget ended within it.
	 */
	private function send_large_row() {
		if ( null === $this->large_row ) {
			$this->large_row = new Landfall_Migrate_Large_Row( $this->table, $this->query, $this->frames );
		}
		$is_spent = function () {
			return $this->is_spent();
		};
		return $this->large_row->send( $this->cursor, $is_spent, $this->value_max );
	}

	/**
	 * Values of the key of a row.
	 *
	 * @param array $row As the server gave it.
	 * @return array
	 */
	private function key_of( array $row ) {
		$key = array();
		foreach ( $this->table->key as $position ) {
			$key[] = (string) $row[ $position ];
		}
		return $key;
	}

	/**
	 * Sends the rows that wait.
	 *
	 * @return void
	 */
	private function send_waiting() {
		if ( $this->waiting_rows > 0 ) {
			$payload = Landfall_Migrate_Frames::with_cursor( pack( 'V', $this->waiting_rows ), $this->cursor->text(), $this->waiting );
			$this->frames->send( Landfall_Migrate_Frames::ROWS, $payload );
			$this->waiting      = '';
			$this->waiting_rows = 0;
		}
	}
}
