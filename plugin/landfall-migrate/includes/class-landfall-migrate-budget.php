<?php
/**
 * How much one request may do.
 *
 * @package Landfall_Migrate
 */

/**
 * Time, memory and bytes that one request may use; looked at between two units of work.
 */
final class Landfall_Migrate_Budget {

	const TIME_DEFAULT_MS = 5000;
	const TIME_MIN_MS     = 100;
	const TIME_MAX_MS     = 20000;
	const BYTES_MAX       = 134217728;

	/**
	 * When work has to end, in seconds as microtime( true ) gives them.
	 *
	 * @var float
	 */
	private $ends;

	/**
	 * When it began.
	 *
	 * @var float
	 */
	private $began;

	/**
	 * Memory in bytes at which work ends; 0 where PHP has no limit.
	 *
	 * @var int
	 */
	private $memory_max;

	/**
	 * Bytes of payload after which work ends.
	 *
	 * @var int
	 */
	private $bytes_max;

	/**
	 * Makes a budget of what the platform asks for and PHP allows.
	 *
	 * @param int $time_ms   Wanted time, 0 for the default.
	 * @param int $bytes_max Wanted bytes, 0 for the most.
	 */
	public function __construct( $time_ms, $bytes_max ) {
		$time_ms = $time_ms > 0 ? $time_ms : self::TIME_DEFAULT_MS;
		$allowed = (int) ini_get( 'max_execution_time' );
		$most_ms = $allowed > 0 ? min( self::TIME_MAX_MS, $allowed * 500 ) : self::TIME_MAX_MS;

		$this->began      = microtime( true );
		$this->ends       = $this->began + max( self::TIME_MIN_MS, min( $most_ms, $time_ms ) ) / 1000;
		$this->bytes_max  = $bytes_max > 0 ? min( self::BYTES_MAX, $bytes_max ) : self::BYTES_MAX;
		$this->memory_max = (int) ( self::memory_limit_bytes() * 0.8 );
	}

	/**
	 * Whether work has to end now.
	 *
	 * @param int $payload_bytes Bytes sent so far.
	 * @return bool
	 */
	public function is_spent( $payload_bytes ) {
		return microtime( true ) >= $this->ends
			|| $payload_bytes >= $this->bytes_max
			|| ( $this->memory_max > 0 && memory_get_usage( true ) >= $this->memory_max );
	}

	/**
	 * Milliseconds since the request's work began.
	 *
	 * @return int
	 */
	public function elapsed_ms() {
		return (int) round( ( microtime( true ) - $this->began ) * 1000 );
	}

	/**
	 * What one value may take in memory without danger to the request: between 64 KiB and 1 MiB.
	 *
	 * @return int
	 */
	public function value_bytes_max() {
		$limit = self::memory_limit_bytes();
		if ( 0 === $limit ) {
			return 1048576;
		}
		$free = max( 0, $limit - memory_get_usage( true ) );
		return (int) max( 65536, min( 1048576, $free / 16 ) );
	}

	/**
	 * PHP's memory limit in bytes, 0 for none.
	 *
	 * @return int
	 */
	public static function memory_limit_bytes() {
		return self::ini_bytes( ini_get( 'memory_limit' ) );
	}

	/**
	 * Reads PHP's shorthand for sizes.
	 *
	 * @param string|false $value As in php.ini.
	 * @return int Bytes; 0 for none and for `-1`.
	 */
	public static function ini_bytes( $value ) {
		$value = strtolower( trim( (string) $value ) );
		$bytes = (int) $value;
		$units = array(
			'k' => 1024,
			'm' => 1048576,
			'g' => 1073741824,
		);
		$unit  = substr( $value, -1 );
		if ( isset( $units[ $unit ] ) ) {
			$bytes *= $units[ $unit ];
		}
		return max( 0, $bytes );
	}
}
