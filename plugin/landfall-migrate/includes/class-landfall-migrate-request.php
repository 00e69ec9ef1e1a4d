<?php
/**
 * A request of the platform.
 *
 * @package Landfall_Migrate
 */

/**
 * Reads a request and proves that it is genuine, before anything in it is used.
 *
 * Only the routing marker is in the URL. The signature comes in the body and again in a header, because proxies strip
 * headers and firewalls alter bodies.
 */
final class Landfall_Migrate_Request {

	const VERSION     = '1';
	const BODY_MAX    = 1048576;
	const CLOCK_MAX_S = 300;
	const AUTH_HEADER = 'HTTP_X_LANDFALL_AUTH';

	/**
	 * Fields of the body.
	 *
	 * @var array
	 */
	private $fields;

	/**
	 * The signature that is checked: `m`, `t`, `n`, `h` and `s`.
	 *
	 * @var array
	 */
	private $auth;

	/**
	 * The signature of the header; empty when none arrived.
	 *
	 * @var array
	 */
	private $header_auth;

	/**
	 * Keys of the migration, once the signature has been found right.
	 *
	 * @var Landfall_Migrate_Keys|null
	 */
	private $keys = null;

	/**
	 * Parameters of the verb.
	 *
	 * @var array
	 */
	private $params = array();

	/**
	 * Takes a request apart, without believing it.
	 *
	 * @param string $body   Body of the request.
	 * @param string $header Value of the header `X-Landfall-Auth`, or empty.
	 */
	public function __construct( $body, $header ) {
		$this->fields      = self::split( $body, '&', true );
		$this->header_auth = self::complete_auth( self::split( $header, ',', false ) );
		$body_auth         = self::complete_auth( $this->fields );
		$this->auth        = array() === $body_auth ? $this->header_auth : $body_auth;
	}

	/**
	 * The request that PHP is answering.
	 *
	 * @return self
	 */
	public static function from_globals() {
		$body   = (string) file_get_contents( 'php://input', false, null, 0, self::BODY_MAX );
		$header = isset( $_SERVER[ self::AUTH_HEADER ] ) ? (string) $_SERVER[ self::AUTH_HEADER ] : '';
		if ( '' === $body && ! empty( $_POST ) ) {
			$body = http_build_query( $_POST, '', '&' );
		}
		return new self( $body, $header );
	}

	/**
	 * Checks signature, time, host and body, in this order; afterwards keys and params are there.
	 *
	 * @param array|null $credentials With `migration` and `secret`; null where no migration is under way.
	 * @param array      $hosts       Hosts that this site goes by, lower case, without ports.
	 * @param int        $now         Seconds since 1970.
	 * @return void
	 * @throws Landfall_Migrate_Refusal When anything is wrong.
	 */
	public function prove( $credentials, array $hosts, $now ) {
		if ( array() === $this->auth ) {
			throw new Landfall_Migrate_Refusal( 'signature_missing', 'Neither the header nor the body carries a signature.' );
		}
		if ( '' === $this->field( 'verb' ) || '' === $this->field( 'host' ) ) {
			throw new Landfall_Migrate_Refusal( 'body_altered', 'The body of the request did not arrive.' );
		}
		if ( self::VERSION !== $this->field( 'v' ) ) {
			throw new Landfall_Migrate_Refusal( 'version_unknown', 'This plugin speaks version 1 of the protocol.' );
		}
		if ( null === $credentials ) {
			throw new Landfall_Migrate_Refusal( 'not_enrolled', 'No migration has been started on this site, or it has ended.' );
		}
		if ( $this->auth['m'] !== $credentials['migration'] ) {
			throw new Landfall_Migrate_Refusal( 'wrong_migration', 'This site was enrolled for another migration.' );
		}
		$keys = new Landfall_Migrate_Keys( $credentials['secret'] );
		if ( ! $this->is_signed_with( $keys ) ) {
			throw new Landfall_Migrate_Refusal( 'wrong_secret', 'The signature is not one of this migration.' );
		}
		$this->keys = $keys;
		if ( abs( $now - (int) $this->auth['t'] ) > self::CLOCK_MAX_S ) {
			throw new Landfall_Migrate_Refusal( 'clock_skew', 'The time of the request is too far from that of this server.' );
		}
		if ( ! in_array( Landfall_Migrate_Hosts::name( $this->field( 'host' ) ), $hosts, true ) ) {
			throw new Landfall_Migrate_Refusal( 'wrong_host', 'The request was signed for another host.' );
		}
		if ( ! hash_equals( hash( 'sha256', $this->field( 'p' ) ), $this->auth['h'] ) ) {
			throw new Landfall_Migrate_Refusal( 'body_altered', 'The parameters were altered on the way.' );
		}
		$this->params = $this->open_params();
	}

