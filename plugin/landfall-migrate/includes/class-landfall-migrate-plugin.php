<?php
/**
 * How the plugin hangs in WordPress.
 *
 * @package Landfall_Migrate
 */

/**
 * Hooks of the plugin: its page, the two fallback routes, and what happens on deactivation.
 */
final class Landfall_Migrate_Plugin {

	/**
	 * Registers every hook.
	 *
	 * @return void
	 */
	public static function add_hooks() {
		register_deactivation_hook( LANDFALL_MIGRATE_FILE, array( 'Landfall_Migrate_Credentials', 'forget_everything' ) );

		add_action( 'wp_ajax_landfall_source', array( 'Landfall_Migrate_Endpoint', 'answer' ) );
		add_action( 'wp_ajax_nopriv_landfall_source', array( 'Landfall_Migrate_Endpoint', 'answer' ) );
		add_action( 'rest_api_init', array( __CLASS__, 'add_rest_route' ) );

		if ( is_admin() ) {
			Landfall_Migrate_Admin_Page::add_hooks();
		}
	}

	/**
	 * The second fallback. The request proves itself by its signature, not by a WordPress user.
	 *
	 * @return void
	 */
	public static function add_rest_route() {
		register_rest_route(
			'landfall/v1',
			'/source',
			array(
				'methods'             => 'POST',
				'callback'            => array( 'Landfall_Migrate_Endpoint', 'answer' ),
				'permission_callback' => '__return_true',
				'show_in_index'       => false,
			)
		);
	}

	/**
	 * The name that the operator gave the service.
	 *
	 * @return string
	 */
	public static function brand() {
		return 0 === strpos( LANDFALL_BRAND, '@@' ) ? 'Landfall' : LANDFALL_BRAND;
	}

	/**
	 * The base URL of the platform's API, without a trailing slash; empty where the zip was not built for one.
	 *
	 * @return string
	 */
	public static function api_url() {
		return 0 === strpos( LANDFALL_API_URL, '@@' ) ? '' : rtrim( LANDFALL_API_URL, '/' );
	}
}
