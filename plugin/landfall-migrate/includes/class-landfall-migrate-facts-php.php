<?php
/**
 * Facts of PHP.
 *
 * @package Landfall_Migrate
 */

/**
 * Version, limits and what is missing.
 */
final class Landfall_Migrate_Facts_Php {

	const SETTINGS = array(
		'memory_limit',
		'max_execution_time',
		'max_input_time',
		'post_max_size',
		'upload_max_filesize',
		'max_input_vars',
		'output_buffering',
		'zlib.output_compression',
		'auto_prepend_file',
		'auto_append_file',
		'open_basedir',
		'session.save_handler',
		'default_charset',
		'date.timezone',
	);

	/**
	 * Collects the facts.
	 *
	 * @return array
	 */
	public static function collect() {
		$settings = array();
		foreach ( self::SETTINGS as $name ) {
			$value             = ini_get( $name );
			$settings[ $name ] = false === $value ? null : (string) $value;
		}
		$disabled = array_filter( array_map( 'trim', explode( ',', (string) ini_get( 'disable_functions' ) ) ) );
		return array(
			'version'            => PHP_VERSION,
			'sapi'               => PHP_SAPI,
			'os'                 => PHP_OS,
			'int_bits'           => PHP_INT_SIZE * 8,
			'extensions'         => get_loaded_extensions(),
			'disabled_functions' => array_values( $disabled ),
			'memory_limit_bytes' => Landfall_Migrate_Budget::memory_limit_bytes(),
			'ini'                => $settings,
			'server'             => isset( $_SERVER['SERVER_SOFTWARE'] ) ? (string) $_SERVER['SERVER_SOFTWARE'] : '',
		);
	}
}
