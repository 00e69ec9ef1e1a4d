<?php
/**
 * Keys derived from the secret of a migration.
 *
 * @package Landfall_Migrate
 */

/**
 * One secret, one key per use: a signature of a request can never be taken for that of an answer.
 */
final class Landfall_Migrate_Keys {

	/**
	 * The raw secret.
	 *
	 * @var string
	 */
	private $secret;

	/**
	 * Takes the secret of the migration.
	 *
	 * @param string $secret Raw bytes.
	 */
	public function __construct( $secret ) {
		$this->secret = $secret;
	}

	/**
	 * Signature of a request.
	 *
	 * @param array $parts Method, host, verb, migration, time, nonce, cipher and body hash, in this order.
	 * @return string Lower-case hex.
	 */
	public function sign_request( array $parts ) {
		$key = hash_hmac( 'sha256', 'landfall/request', $this->secret, true );
		return hash_hmac( 'sha256', "landfall-source-v1\n" . implode( "\n", $parts ), $key );
	}

	/**
	 * Keys a frame of an answer to the request that it answers.
	 *
	 * @param string $kind  Either `header`, `refusal` or `complete`.
	 * @param string $nonce Nonce of the request.
	 * @param string $json  What is keyed.
	 * @return string 32 raw bytes.
	 */
	public function sign_answer( $kind, $nonce, $json ) {
		$key = hash_hmac( 'sha256', 'landfall/answer', $this->secret, true );
		return hash_hmac( 'sha256', $kind . "\n" . $nonce . "\n" . $json, $key, true );
	}

	/**
	 * Encryption key of one request (`params`) or one answer (`frames`). Each is used once, so counters may start at 0.
	 *
	 * @param string $use   Either `params` or `frames`.
	 * @param string $nonce Nonce of the request.
	 * @param string $salt  Salt of the answer, empty for `params`.
	 * @return string 32 raw bytes.
	 */
	public function sealing_key( $use, $nonce, $salt ) {
		return hash_hmac( 'sha256', 'landfall/seal/' . $use . '/' . $nonce . '/' . $salt, $this->secret, true );
	}
}
