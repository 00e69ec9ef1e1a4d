<?php
/**
 * Parameters of a verb.
 *
 * @package Landfall_Migrate
 */

/**
 * Reads typed values out of decoded JSON.
 */
final class Landfall_Migrate_Params {

	/**
	 * A whole number.
	 *
	 * @param array  $params   Where to look.
	 * @param string $name     Its name.
	 * @param int    $fallback What to return when it is absent.
	 * @return int
	 * @throws Landfall_Migrate_Refusal When it is something else.
	 */
	public static function whole( array $params, $name, $fallback ) {
		if ( ! isset( $params[ $name ] ) ) {
			return $fallback;
		}
		if ( ! is_int( $params[ $name ] ) || $params[ $name ] < 0 ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', $name . ' is not a whole number.' );
		}
		return $params[ $name ];
	}

	/**
	 * Text.
	 *
	 * @param array  $params Where to look.
	 * @param string $name   Its name.
	 * @return string Empty when it is absent.
	 * @throws Landfall_Migrate_Refusal When it is something else.
	 */
	public static function text( array $params, $name ) {
		if ( ! isset( $params[ $name ] ) ) {
			return '';
		}
		if ( ! is_string( $params[ $name ] ) ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', $name . ' is not text.' );
		}
		return $params[ $name ];
	}

	/**
	 * Raw bytes that travel as base64.
	 *
	 * @param array  $params Where to look.
	 * @param string $name   Its name.
	 * @return string Empty when it is absent.
	 * @throws Landfall_Migrate_Refusal When it is something else.
	 */
	public static function bytes( array $params, $name ) {
		$bytes = base64_decode( self::text( $params, $name ), true );
		if ( false === $bytes ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', $name . ' is not base64.' );
		}
		return $bytes;
	}

	/**
	 * A list of objects.
	 *
	 * @param array  $params Where to look.
	 * @param string $name   Its name.
	 * @param int    $most   How many there may be.
	 * @return array
	 * @throws Landfall_Migrate_Refusal When it is something else.
	 */
	public static function objects( array $params, $name, $most ) {
		$list = isset( $params[ $name ] ) ? $params[ $name ] : array();
		if ( ! is_array( $list ) || count( $list ) > $most ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', $name . ' is not a list, or too long.' );
		}
		foreach ( $list as $item ) {
			if ( ! is_array( $item ) ) {
				throw new Landfall_Migrate_Refusal( 'bad_params', $name . ' holds something other than objects.' );
			}
		}
		return array_values( $list );
	}
}
