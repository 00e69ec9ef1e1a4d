<?php
/**
 * Where the platform's requests arrive.
 *
 * @package Landfall_Migrate
 */

/**
 * Answers one request: proves it, carries out its verb, writes frames.
 */
final class Landfall_Migrate_Endpoint {

	/**
	 * The routing marker in the query of the home URL.
	 */
	const MARKER = 'landfall';

	/**
	 * The verbs and the classes that carry them out.
	 */
	const VERBS = array(
		'hello'       => 'Landfall_Migrate_Verb_Hello',
		'preflight'   => 'Landfall_Migrate_Verb_Preflight',
		'list_files'  => 'Landfall_Migrate_Verb_List_Files',
		'read_files'  => 'Landfall_Migrate_Verb_Read_Files',
		'schema'      => 'Landfall_Migrate_Verb_Schema',
		'table_marks' => 'Landfall_Migrate_Verb_Table_Marks',
		'read_rows'   => 'Landfall_Migrate_Verb_Read_Rows',
		'finish'      => 'Landfall_Migrate_Verb_Finish',
	);

	/**
	 * Freed when PHP runs out of memory, so that there is room to say so.
	 *
	 * @var string|null
	 */
	private static $reserve = null;

	/**
	 * Answers when the request carries the marker. Everything else goes on to WordPress untouched.
	 *
	 * @return void
	 */
	public static function answer_early() {
		$method = isset( $_SERVER['REQUEST_METHOD'] ) ? $_SERVER['REQUEST_METHOD'] : '';
		if ( isset( $_GET[ self::MARKER ] ) && 'POST' === $method ) {
			self::answer();
		}
	}

	/**
	 * Answers and ends the PHP process.
	 *
	 * @return void
	 */
	public static function answer() {
		self::prepare_output();
		$request = Landfall_Migrate_Request::from_globals();
		$frames  = new Landfall_Migrate_Frames( $request->nonce(), null );
		try {
			$frames = self::carry_out( $request );
		} catch ( Landfall_Migrate_Refusal $refusal ) {
			if ( null !== $request->keys() ) {
				$frames = new Landfall_Migrate_Frames( $request->nonce(), $request->keys() );
			}
			$frames->refuse( $refusal->refusal_code(), $refusal->getMessage() );
		}
		exit;
	}

	/**
	 * Proves the request and runs its verb.
	 *
	 * @param Landfall_Migrate_Request $request The request.
	 * @return Landfall_Migrate_Frames The ended answer.
	 * @throws Landfall_Migrate_Refusal When the request is not genuine.
	 */
	private static function carry_out( Landfall_Migrate_Request $request ) {
		$request->prove( Landfall_Migrate_Credentials::key(), Landfall_Migrate_Hosts::known(), time() );
		if ( ! array_key_exists( $request->verb(), self::VERBS ) ) {
			throw new Landfall_Migrate_Refusal( 'unknown_verb', 'This plugin does not know that verb.' );
		}
		$frames = self::begin( $request );
		self::report_fatal_errors( $frames );
		$params = $request->params();
		$budget = new Landfall_Migrate_Budget(
			Landfall_Migrate_Params::whole( $params, 'budget_ms', 0 ),
			Landfall_Migrate_Params::whole( $params, 'bytes_max', 0 )
		);
		try {
			$class_name = self::VERBS[ $request->verb() ];
			$verb       = new $class_name( $params, $frames, $budget );
			$facts      = $verb->run();

			$facts['elapsed_ms'] = $budget->elapsed_ms();
			$frames->complete( $facts );
		} catch ( Landfall_Migrate_Refusal $refusal ) {
			$frames->refuse( $refusal->refusal_code(), $refusal->getMessage() );
		} catch ( Throwable $error ) {
			$frames->refuse( 'php_fatal', get_class( $error ) . ' in ' . basename( $error->getFile() ) . ':' . $error->getLine() );
		}
		return $frames;
	}

