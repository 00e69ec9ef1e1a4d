<?php
/**
 * The answer: a stream of frames.
 *
 * @package Landfall_Migrate
 */

/**
 * Writes frames: marker, type, flags, sequence number, length, checksum, payload. See docs/source-protocol.md.
 */
final class Landfall_Migrate_Frames {

	const MARKER = "\x93LFF1\r\n\x1a";

	const HEADER     = 1;
	const JSON       = 2;
	const FILE_BEGIN = 3;
	const FILE_DATA  = 4;
	const FILE_END   = 5;
	const FILE_ERROR = 6;
	const ROWS       = 7;
	const ROW_PART   = 8;
	const ENTRIES    = 9;
	const REFUSAL    = 14;
	const COMPLETE   = 15;

	const FLAG_SEALED   = 1;
	const FLAG_DEFLATED = 2;

	/**
	 * Bytes collected before they are handed to PHP and the web server.
	 */
	const FLUSH_BYTES = 262144;

	/**
	 * Smallest payload worth compressing.
	 */
	const DEFLATE_MIN_BYTES = 512;

	/**
	 * Keys of the migration; null before the request is known to be genuine.
	 *
	 * @var Landfall_Migrate_Keys|null
	 */
	private $keys;

	/**
	 * Nonce of the request that is answered.
	 *
	 * @var string
	 */
	private $nonce;

	/**
	 * Encrypts data frames, on plain http.
	 *
	 * @var Landfall_Migrate_Sealer|null
	 */
	private $sealer = null;

	/**
	 * Whether the platform asked for compression.
	 *
	 * @var bool
	 */
	private $deflate = false;

	/**
	 * Number of the next frame.
	 *
	 * @var int
	 */
	private $sequence = 0;

	/**
	 * Running checksum over the checksums of all frames.
	 *
	 * @var int
	 */
	private $chain = 0;

	/**
	 * Frames that wait for the next flush.
	 *
	 * @var string
	 */
	private $waiting = '';

	/**
	 * Bytes of payload sent so far, before compression.
	 *
	 * @var int
	 */
	private $payload_bytes = 0;

	/**
	 * Whether the last frame was sent.
	 *
	 * @var bool
	 */
	private $is_closed = false;

	/**
	 * Begins an answer.
	 *
	 * @param string                     $nonce Nonce of the request; empty if it has none.
	 * @param Landfall_Migrate_Keys|null $keys  Keys of the migration, if known.
	 */
	public function __construct( $nonce, $keys ) {
		$this->nonce = $nonce;
		$this->keys  = $keys;
	}

	/**
	 * Encrypts and compresses the data frames from here on.
	 *
	 * @param Landfall_Migrate_Sealer|null $sealer  Null sends them in clear.
	 * @param bool                         $deflate Whether to compress.
	 * @return void
	 */
	public function transform( $sealer, $deflate ) {
		$this->sealer  = $sealer;
		$this->deflate = $deflate && function_exists( 'gzcompress' );
	}

	/**
	 * Sends the first frame.
	 *
	 * @param array $facts What it says.
	 * @return void
	 */
	public function header( array $facts ) {
		$this->send_keyed( self::HEADER, 'header', $facts );
	}

	/**
	 * Ends the answer with a refusal.
	 *
	 * @param string $code   Stable code.
	 * @param string $detail For people.
	 * @return void
	 */
	public function refuse( $code, $detail ) {
		if ( $this->is_closed ) {
			return;
		}
		$facts = array(
			'code'   => $code,
			'detail' => $detail,
			'time'   => microtime( true ),
		);
		$this->send_keyed( self::REFUSAL, 'refusal', $facts );
		$this->is_closed = true;
		$this->flush();
	}

