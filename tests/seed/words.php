<?php
/**
 * Text for posts. Every run makes the same, from a fixed seed.
 */

declare(strict_types=1);

mt_srand( 20231123 );

/**
 * Some words of a sentence.
 *
 * @param int $count How many.
 */
function lab_words( int $count ): string {
	static $words = array(
		'harbour', 'lantern', 'violet', 'copper', 'meadow', 'signal', 'orchard', 'winter', 'paper', 'granite',
		'feather', 'compass', 'island', 'thunder', 'garden', 'café', 'naïve', 'Übergröße', '東京', 'смысл',
		'ocean', 'letter', 'wooden', 'silver', 'market', 'bridge', 'candle', 'forest', 'morning', 'evening',
	); // phpcs:ignore Generic.Files.LineLength
	$chosen = array();
	for ( $i = 0; $i < $count; $i++ ) {
		$chosen[] = $words[ mt_rand( 0, count( $words ) - 1 ) ];
	}
	return implode( ' ', $chosen );
}

/** One paragraph of about 450 bytes, out of a prepared few hundred. */
function lab_paragraph(): string {
	static $paragraphs = array();
	if ( count( $paragraphs ) < 400 ) {
		$paragraphs[] = ucfirst( lab_words( 55 ) ) . '.';
		return end( $paragraphs );
	}
	return $paragraphs[ mt_rand( 0, 399 ) ];
}

/**
 * Bytes that do not compress, cheaply: a cipher's stream, each call with a counter of its own.
 *
 * @param int $length How many.
 */
function lab_noise( int $length ): string {
	static $calls = 0;
	return openssl_encrypt( str_repeat( "\0", $length ), 'aes-128-ctr', 'landfall lab key', OPENSSL_RAW_DATA, pack( 'JJ', ++$calls, 0 ) );
}
