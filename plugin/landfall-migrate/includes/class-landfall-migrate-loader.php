<?php
/**
 * Loads the plugin's classes when they are first used.
 *
 * @package Landfall_Migrate
 */

/**
 * Maps `Landfall_Migrate_Foo_Bar` to `class-landfall-migrate-foo-bar.php` in this folder.
 */
final class Landfall_Migrate_Loader {

	/**
	 * Registers the loader with PHP.
	 *
	 * @return void
	 */
	public static function register() {
		spl_autoload_register( array( __CLASS__, 'load' ) );
	}

	/**
	 * Loads one class if it is ours.
	 *
	 * @param string $class_name The class that PHP is looking for.
	 * @return void
	 */
	public static function load( $class_name ) {
		if ( 0 !== strpos( $class_name, 'Landfall_Migrate_' ) ) {
			return;
		}
		$file = __DIR__ . '/class-' . strtolower( str_replace( '_', '-', $class_name ) ) . '.php';
		if ( is_file( $file ) ) {
			require_once $file;
		}
	}
}