	/**
	 * Ends the answer: everything that was meant to come has come.
	 *
	 * @param array $facts What the verb has to say at its end.
	 * @return void
	 */
	public function complete( array $facts ) {
		$facts['frames'] = $this->sequence;
		$facts['chain']  = sprintf( '%08x', $this->chain );
		$facts['peak']   = memory_get_peak_usage( true );
		$this->send_keyed( self::COMPLETE, 'complete', $facts );
		$this->is_closed = true;
		$this->flush();
	}

	/**
	 * Sends one data frame.
	 *
	 * @param int    $type    One of the types above.
	 * @param string $payload Raw bytes.
	 * @return void
	 */
	public function send( $type, $payload ) {
		$flags                = 0;
		$this->payload_bytes += strlen( $payload );
		if ( $this->deflate && strlen( $payload ) >= self::DEFLATE_MIN_BYTES ) {
			$small = gzcompress( $payload, 1 );
			if ( false !== $small && strlen( $small ) < strlen( $payload ) ) {
				$payload = $small;
				$flags  |= self::FLAG_DEFLATED;
			}
		}
		if ( null !== $this->sealer ) {
			$flags  |= self::FLAG_SEALED;
			$payload = $this->sealer->seal( $payload, chr( $type ) . chr( $flags ), $this->sequence );
		}
		$this->write( $type, $flags, $payload );
	}

	/**
	 * Sends one data frame of JSON.
	 *
	 * @param int   $type  One of the types above.
	 * @param array $facts What it says.
	 * @return void
	 */
	public function send_json( $type, array $facts ) {
		$this->send( $type, self::json( $facts ) );
	}

	/**
	 * A frame's payload that carries the cursor to go on from, then what lies before that cursor.
	 *
	 * @param string $head   Bytes before the cursor.
	 * @param string $cursor Opaque bytes.
	 * @param string $body   The rest.
	 * @return string
	 */
	public static function with_cursor( $head, $cursor, $body ) {
		return $head . pack( 'V', strlen( $cursor ) ) . $cursor . $body;
	}

	/**
	 * Bytes of payload sent so far, before compression.
	 *
	 * @return int
	 */
	public function payload_bytes() {
		return $this->payload_bytes;
	}

	/**
	 * Hands what waits to the web server.
	 *
	 * @return void
	 */
	public function flush() {
		if ( '' !== $this->waiting ) {
			// Binary frames for the platform, not HTML.
			echo $this->waiting;
			$this->waiting = '';
		}
		flush();
	}

	/**
	 * Encodes to JSON. What is not UTF-8 is replaced: names and values that must not change travel as base64.
	 *
	 * @param array $facts What to encode.
	 * @return string
	 */
	public static function json( array $facts ) {
		$flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;
		return (string) json_encode( $facts, $flags );
	}

	/**
	 * Sends a frame in clear whose JSON is keyed to the request.
	 *
	 * @param int    $type  Type of the frame.
	 * @param string $kind  Its name in the key.
	 * @param array  $facts What it says.
	 * @return void
	 */
	private function send_keyed( $type, $kind, array $facts ) {
		$json = self::json( $facts );
		$mac  = null === $this->keys ? str_repeat( "\0", 32 ) : $this->keys->sign_answer( $kind, $this->nonce, $json );
		$this->write( $type, 0, $mac . $json );
	}

	/**
	 * Writes one frame.
	 *
	 * @param int    $type    Type.
	 * @param int    $flags   Flags.
	 * @param string $payload Payload as it travels.
	 * @return void
	 */
	private function write( $type, $flags, $payload ) {
		$head           = chr( $type ) . chr( $flags ) . pack( 'VV', $this->sequence, strlen( $payload ) );
		$crc            = crc32( $head . $payload );
		$this->waiting .= self::MARKER . $head . pack( 'V', $crc ) . $payload;
		$this->chain    = crc32( pack( 'VV', $this->chain, $crc ) );
		++$this->sequence;
		if ( strlen( $this->waiting ) >= self::FLUSH_BYTES ) {
			$this->flush();
		}
	}
}
