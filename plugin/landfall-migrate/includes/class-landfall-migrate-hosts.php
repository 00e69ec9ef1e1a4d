<?php
/**
 * Names of hosts.
 *
 * @package Landfall_Migrate
 */

/**
 * Which hosts this site goes by, and which stay on this machine.
 */
final class Landfall_Migrate_Hosts {

	/**
	 * The hosts of the home URL, the WordPress URL and this request: lower case, without ports, which proxies map.
	 *
	 * @return array
	 */
	public static function known() {
		$hosts = array( self::of_url( get_option( 'home' ) ), self::of_url( get_option( 'siteurl' ) ), self::of_url( home_url( '/' ) ) );
		if ( isset( $_SERVER['HTTP_HOST'] ) ) {
			$hosts[] = self::name( (string) $_SERVER['HTTP_HOST'] );
		}
		return array_values( array_unique( array_filter( $hosts ) ) );
	}

	/**
	 * Host of a URL.
	 *
	 * @param mixed $url The URL.
	 * @return string Empty when it has none.
	 */
	public static function of_url( $url ) {
		$parts = is_string( $url ) ? parse_url( $url ) : false;
		if ( ! is_array( $parts ) || ! isset( $parts['host'] ) ) {
			return '';
		}
		return strtolower( $parts['host'] );
	}

	/**
	 * Whether requests to a host stay on this machine.
	 *
	 * @param string $host Host, with or without a port.
	 * @return bool
	 */
	public static function is_loopback( $host ) {
		$name = self::name( $host );
		return '[::1]' === $name
			|| 'localhost' === $name
			|| '.localhost' === substr( $name, -10 )
			|| 1 === preg_match( '/^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/D', $name );
	}

	/**
	 * A host without its port, in lower case.
	 *
	 * @param string $host Host, with or without a port.
	 * @return string
	 */
	public static function name( $host ) {
		return preg_replace( '/:[0-9]+$/D', '', strtolower( $host ) );
	}
}
