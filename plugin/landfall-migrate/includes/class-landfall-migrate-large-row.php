<?php
/**
 * A row that is larger than memory.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends one row in pieces, and goes on within it in the next request.
 *
 * The row is encoded as any other; only the pieces are cut without regard to values. If the row changes in the meantime
 * the platform is told to begin it again.
 */
final class Landfall_Migrate_Large_Row {

	const PART_BYTES = 262144;

	/**
	 * Speaks RAW. A connection of its own: that of the page still streams.
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
	 * The answer.
	 *
	 * @var Landfall_Migrate_Frames
	 */
	private $frames;

	/**
	 * Encoded bytes that wait to be sent.
	 *
	 * @var string
	 */
	private $waiting = '';

	/**
	 * Makes a reader of large rows.
	 *
	 * @param Landfall_Migrate_Table     $table  The table.
	 * @param Landfall_Migrate_Row_Query $query  Its statements.
	 * @param Landfall_Migrate_Frames    $frames The answer.
	 */
	public function __construct( Landfall_Migrate_Table $table, Landfall_Migrate_Row_Query $query, Landfall_Migrate_Frames $frames ) {
		$this->db     = new Landfall_Migrate_Database( Landfall_Migrate_Database::RAW );
		$this->table  = $table;
		$this->query  = $query;
		$this->frames = $frames;
	}

	/**
	 * Sends the row that the cursor has begun, from where it stands.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor   With large_key; moves on.
	 * @param callable                    $is_spent Whether the budget is spent.
	 * @param int                         $step     Longest piece of a value.
	 * @return bool False when the budget ended within the row.
	 * @throws Landfall_Migrate_Refusal When the row changed.
	 */
	public function send( Landfall_Migrate_Row_Cursor $cursor, callable $is_spent, $step ) {
		$row   = $this->outline( $cursor );
		$stamp = self::stamp( $row );
		if ( '' !== $cursor->large_stamp && $cursor->large_stamp !== $stamp ) {
			throw new Landfall_Migrate_Refusal( 'row_changed', 'A large row changed while it was read.' );
		}
		$cursor->large_stamp = $stamp;

		$columns = count( $this->table->columns );
		$large   = array_flip( $this->query->large_columns() );
		$passed  = 0;
		for ( $position = 0; $position < $columns; ++$position ) {
			$is_large = isset( $large[ $position ] );
			$length   = $is_large ? $row[ $columns + 2 * $large[ $position ] ] : $row[ $position ];
			$length   = null === $length ? null : ( $is_large ? (int) $length : strlen( $length ) );
			$this->take( $cursor, $passed, pack( 'V', null === $length ? 0xFFFFFFFF : $length ) );
			$passed += 4;
			$done    = max( 0, $cursor->large_at + strlen( $this->waiting ) - $passed );
			while ( null !== $length && $done < $length ) {
				$piece          = $is_large
					? $this->piece( $cursor, $position, $done, min( $step, $length - $done ) )
					: (string) substr( $row[ $position ], $done );
				$this->waiting .= $piece;
				$done          += strlen( $piece );
				if ( strlen( $this->waiting ) >= self::PART_BYTES ) {
					$this->flush( $cursor );
					if ( call_user_func( $is_spent ) ) {
						return false;
					}
				}
			}
			$passed += null === $length ? 0 : $length;
		}
		return $this->end( $cursor );
	}

	/**
	 * Adds the head of a value, or what of it was not sent yet.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor Where the row stands.
	 * @param int                         $passed Where the head begins in the encoded row.
	 * @param string                      $head   Its four bytes.
	 * @return void
	 */
	private function take( Landfall_Migrate_Row_Cursor $cursor, $passed, $head ) {
		$sent = $cursor->large_at + strlen( $this->waiting ) - $passed;
		if ( $sent < strlen( $head ) ) {
			$this->waiting .= (string) substr( $head, max( 0, $sent ) );
		}
	}

	/**
	 * Sends the last part, once the row is known to be the one that was begun.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor Where the row stands; moves behind it.
	 * @return bool True.
	 * @throws Landfall_Migrate_Refusal When it is not.
	 */
	private function end( Landfall_Migrate_Row_Cursor $cursor ) {
		if ( self::stamp( $this->outline( $cursor ) ) !== $cursor->large_stamp ) {
			throw new Landfall_Migrate_Refusal( 'row_changed', 'A large row changed while it was read.' );
		}
		$cursor->pass( array() === $this->table->key ? null : $cursor->large_key );
		$payload = Landfall_Migrate_Frames::with_cursor( "\x01", $cursor->text(), $this->waiting );
		$this->frames->send( Landfall_Migrate_Frames::ROW_PART, $payload );
		$this->waiting = '';
		return true;
	}

	/**
	 * Sends what waits.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor Where the row stands; moves on.
	 * @return void
	 */
	private function flush( Landfall_Migrate_Row_Cursor $cursor ) {
		$cursor->large_at += strlen( $this->waiting );
		$payload           = Landfall_Migrate_Frames::with_cursor( "\x00", $cursor->text(), $this->waiting );
		$this->frames->send( Landfall_Migrate_Frames::ROW_PART, $payload );
		$this->waiting = '';
	}

	/**
	 * The row without its large values.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor Where the row is.
	 * @return array
	 * @throws Landfall_Migrate_Refusal When it is gone.
	 */
	private function outline( Landfall_Migrate_Row_Cursor $cursor ) {
		$row = $this->db->first_row( $this->query->outline( $this->key_of( $cursor ), $cursor->rows ) );
		if ( array() === $row ) {
			throw new Landfall_Migrate_Refusal( 'row_changed', 'A large row vanished while it was read.' );
		}
		return $row;
	}

	/**
	 * A piece of a large value.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor   Where the row is.
	 * @param int                         $position The column.
	 * @param int                         $at       First byte.
	 * @param int                         $length   How many bytes.
	 * @return string
	 * @throws Landfall_Migrate_Refusal When they are no longer there.
	 */
	private function piece( Landfall_Migrate_Row_Cursor $cursor, $position, $at, $length ) {
		$piece = $this->db->value( $this->query->piece( $position, $this->key_of( $cursor ), $cursor->rows, $at, $length ) );
		if ( null === $piece || strlen( $piece ) !== $length ) {
			throw new Landfall_Migrate_Refusal( 'row_changed', 'A large row changed while it was read.' );
		}
		return $piece;
	}

	/**
	 * The key of the row; null in a table without one.
	 *
	 * @param Landfall_Migrate_Row_Cursor $cursor Where the row is.
	 * @return array|null
	 */
	private function key_of( Landfall_Migrate_Row_Cursor $cursor ) {
		return array() === $this->table->key ? null : $cursor->large_key;
	}

	/**
	 * What has to stay the same.
	 *
	 * @param array $row What outline() gives.
	 * @return string
	 */
	private static function stamp( array $row ) {
		return substr( hash( 'sha256', serialize( $row ) ), 0, 24 );
	}
}
