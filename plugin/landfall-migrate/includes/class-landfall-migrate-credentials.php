<?php
/**
 * What the plugin keeps of a migration.
 *
 * @package Landfall_Migrate
 */

/**
 * Two options that are not autoloaded: the key of the migration, and how to ask for its status.
 *
 * Both names begin with `landfall_migrate_`: the row reader leaves such rows out, so that they never travel.
 */
final class Landfall_Migrate_Credentials {

	const KEY_OPTION    = 'landfall_migrate_key';
	const STATUS_OPTION = 'landfall_migrate_status';

	/**
	 * Longest life of a key in seconds, whatever the API says.
	 */
	const LIFE_MAX_S = 1209600;

	/**
	 * Stores the key of a new migration and forgets that of an older one.
	 *
	 * @param string $migration Id of the migration.
	 * @param string $secret    Raw secret, 32 bytes.
	 * @param int    $life_s    Seconds until it expires.
	 * @return void
	 */
	public static function store_key( $migration, $secret, $life_s ) {
		delete_option( self::KEY_OPTION );
		$value = array(
			'migration' => $migration,
			'secret'    => base64_encode( $secret ),
			'expires'   => time() + max( 60, min( self::LIFE_MAX_S, $life_s ) ),
		);
		add_option( self::KEY_OPTION, $value, '', false );
	}

	/**
	 * The key, unless there is none or it has expired (then it is deleted).
	 *
	 * @return array|null With `migration` and `secret` (raw bytes).
	 */
	public static function key() {
		$value = get_option( self::KEY_OPTION );
		if ( ! is_array( $value ) || ! isset( $value['migration'], $value['secret'], $value['expires'] ) ) {
			return null;
		}
		if ( time() >= (int) $value['expires'] ) {
			self::forget_key();
			return null;
		}
		$secret = base64_decode( $value['secret'], true );
		if ( false === $secret || strlen( $secret ) < 32 ) {
			return null;
		}
		return array(
			'migration' => (string) $value['migration'],
			'secret'    => $secret,
		);
	}

	/**
	 * Stores where and with what the page asks for the migration's status.
	 *
	 * @param array $status With `migration`, `site`, `status_url` and `status_token`.
	 * @return void
	 */
	public static function store_status( array $status ) {
		delete_option( self::STATUS_OPTION );
		add_option( self::STATUS_OPTION, $status, '', false );
	}

	/**
	 * What store_status() stored; null before the first migration.
	 *
	 * @return array|null
	 */
	public static function status() {
		$status = get_option( self::STATUS_OPTION );
		return is_array( $status ) && isset( $status['migration'] ) ? $status : null;
	}

	/**
	 * Deletes the key: its job is done, or it is no longer wanted.
	 *
	 * @return void
	 */
	public static function forget_key() {
		delete_option( self::KEY_OPTION );
	}

	/**
	 * Deletes everything that the plugin ever stored.
	 *
	 * @return void
	 */
	public static function forget_everything() {
		delete_option( self::KEY_OPTION );
		delete_option( self::STATUS_OPTION );
	}
}
