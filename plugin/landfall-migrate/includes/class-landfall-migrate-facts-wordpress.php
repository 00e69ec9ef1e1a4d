<?php
/**
 * Facts of WordPress.
 *
 * @package Landfall_Migrate
 */

/**
 * Version, addresses, plugins and settings.
 */
final class Landfall_Migrate_Facts_Wordpress {

	/**
	 * Constants that a site may bring along. Nothing secret is among them, and nothing that names the old host.
	 */
	const CONSTANTS = array(
		'WP_POST_REVISIONS',
		'AUTOSAVE_INTERVAL',
		'EMPTY_TRASH_DAYS',
		'MEDIA_TRASH',
		'WP_MEMORY_LIMIT',
		'WP_MAX_MEMORY_LIMIT',
		'DISALLOW_FILE_EDIT',
		'DISALLOW_UNFILTERED_HTML',
		'DISABLE_WP_CRON',
		'ALTERNATE_WP_CRON',
		'IMAGE_EDIT_OVERWRITE',
		'WP_AUTO_UPDATE_CORE',
		'AUTOMATIC_UPDATER_DISABLED',
		'WP_DEFAULT_THEME',
		'WPLANG',
		'WP_DEBUG',
		'WP_DEBUG_DISPLAY',
		'WP_DEBUG_LOG',
		'SCRIPT_DEBUG',
		'CONCATENATE_SCRIPTS',
		'FORCE_SSL_ADMIN',
		'WP_CACHE',
		'WP_HOME',
		'WP_SITEURL',
		'WP_CONTENT_URL',
		'UPLOADS',
		'WP_ENVIRONMENT_TYPE',
	);

	/**
	 * Collects the facts.
	 *
	 * @return array
	 */
	public static function collect() {
		global $wp_version, $wp_db_version;
		$home    = (string) get_option( 'home' );
		$siteurl = (string) get_option( 'siteurl' );
		$uploads = wp_upload_dir( null, false );
		return array(
			'version'     => (string) $wp_version,
			'db_version'  => (int) $wp_db_version,
			'multisite'   => is_multisite(),
			'home'        => $home,
			'siteurl'     => $siteurl,
			'content_url' => content_url(),
			'uploads_url' => is_array( $uploads ) && isset( $uploads['baseurl'] ) ? $uploads['baseurl'] : '',
			'admin_url'   => admin_url(),
			'is_split'    => untrailingslashit( $home ) !== untrailingslashit( $siteurl ),
			'is_ssl'      => is_ssl(),
			'locale'      => get_locale(),
			'timezone'    => (string) get_option( 'timezone_string' ),
			'permalinks'  => (string) get_option( 'permalink_structure' ),
			'charset'     => (string) get_option( 'blog_charset' ),
			'stylesheet'  => (string) get_option( 'stylesheet' ),
			'template'    => (string) get_option( 'template' ),
			'title'       => (string) get_option( 'blogname' ),
			'is_public'   => '0' !== (string) get_option( 'blog_public' ),
			'object_cache' => wp_using_ext_object_cache() ? true : false,
		);
	}

	/**
	 * Plugins, must-use plugins and drop-ins.
	 *
	 * @return array
	 */
	public static function extensions() {
		require_once ABSPATH . 'wp-admin/includes/plugin.php';
		$active  = (array) get_option( 'active_plugins', array() );
		$plugins = array();
		foreach ( get_plugins() as $file => $facts ) {
			$plugins[] = array(
				'file'    => (string) $file,
				'name'    => $facts['Name'],
				'version' => $facts['Version'],
				'active'  => in_array( $file, $active, true ),
			);
		}
		$must_use = is_dir( WPMU_PLUGIN_DIR ) ? @scandir( WPMU_PLUGIN_DIR ) : array();
		$must_use = is_array( $must_use ) ? array_values( array_diff( $must_use, array( '.', '..', 'index.php' ) ) ) : array();
		return array(
			'plugins'  => $plugins,
			'must_use' => $must_use,
			'drop_ins' => array_keys( get_dropins() ),
		);
	}

	/**
	 * Values of the constants above that the site defines.
	 *
	 * @return array
	 */
	public static function constants() {
		$values = array();
		foreach ( self::CONSTANTS as $name ) {
			$value = defined( $name ) ? constant( $name ) : null;
			if ( is_scalar( $value ) ) {
				$values[ $name ] = $value;
			}
		}
		return $values;
	}

	/**
	 * Whether the site reaches itself, and whether REST answers.
	 *
	 * @return array
	 */
	public static function health() {
		$answer = wp_remote_get(
			add_query_arg( 'rest_route', '/', home_url( '/' ) ),
			array(
				'timeout'     => 3,
				'redirection' => 0,
				'sslverify'   => false,
			)
		);
		if ( is_wp_error( $answer ) ) {
			return array(
				'loopback' => false,
				'rest'     => false,
				'error'    => $answer->get_error_message(),
			);
		}
		$body = json_decode( (string) wp_remote_retrieve_body( $answer ), true );
		return array(
			'loopback' => true,
			'rest'     => is_array( $body ) && isset( $body['namespaces'] ),
			'status'   => (int) wp_remote_retrieve_response_code( $answer ),
		);
	}
}
