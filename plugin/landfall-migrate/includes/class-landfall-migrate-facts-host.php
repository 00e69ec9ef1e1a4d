<?php
/**
 * Facts of the host.
 *
 * @package Landfall_Migrate
 */

/**
 * Which host the site is on, and what lies at its root.
 */
final class Landfall_Migrate_Facts_Host {

	/**
	 * Signs of a host: all must be there, or it is not named. `c:` is a constant, `m:` a must-use plugin, `e:` a variable
	 * of the environment.
	 */
	const SIGNATURES = array(
		'wpengine'     => array( 'c:WPE_APIKEY', 'm:mu-plugin.php' ),
		'pantheon'     => array( 'e:PANTHEON_ENVIRONMENT' ),
		'kinsta'       => array( 'c:KINSTAMU_VERSION', 'm:kinsta-mu-plugins.php' ),
		'flywheel'     => array( 'c:FLYWHEEL_PLUGIN_DIR' ),
		'pressable'    => array( 'c:IS_PRESSABLE' ),
		'wpcom_atomic' => array( 'c:IS_ATOMIC', 'm:wpcomsh-loader.php' ),
		'wpvip'        => array( 'c:VIP_GO_APP_ENVIRONMENT' ),
		'godaddy'      => array( 'c:GD_SYSTEM_PLUGIN_DIR', 'm:gd-system-plugin.php' ),
		'bluehost'     => array( 'm:endurance-page-cache.php' ),
		'siteground'   => array( 'e:SG_ENVIRONMENT' ),
		'cloudways'    => array( 'e:cw_allowed_ip' ),
		'platformsh'   => array( 'e:PLATFORM_PROJECT' ),
	);

	/**
	 * What at the root decides how the site has to be migrated.
	 */
	const ROOT_NAMES = array(
		'.git',
		'.svn',
		'.hg',
		'composer.json',
		'composer.lock',
		'.htaccess',
		'.user.ini',
		'php.ini',
		'web.config',
		'pantheon.yml',
	);

	/**
	 * Names the host, with the signs that were found.
	 *
	 * @return array
	 */
	public static function signature() {
		foreach ( self::SIGNATURES as $host => $signs ) {
			$missing = array_filter( $signs, array( __CLASS__, 'is_missing' ) );
			if ( array() === $missing ) {
				return array(
					'signature' => $host,
					'signs'     => $signs,
				);
			}
		}
		return array(
			'signature' => null,
			'signs'     => array(),
		);
	}

	/**
	 * What of ROOT_NAMES is at the root or, for version control and composer, above it.
	 *
	 * @param Landfall_Migrate_Site $site The tree.
	 * @return array
	 */
	public static function root( Landfall_Migrate_Site $site ) {
		$root  = $site->locate( '' );
		$found = array();
		$above = array();
		foreach ( self::ROOT_NAMES as $name ) {
			if ( @file_exists( $root . '/' . $name ) ) {
				$found[] = $name;
			}
			if ( @file_exists( dirname( $root ) . '/' . $name ) ) {
				$above[] = $name;
			}
		}
		return array(
			'found' => $found,
			'above' => $above,
		);
	}

	/**
	 * Whether a sign is not there.
	 *
	 * @param string $sign As in SIGNATURES.
	 * @return bool
	 */
	private static function is_missing( $sign ) {
		$name = substr( $sign, 2 );
		switch ( $sign[0] ) {
			case 'c':
				return ! defined( $name );
			case 'm':
				return ! @file_exists( WPMU_PLUGIN_DIR . '/' . $name );
			default:
				return false === getenv( $name ) && ! isset( $_SERVER[ $name ] );
		}
	}
}
