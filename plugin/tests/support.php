<?php
/**
 * What the tests share.
 *
 * @package Landfall_Migrate
 */

/**
 * Fails unless both are the same.
 *
 * @param mixed  $expected What it should be.
 * @param mixed  $actual   What it is.
 * @param string $about    What is compared.
 * @return void
 */
function same( $expected, $actual, $about = '' ) {
	if ( $expected !== $actual ) {
		throw new Exception( trim( $about . ' expected ' . json_encode( $expected ) . ', got ' . json_encode( $actual ) ) );
	}
}

/**
 * Fails unless a condition holds.
 *
 * @param bool   $condition The condition.
 * @param string $about     What should hold.
 * @return void
 */
function holds( $condition, $about ) {
	if ( ! $condition ) {
		throw new Exception( $about );
	}
}

/**
 * The code with which something is refused.
 *
 * @param callable $action What to do.
 * @return string Empty when it is not refused.
 */
function refusal_of( callable $action ) {
	try {
		$action();
		return '';
	} catch ( Landfall_Migrate_Refusal $refusal ) {
		return $refusal->refusal_code();
	}
}

/**
 * A request as the platform signs it.
 *
 * @param array $changes Parts that differ from a good request.
 * @return array Body and header.
 */
function signed_request( array $changes = array() ) {
	$parts = $changes + array(
		'verb'   => 'hello',
		'host'   => 'example.com',
		'm'      => 'mig_1',
		't'      => '1700000000',
		'n'      => '00112233445566778899aabbccddeeff',
		'c'      => '',
		'p'      => rtrim( strtr( base64_encode( '{"a":1}' ), '+/', '-_' ), '=' ),
		'secret' => str_repeat( "\x07", 32 ),
	);
	$keys  = new Landfall_Migrate_Keys( $parts['secret'] );
	$hash  = hash( 'sha256', $parts['p'] );
	$list  = array( 'POST', $parts['host'], $parts['verb'], $parts['m'], $parts['t'], $parts['n'], $parts['c'], $hash );
	$auth  = array( 'm=' . $parts['m'], 't=' . $parts['t'], 'n=' . $parts['n'], 'h=' . $hash, 's=' . $keys->sign_request( $list ) );
	$body  = 'v=1&verb=' . $parts['verb'] . '&host=' . $parts['host'] . '&c=' . $parts['c'] . '&p=' . $parts['p'];
	return array( $body . '&' . implode( '&', $auth ), implode( ',', $auth ) );
}

/**
 * What comes of proving a request.
 *
 * @param string $body   Its body.
 * @param string $header Its header.
 * @param int    $now    The time.
 * @return string Code of the refusal, empty if it is genuine.
 */
function proof( $body, $header, $now = 1700000000 ) {
	$credentials = array(
		'migration' => 'mig_1',
		'secret'    => str_repeat( "\x07", 32 ),
	);
	return refusal_of(
		function () use ( $body, $header, $credentials, $now ) {
			( new Landfall_Migrate_Request( $body, $header ) )->prove( $credentials, array( 'example.com' ), $now );
		}
	);
}

/**
 * The frames that something writes.
 *
 * @param callable $write Takes the writer.
 * @param string   $nonce Nonce of the request.
 * @return array Of arrays with `type`, `flags`, `sequence` and `payload`.
 */
function frames_of( callable $write, $nonce = 'n' ) {
	ob_start();
	$frames = new Landfall_Migrate_Frames( $nonce, new Landfall_Migrate_Keys( 'k' ) );
	$write( $frames );
	$frames->flush();
	$stream = ob_get_clean();
	$found  = array();
	while ( '' !== $stream ) {
		same( Landfall_Migrate_Frames::MARKER, substr( $stream, 0, 8 ), 'marker' );
		$head    = unpack( 'Ctype/Cflags/Vsequence/Vlength/Vcrc', substr( $stream, 8, 14 ) );
		$payload = (string) substr( $stream, 22, $head['length'] );
		same( $head['crc'], crc32( substr( $stream, 8, 10 ) . $payload ), 'checksum' );
		$found[] = $head + array( 'payload' => $payload );
		$stream  = (string) substr( $stream, 22 + $head['length'] );
	}
	return $found;
}

/**
 * A new folder that is removed at the end.
 *
 * @return string Its path.
 */
function scratch() {
	$folder = sys_get_temp_dir() . '/landfall-plugin-' . bin2hex( random_bytes( 6 ) );
	mkdir( $folder );
	register_shutdown_function( 'remove_all', $folder );
	return realpath( $folder );
}

/**
 * Removes a folder with all that is in it.
 *
 * @param string $path Its path.
 * @return void
 */
function remove_all( $path ) {
	if ( is_link( $path ) || is_file( $path ) ) {
		unlink( $path );
	} elseif ( is_dir( $path ) ) {
		foreach ( array_diff( scandir( $path ), array( '.', '..' ) ) as $name ) {
			remove_all( $path . '/' . $name );
		}
		rmdir( $path );
	}
}

/**
 * Makes files and folders.
 *
 * @param string $root  Where.
 * @param array  $paths Paths; one that ends in a slash is a folder.
 * @return void
 */
function plant( $root, array $paths ) {
	foreach ( $paths as $path ) {
		$folder = '/' === substr( $path, -1 ) ? $root . '/' . $path : dirname( $root . '/' . $path );
		if ( ! is_dir( $folder ) ) {
			mkdir( $folder, 0755, true );
		}
		if ( '/' !== substr( $path, -1 ) ) {
			file_put_contents( $root . '/' . $path, $path );
		}
	}
}