	/**
	 * What is to be done.
	 *
	 * @return string
	 */
	public function verb() {
		return $this->field( 'verb' );
	}

	/**
	 * Parameters of the verb, after prove().
	 *
	 * @return array
	 */
	public function params() {
		return $this->params;
	}

	/**
	 * Keys of the migration; null until the signature has been found right.
	 *
	 * @return Landfall_Migrate_Keys|null
	 */
	public function keys() {
		return $this->keys;
	}

	/**
	 * The number that this request alone has.
	 *
	 * @return string
	 */
	public function nonce() {
		return isset( $this->auth['n'] ) ? $this->auth['n'] : '';
	}

	/**
	 * The migration that the request names.
	 *
	 * @return string
	 */
	public function migration() {
		return isset( $this->auth['m'] ) ? $this->auth['m'] : '';
	}

	/**
	 * Whether the header survived the way here.
	 *
	 * @return bool
	 */
	public function has_auth_header() {
		return array() !== $this->header_auth;
	}

	/**
	 * Host that the request was signed for.
	 *
	 * @return string
	 */
	public function host() {
		return strtolower( $this->field( 'host' ) );
	}

	/**
	 * Tries the signature of the body, then that of the header.
	 *
	 * @param Landfall_Migrate_Keys $keys Keys of the migration.
	 * @return bool
	 */
	private function is_signed_with( Landfall_Migrate_Keys $keys ) {
		foreach ( array( $this->auth, $this->header_auth ) as $auth ) {
			if ( array() === $auth ) {
				continue;
			}
			$parts = array( 'POST', $this->field( 'host' ), $this->verb(), $auth['m'], $auth['t'], $auth['n'], $this->field( 'c' ), $auth['h'] );
			if ( hash_equals( $keys->sign_request( $parts ), $auth['s'] ) ) {
				$this->auth = $auth;
				return true;
			}
		}
		return false;
	}

	/**
	 * Decodes, and where the source is on plain http decrypts, the parameters.
	 *
	 * @return array
	 * @throws Landfall_Migrate_Refusal When they cannot be read.
	 */
	private function open_params() {
		$text   = base64_decode( strtr( $this->field( 'p' ), '-_', '+/' ), true );
		$cipher = $this->field( 'c' );
		if ( false !== $text && '' !== $cipher ) {
			if ( ! in_array( $cipher, Landfall_Migrate_Sealer::available(), true ) ) {
				throw new Landfall_Migrate_Refusal( 'no_cipher', 'PHP on this site cannot decrypt ' . $cipher . '.' );
			}
			$sealer = new Landfall_Migrate_Sealer( $cipher, $this->keys->sealing_key( 'params', $this->nonce(), '' ) );
			$text   = $sealer->open( $text, 'params', 0 );
		}
		$params = false === $text ? null : json_decode( $text, true, 16 );
		if ( ! is_array( $params ) ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', 'The parameters are not what they should be.' );
		}
		return $params;
	}

	/**
	 * One field of the body, empty if absent.
	 *
	 * @param string $name Its name.
	 * @return string
	 */
	private function field( $name ) {
		return isset( $this->fields[ $name ] ) ? $this->fields[ $name ] : '';
	}

	/**
	 * Splits `a=1&b=2` without PHP's settings having a say.
	 *
	 * @param string $text      What to split.
	 * @param string $separator Between two pairs.
	 * @param bool   $is_coded  Whether values are URL-encoded.
	 * @return array
	 */
	private static function split( $text, $separator, $is_coded ) {
		$pairs = array();
		foreach ( explode( $separator, $text, 32 ) as $pair ) {
			$at = strpos( $pair, '=' );
			if ( false !== $at ) {
				$value                                    = (string) substr( $pair, $at + 1 );
				$pairs[ trim( substr( $pair, 0, $at ) ) ] = $is_coded ? urldecode( $value ) : trim( $value );
			}
		}
		return $pairs;
	}

	/**
	 * The parts of a signature, if all are there and of their form.
	 *
	 * @param array $fields Where to look.
	 * @return array Empty if not.
	 */
	private static function complete_auth( array $fields ) {
		$forms = array(
			'm' => '/^[A-Za-z0-9_-]{1,64}$/D',
			't' => '/^[0-9]{1,12}$/D',
			'n' => '/^[0-9a-f]{32}$/D',
			'h' => '/^[0-9a-f]{64}$/D',
			's' => '/^[0-9a-f]{64}$/D',
		);
		$auth  = array();
		foreach ( $forms as $name => $form ) {
			if ( ! isset( $fields[ $name ] ) || 1 !== preg_match( $form, $fields[ $name ] ) ) {
				return array();
			}
			$auth[ $name ] = $fields[ $name ];
		}
		return $auth;
	}
}
