<?php
/**
 * The platform's API, as the plugin uses it.
 *
 * @package Landfall_Migrate
 */

/**
 * Two calls: enrol this site for a migration, and ask how it goes.
 */
final class Landfall_Migrate_Api {

	const TIMEOUT_S = 20;

	/**
	 * States after which nothing more happens.
	 */
	const FINAL_STATES = array( 'succeeded', 'cancelled', 'rejected', 'rolled_back' );

	/**
	 * Enrols this site. The machine token is used here once and is not stored.
	 *
	 * @param string $token Machine token.
	 * @param string $site  Name of the site on the platform.
	 * @return true|WP_Error
	 */
	public static function enrol( $token, $site ) {
		$refusal = self::refuse_insecure_api();
		if ( null !== $refusal ) {
			return $refusal;
		}
		$answer = wp_remote_post(
			Landfall_Migrate_Plugin::api_url() . '/v1/enrolments',
			array(
				'timeout'     => self::TIMEOUT_S,
				'redirection' => 0,
				'headers'     => array(
					'Content-Type' => 'application/json',
					'Accept'       => 'application/json',
				),
				'body'        => wp_json_encode( self::introduction( $token, $site ) ),
			)
		);
		$facts  = self::read( $answer, 201 );
		if ( is_wp_error( $facts ) ) {
			return $facts;
		}
		$secret = isset( $facts['secret'] ) && is_string( $facts['secret'] ) ? base64_decode( $facts['secret'], true ) : false;
		if ( false === $secret || strlen( $secret ) < 32 || empty( $facts['migration'] ) || empty( $facts['status_url'] ) ) {
			return new WP_Error( 'landfall_answer', __( 'The platform answered with something that this plugin does not understand. Please update the plugin.', 'landfall-migrate' ) );
		}
		$life_s = isset( $facts['expires_in_s'] ) ? (int) $facts['expires_in_s'] : 86400;
		Landfall_Migrate_Credentials::store_key( (string) $facts['migration'], $secret, $life_s );
		Landfall_Migrate_Credentials::store_status(
			array(
				'migration'    => (string) $facts['migration'],
				'site'         => isset( $facts['site'] ) ? (string) $facts['site'] : $site,
				'status_url'   => (string) $facts['status_url'],
				'status_token' => isset( $facts['status_token'] ) ? (string) $facts['status_token'] : '',
			)
		);
		return true;
	}

	/**
	 * Asks how the migration goes. After its end the key and the token are deleted and the last answer is kept.
	 *
	 * @return array|WP_Error|null Null before the first migration.
	 */
	public static function status() {
		$stored = Landfall_Migrate_Credentials::status();
		if ( null === $stored ) {
			return null;
		}
		if ( isset( $stored['last'] ) ) {
			return $stored['last'];
		}
		if ( ! self::is_ours( $stored['status_url'] ) ) {
			return new WP_Error( 'landfall_url', __( 'The status of this migration lies at another address than the platform. Please start again.', 'landfall-migrate' ) );
		}
		$answer = wp_remote_get(
			$stored['status_url'],
			array(
				'timeout'     => self::TIMEOUT_S,
				'redirection' => 0,
				'headers'     => array(
					'Authorization' => 'Bearer ' . $stored['status_token'],
					'Accept'        => 'application/json',
				),
			)
		);
		$facts  = self::read( $answer, 200 );
		if ( is_wp_error( $facts ) ) {
			return $facts;
		}
		$status = self::tidy( $facts );
		if ( in_array( $status['state'], self::FINAL_STATES, true ) ) {
			Landfall_Migrate_Credentials::forget_key();
			Landfall_Migrate_Credentials::store_status(
				array(
					'migration' => $stored['migration'],
					'site'      => $stored['site'],
					'last'      => $status,
				)
			);
		}
		return $status;
	}

