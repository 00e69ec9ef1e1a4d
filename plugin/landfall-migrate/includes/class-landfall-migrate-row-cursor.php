<?php
/**
 * Where in a table the reading stands.
 *
 * @package Landfall_Migrate
 */

/**
 * Small and opaque to the platform: the key of the last row, never its contents.
 */
final class Landfall_Migrate_Row_Cursor {

	/**
	 * Shape of the table that it belongs to.
	 *
	 * @var string
	 */
	public $shape = '';

	/**
	 * Key of the last row that was sent; null at the beginning and in tables without a key.
	 *
	 * @var array|null
	 */
	public $key = null;

	/**
	 * Rows sent so far.
	 *
	 * @var int
	 */
	public $rows = 0;

	/**
	 * Rows that there were at the beginning, in tables without a key; -1 if not counted.
	 *
	 * @var int
	 */
	public $counted = -1;

	/**
	 * Key of the large row that has been begun; null if none, empty in tables without a key.
	 *
	 * @var array|null
	 */
	public $large_key = null;

	/**
	 * Bytes of it that were sent.
	 *
	 * @var int
	 */
	public $large_at = 0;

	/**
	 * What has to stay the same until it has been read.
	 *
	 * @var string
	 */
	public $large_stamp = '';

	/**
	 * Reads a cursor.
	 *
	 * @param string                 $text  As it came; '' for the beginning.
	 * @param Landfall_Migrate_Table $table The table that it must belong to.
	 * @return self
	 * @throws Landfall_Migrate_Refusal When it does not.
	 */
	public static function read( $text, Landfall_Migrate_Table $table ) {
		$cursor        = new self();
		$cursor->shape = $table->shape();
		if ( '' === $text ) {
			return $cursor;
		}
		$facts = json_decode( $text, true, 4 );
		if ( ! is_array( $facts ) || ! isset( $facts['s'], $facts['n'] ) ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', 'The cursor cannot be read.' );
		}
		if ( $facts['s'] !== $cursor->shape ) {
			throw new Landfall_Migrate_Refusal( 'table_changed', 'Columns or keys of the table are no longer what they were.' );
		}
		$parts           = count( $table->key );
		$cursor->rows    = (int) $facts['n'];
		$cursor->counted = isset( $facts['c'] ) ? (int) $facts['c'] : -1;
		$cursor->key     = isset( $facts['k'] ) ? self::values( $facts['k'], $parts ) : null;
		if ( isset( $facts['b'], $facts['a'], $facts['t'] ) ) {
			$cursor->large_key   = self::values( $facts['b'], $parts );
			$cursor->large_at    = (int) $facts['a'];
			$cursor->large_stamp = (string) $facts['t'];
		}
		return $cursor;
	}

	/**
	 * The cursor as it travels.
	 *
	 * @return string
	 */
	public function text() {
		$facts = array(
			's' => $this->shape,
			'n' => $this->rows,
		);
		if ( $this->counted >= 0 ) {
			$facts['c'] = $this->counted;
		}
		if ( null !== $this->key ) {
			$facts['k'] = array_map( 'base64_encode', $this->key );
		}
		if ( null !== $this->large_key ) {
			$facts['b'] = array_map( 'base64_encode', $this->large_key );
			$facts['a'] = $this->large_at;
			$facts['t'] = $this->large_stamp;
		}
		return Landfall_Migrate_Frames::json( $facts );
	}

	/**
	 * Moves behind a row.
	 *
	 * @param array|null $key Its key; null in tables without one.
	 * @return void
	 */
	public function pass( $key ) {
		++$this->rows;
		$this->key         = $key;
		$this->large_key   = null;
		$this->large_at    = 0;
		$this->large_stamp = '';
	}

	/**
	 * Values of a key.
	 *
	 * @param mixed $coded As they came.
	 * @param int   $parts How many there must be.
	 * @return array
	 * @throws Landfall_Migrate_Refusal When it is something else.
	 */
	private static function values( $coded, $parts ) {
		$values = array();
		if ( is_array( $coded ) && count( $coded ) === $parts ) {
			foreach ( $coded as $value ) {
				$values[] = is_string( $value ) ? base64_decode( $value, true ) : false;
			}
		}
		if ( count( $values ) !== $parts || in_array( false, $values, true ) ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', 'The cursor holds no key of this table.' );
		}
		return $values;
	}
}