	/**
	 * Sends the header frame, and decides whether data travels encrypted.
	 *
	 * @param Landfall_Migrate_Request $request A proven request.
	 * @return Landfall_Migrate_Frames
	 * @throws Landfall_Migrate_Refusal When it must be encrypted and cannot be.
	 */
	private static function begin( Landfall_Migrate_Request $request ) {
		$params = $request->params();
		$cipher = '';
		if ( 'hello' !== $request->verb() && self::must_seal( $request ) ) {
			$wanted = isset( $params['ciphers'] ) && is_array( $params['ciphers'] ) ? $params['ciphers'] : array();
			$common = array_values( array_intersect( Landfall_Migrate_Sealer::available(), $wanted ) );
			if ( array() === $common ) {
				throw new Landfall_Migrate_Refusal( 'no_cipher', 'The site is on plain http, and PHP has neither openssl nor sodium.' );
			}
			$cipher = $common[0];
		}
		$salt   = bin2hex( random_bytes( 16 ) );
		$frames = new Landfall_Migrate_Frames( $request->nonce(), $request->keys() );
		$frames->header(
			array(
				'v'           => 1,
				'plugin'      => LANDFALL_MIGRATE_VERSION,
				'migration'   => $request->migration(),
				'verb'        => $request->verb(),
				'nonce'       => $request->nonce(),
				'time'        => microtime( true ),
				'salt'        => $salt,
				'cipher'      => $cipher,
				'auth_header' => $request->has_auth_header(),
			)
		);
		$sealer = null;
		if ( '' !== $cipher ) {
			$sealer = new Landfall_Migrate_Sealer( $cipher, $request->keys()->sealing_key( 'frames', $request->nonce(), $salt ) );
		}
		$frames->transform( $sealer, ! empty( $params['deflate'] ) );
		return $frames;
	}

	/**
	 * Data travels encrypted unless TLS protects it, it does not leave the machine, or the owner consented.
	 *
	 * @param Landfall_Migrate_Request $request A proven request.
	 * @return bool
	 */
	private static function must_seal( Landfall_Migrate_Request $request ) {
		$params = $request->params();
		if ( isset( $params['scheme'] ) && 'https' === $params['scheme'] ) {
			return false;
		}
		return empty( $params['plain_ok'] ) && ! Landfall_Migrate_Hosts::is_loopback( $request->host() );
	}

	/**
	 * Makes sure that what is printed reaches the platform as it is and at once.
	 *
	 * @return void
	 */
	private static function prepare_output() {
		if ( ! defined( 'WP_SANDBOX_SCRAPING' ) ) {
			// WordPress then neither prints its error page into the frames nor mails the owner about us.
			define( 'WP_SANDBOX_SCRAPING', true );
		}
		@ini_set( 'display_errors', '0' );
		@ini_set( 'zlib.output_compression', '0' );
		if ( function_exists( 'apache_setenv' ) ) {
			@apache_setenv( 'no-gzip', '1' );
		}
		if ( function_exists( 'set_time_limit' ) ) {
			@set_time_limit( 60 );
		}
		for ( $level = ob_get_level(); $level > 0; --$level ) {
			if ( ! @ob_end_clean() ) {
				break;
			}
		}
		if ( ! headers_sent() ) {
			http_response_code( 200 );
			header( 'Content-Type: application/octet-stream' );
			header( 'Cache-Control: no-store, no-cache, must-revalidate, private, max-age=0, no-transform' );
			header( 'X-Accel-Buffering: no' );
			header( 'X-Robots-Tag: noindex' );
			header( 'X-Content-Type-Options: nosniff' );
			header( 'X-Landfall: 1' );
			header_remove( 'Last-Modified' );
			header_remove( 'ETag' );
		}
	}

	/**
	 * Ends the answer with a typed frame when PHP dies.
	 *
	 * @param Landfall_Migrate_Frames $frames The answer.
	 * @return void
	 */
	private static function report_fatal_errors( Landfall_Migrate_Frames $frames ) {
		self::$reserve = str_repeat( 'x', 65536 );
		register_shutdown_function(
			function () use ( $frames ) {
				self::$reserve = null;

				$error = error_get_last();
				$fatal = E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;
				if ( is_array( $error ) && ( $error['type'] & $fatal ) ) {
					$where = basename( $error['file'] ) . ':' . $error['line'];
					$frames->refuse( 'php_fatal', substr( $error['message'], 0, 200 ) . ' in ' . $where );
				}
			}
		);
	}
}