	/**
	 * What the site says of itself when it enrols.
	 *
	 * @param string $token Machine token.
	 * @param string $site  Name of the site on the platform.
	 * @return array
	 */
	private static function introduction( $token, $site ) {
		global $wp_version;
		return array(
			'token'          => $token,
			'site'           => $site,
			'url'            => home_url( '/' ),
			'admin_url'      => admin_url(),
			'wordpress'      => array(
				'version'   => (string) $wp_version,
				'multisite' => is_multisite(),
				'siteurl'   => (string) get_option( 'siteurl' ),
				'locale'    => get_locale(),
			),
			'php'            => array( 'version' => PHP_VERSION ),
			'plugin_version' => LANDFALL_MIGRATE_VERSION,
			'nonce'          => bin2hex( random_bytes( 16 ) ),
		);
	}

	/**
	 * Reads an answer: the JSON of a good one, or what the problem document of a bad one says.
	 *
	 * @param array|WP_Error $answer What WordPress got.
	 * @param int            $wanted Status of a good answer.
	 * @return array|WP_Error
	 */
	private static function read( $answer, $wanted ) {
		if ( is_wp_error( $answer ) ) {
			/* translators: %s: what went wrong. */
			$text = sprintf( __( 'The platform could not be reached: %s', 'landfall-migrate' ), $answer->get_error_message() );
			return new WP_Error( 'landfall_unreachable', $text );
		}
		$status = (int) wp_remote_retrieve_response_code( $answer );
		$facts  = json_decode( (string) wp_remote_retrieve_body( $answer ), true, 16 );
		if ( $status === $wanted && is_array( $facts ) ) {
			return $facts;
		}
		$parts = array();
		foreach ( array( 'title', 'detail' ) as $name ) {
			if ( is_array( $facts ) && isset( $facts[ $name ] ) && is_string( $facts[ $name ] ) ) {
				$parts[] = rtrim( $facts[ $name ], '.' ) . '.';
			}
		}
		$code = is_array( $facts ) && isset( $facts['code'] ) && is_string( $facts['code'] ) ? $facts['code'] : 'landfall_status';
		/* translators: %d: HTTP status. */
		$other = sprintf( __( 'The platform answered with status %d.', 'landfall-migrate' ), $status );
		return new WP_Error( $code, array() === $parts ? $other : implode( ' ', $parts ) );
	}

	/**
	 * The parts of a status that the page shows, each of its type.
	 *
	 * @param array $facts As the API answered.
	 * @return array
	 */
	private static function tidy( array $facts ) {
		$status = array( 'percent' => isset( $facts['percent'] ) ? max( 0, min( 100, (int) $facts['percent'] ) ) : 0 );
		foreach ( array( 'state', 'phase', 'step', 'message', 'site_dashboard_url' ) as $name ) {
			$status[ $name ] = isset( $facts[ $name ] ) && is_scalar( $facts[ $name ] ) ? (string) $facts[ $name ] : '';
		}
		$status['is_final'] = in_array( $status['state'], self::FINAL_STATES, true );
		return $status;
	}

	/**
	 * The token travels over TLS only, or not at all off this machine.
	 *
	 * @return WP_Error|null
	 */
	private static function refuse_insecure_api() {
		$url = Landfall_Migrate_Plugin::api_url();
		if ( '' === $url ) {
			return new WP_Error( 'landfall_config', __( 'This copy of the plugin was not built for a platform. Please download it from your dashboard.', 'landfall-migrate' ) );
		}
		if ( 'https' === parse_url( $url, PHP_URL_SCHEME ) || Landfall_Migrate_Hosts::is_loopback( Landfall_Migrate_Hosts::of_url( $url ) ) ) {
			return null;
		}
		return new WP_Error( 'landfall_insecure', __( 'The address of the platform is not secure (https). The machine token was not sent.', 'landfall-migrate' ) );
	}

	/**
	 * Whether a URL belongs to the platform, so that the status token goes nowhere else.
	 *
	 * @param string $url The URL.
	 * @return bool
	 */
	private static function is_ours( $url ) {
		return 0 === strpos( $url, Landfall_Migrate_Plugin::api_url() . '/' );
	}
}
