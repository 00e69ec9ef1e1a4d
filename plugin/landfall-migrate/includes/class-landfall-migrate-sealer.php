<?php
/**
 * Encryption for sources on plain http.
 *
 * @package Landfall_Migrate
 */

/**
 * Authenticated encryption with whichever extension PHP has. Nonces are counters: every key serves one stream.
 */
final class Landfall_Migrate_Sealer {

	const AES    = 'aes-256-gcm';
	const CHACHA = 'chacha20-poly1305';

	/**
	 * Length of the authentication tag of both ciphers.
	 */
	const TAG_BYTES = 16;

	/**
	 * One of the two names above.
	 *
	 * @var string
	 */
	private $cipher;

	/**
	 * 32 raw bytes.
	 *
	 * @var string
	 */
	private $key;

	/**
	 * Makes a sealer.
	 *
	 * @param string $cipher Name of the cipher.
	 * @param string $key    Its key, 32 raw bytes.
	 */
	public function __construct( $cipher, $key ) {
		$this->cipher = $cipher;
		$this->key    = $key;
	}

	/**
	 * The ciphers that this PHP offers, the fastest first.
	 *
	 * @return array Of names.
	 */
	public static function available() {
		$ciphers = array();
		if ( function_exists( 'openssl_encrypt' ) && in_array( self::AES, openssl_get_cipher_methods(), true ) ) {
			$ciphers[] = self::AES;
		}
		if ( extension_loaded( 'sodium' ) && function_exists( 'sodium_crypto_aead_chacha20poly1305_ietf_encrypt' ) ) {
			$ciphers[] = self::CHACHA;
		}
		return $ciphers;
	}

	/**
	 * Encrypts one message.
	 *
	 * @param string $plain   What to encrypt.
	 * @param string $bound   What is authenticated with it.
	 * @param int    $counter Number of the message under this key.
	 * @return string Ciphertext and tag.
	 * @throws Landfall_Migrate_Refusal When the extension fails.
	 */
	public function seal( $plain, $bound, $counter ) {
		$iv = self::iv( $counter );
		if ( self::AES === $this->cipher ) {
			$tag    = '';
			$sealed = openssl_encrypt( $plain, self::AES, $this->key, OPENSSL_RAW_DATA, $iv, $tag, $bound, self::TAG_BYTES );
			if ( false === $sealed ) {
				throw new Landfall_Migrate_Refusal( 'no_cipher', 'PHP could not encrypt.' );
			}
			return $sealed . $tag;
		}
		return sodium_crypto_aead_chacha20poly1305_ietf_encrypt( $plain, $bound, $iv, $this->key );
	}

	/**
	 * Decrypts one message.
	 *
	 * @param string $sealed  Ciphertext and tag.
	 * @param string $bound   What was authenticated with it.
	 * @param int    $counter Number of the message under this key.
	 * @return string|false False when it was not made with this key.
	 */
	public function open( $sealed, $bound, $counter ) {
		if ( strlen( $sealed ) < self::TAG_BYTES ) {
			return false;
		}
		$iv = self::iv( $counter );
		if ( self::AES === $this->cipher ) {
			$tag  = substr( $sealed, -self::TAG_BYTES );
			$body = (string) substr( $sealed, 0, -self::TAG_BYTES );
			return openssl_decrypt( $body, self::AES, $this->key, OPENSSL_RAW_DATA, $iv, $tag, $bound );
		}
		return sodium_crypto_aead_chacha20poly1305_ietf_decrypt( $sealed, $bound, $iv, $this->key );
	}

	/**
	 * The 96-bit nonce of a message: the counter, little-endian, behind eight zero bytes.
	 *
	 * @param int $counter Number of the message.
	 * @return string 12 raw bytes.
	 */
	private static function iv( $counter ) {
		return str_repeat( "\0", 8 ) . pack( 'V', $counter );
	}
}
