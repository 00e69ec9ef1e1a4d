<?php
/**
 * Requests, frames and encryption.
 *
 * @package Landfall_Migrate
 */

return array(
	'every file parses under this PHP'                     => function () {
		$folder = __DIR__ . '/../landfall-migrate';
		$files  = array_merge( glob( $folder . '/*.php' ), glob( $folder . '/*/*.php' ) );
		holds( count( $files ) > 30, 'the files are found' );
		foreach ( $files as $file ) {
			token_get_all( file_get_contents( $file ), TOKEN_PARSE );
		}
	},
	'signatures are those of the worker'                   => function () {
		// The same values are in crates/worker/src/source/keys.rs.
		$keys = new Landfall_Migrate_Keys( str_repeat( "\x07", 32 ) );
		$list = array( 'POST', 'example.com', 'hello', 'mig_1', '1700000000', '00112233445566778899aabbccddeeff', '', hash( 'sha256', 'e30' ) );
		same( '6e02d8f37eeb97099ee3a399bca6e63b035664ec1b8a563f01e86fb75d68cb4d', $keys->sign_request( $list ) );
		same( '13038692dae43c454219faaf64da8de4a4c325fb8f6c7410fe1105399ce369f3', bin2hex( $keys->sealing_key( 'frames', 'n', 's' ) ) );
		same( '3eabdb28ffe624e6346d147d6359ee061b9a3681336078c47bc5c8580891ae63', bin2hex( $keys->sign_answer( 'complete', 'n', '{}' ) ) );
	},
	'a genuine request is accepted by body or header alone' => function () {
		list( $body, $header ) = signed_request();
		same( '', proof( $body, $header ) );
		same( '', proof( $body, '' ) );
		same( '', proof( preg_replace( '/&[mtnhs]=[^&]*/', '', $body ), $header ) );
		$request = new Landfall_Migrate_Request( $body, $header );
		$request->prove( array( 'migration' => 'mig_1', 'secret' => str_repeat( "\x07", 32 ) ), array( 'example.com' ), 1700000000 );
		same( array( 'a' => 1 ), $request->params() );
	},
	'whatever is altered on the way is noticed'            => function () {
		list( $body, $header ) = signed_request();
		same( 'signature_missing', proof( 'v=1&verb=hello', '' ) );
		same( 'signature_missing', proof( '', '' ) );
		same( 'body_altered', proof( '', $header ) );
		same( 'body_altered', proof( preg_replace( '/&p=[^&]*/', '&p=e30', $body ), $header ) );
		same( 'wrong_secret', proof( str_replace( 'verb=hello', 'verb=finish', $body ), $header ) );
		same( 'wrong_secret', proof( str_replace( 'host=example.com', 'host=example.org', $body ), $header ) );
		same( 'wrong_secret', proof( str_replace( '&c=', '&c=aes-256-gcm', $body ), $header ) );
		same( 'version_unknown', proof( str_replace( 'v=1', 'v=2', $body ), $header ) );
	},
	'another key, migration, host or time is refused'      => function () {
		list( $body, $header ) = signed_request( array( 'secret' => str_repeat( "\x08", 32 ) ) );
		same( 'wrong_secret', proof( $body, $header ) );
		list( $body, $header ) = signed_request( array( 'm' => 'mig_2' ) );
		same( 'wrong_migration', proof( $body, $header ) );
		list( $body, $header ) = signed_request( array( 'host' => 'clone.example.org' ) );
		same( 'wrong_host', proof( $body, $header ) );
		list( $body, $header ) = signed_request();
		same( 'clock_skew', proof( $body, $header, 1700000301 ) );
		same( 'clock_skew', proof( $body, $header, 1699999699 ) );
		same( '', proof( $body, $header, 1700000300 ) );
		list( $body, $header ) = signed_request( array( 'host' => 'EXAMPLE.com:8080' ) );
		same( '', proof( $body, $header ), 'ports are mapped by proxies' );
	},
	'without a migration under way nothing is answered'    => function () {
		list( $body, $header ) = signed_request();
		$code = refusal_of(
			function () use ( $body, $header ) {
				( new Landfall_Migrate_Request( $body, $header ) )->prove( null, array( 'example.com' ), 1700000000 );
			}
		);
		same( 'not_enrolled', $code );
	},
	'parameters of wrong types are refused'                => function () {
		$bad = function ( callable $read ) {
			same( 'bad_params', refusal_of( $read ) );
		};
		$bad(
			function () {
				Landfall_Migrate_Params::whole( array( 'n' => -1 ), 'n', 0 );
			}
		);
		$bad(
			function () {
				Landfall_Migrate_Params::text( array( 'n' => array() ), 'n' );
			}
		);
		$bad(
			function () {
				Landfall_Migrate_Params::bytes( array( 'n' => '*' ), 'n' );
			}
		);
		$bad(
			function () {
				Landfall_Migrate_Params::objects( array( 'n' => array( 1 ) ), 'n', 5 );
			}
		);
		list( $body, $header ) = signed_request( array( 'p' => 'bm90IGpzb24=' ) );
		same( 'bad_params', proof( $body, $header ) );
	},
	'an answer is numbered, chained and keyed'             => function () {
		$found = frames_of(
			function ( $frames ) {
				$frames->header( array( 'a' => 1 ) );
				$frames->send( Landfall_Migrate_Frames::ROWS, 'rows' );
				$frames->complete( array( 'done' => true ) );
				$frames->refuse( 'late', 'nothing comes behind the end' );
			}
		);
		same( array( 1, 7, 15 ), array_column( $found, 'type' ) );
		same( array( 0, 1, 2 ), array_column( $found, 'sequence' ) );
		$keys = new Landfall_Migrate_Keys( 'k' );
		$json = substr( $found[2]['payload'], 32 );
		same( bin2hex( $keys->sign_answer( 'complete', 'n', $json ) ), bin2hex( substr( $found[2]['payload'], 0, 32 ) ) );
		$facts = json_decode( $json, true );
		$chain = crc32( pack( 'VV', crc32( pack( 'VV', 0, $found[0]['crc'] ) ), $found[1]['crc'] ) );
		same( array( true, 2, sprintf( '%08x', $chain ) ), array( $facts['done'], $facts['frames'], $facts['chain'] ) );
	},
	'data frames are compressed and encrypted as asked'    => function () {
		foreach ( Landfall_Migrate_Sealer::available() as $cipher ) {
			$found = frames_of(
				function ( $frames ) use ( $cipher ) {
					$frames->transform( new Landfall_Migrate_Sealer( $cipher, str_repeat( 'k', 32 ) ), true );
					$frames->send( Landfall_Migrate_Frames::ROWS, str_repeat( 'secret', 1000 ) );
				}
			);
			holds( strlen( $found[0]['payload'] ) < 1000, 'it is compressed' );
			$sealer = new Landfall_Migrate_Sealer( $cipher, str_repeat( 'k', 32 ) );
			$bound  = chr( $found[0]['type'] ) . chr( $found[0]['flags'] );
			same( str_repeat( 'secret', 1000 ), gzuncompress( $sealer->open( $found[0]['payload'], $bound, 0 ) ) );
			same( false, $sealer->open( $found[0]['payload'], $bound, 1 ) );
			same( false, $sealer->open( 'short', $bound, 0 ) );
		}
	},
	'text that is not UTF-8 does not lose an answer'       => function () {
		$json = Landfall_Migrate_Frames::json( array( 'title' => "caf\xe9" ) );
		same( array( 'title' => "caf\xef\xbf\xbd" ), json_decode( $json, true ) );
	},
	'sizes of php.ini are read and budgets kept in bounds' => function () {
		same( 134217728, Landfall_Migrate_Budget::ini_bytes( '128M' ) );
		same( 2147483648, Landfall_Migrate_Budget::ini_bytes( '2g' ) );
		same( 0, Landfall_Migrate_Budget::ini_bytes( '-1' ) );
		same( 0, Landfall_Migrate_Budget::ini_bytes( false ) );
		$budget = new Landfall_Migrate_Budget( 60000, 10 );
		holds( ! $budget->is_spent( 9 ) && $budget->is_spent( 10 ), 'bytes end the work' );
		holds( $budget->value_bytes_max() >= 65536 && $budget->value_bytes_max() <= 1048576, 'one value has bounds' );
	},
	'hosts of this machine are known by any spelling'      => function () {
		foreach ( array( 'localhost', 'LOCALHOST:80', 'a.b.localhost:8080', '127.0.0.1', '127.9.9.9:1', '[::1]:8080' ) as $host ) {
			holds( Landfall_Migrate_Hosts::is_loopback( $host ), $host );
		}
		foreach ( array( 'localhost.example.com', '127.0.0.1.example.com', 'example.com', '10.0.0.1', '[::2]' ) as $host ) {
			holds( ! Landfall_Migrate_Hosts::is_loopback( $host ), $host );
		}
	},
);
