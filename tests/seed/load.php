<?php
/**
 * Loads the WordPress site whose document root is the first argument, as wp-admin would.
 *
 * Everything after the document root is left in $lab_arguments.
 */

declare(strict_types=1);

$lab_arguments = array_slice( $argv, 2 );
$lab_docroot   = rtrim( $argv[1] ?? '', '/' );
if ( ! is_file( $lab_docroot . '/wp-load.php' ) ) {
	fwrite( STDERR, "No WordPress in '{$lab_docroot}'.\n" );
	exit( 2 );
}

$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD']  = 'GET';
$_SERVER['REQUEST_URI']     = '/';
$_SERVER['SCRIPT_NAME']     = '/index.php';
$_SERVER['PHP_SELF']        = '/index.php';
$_SERVER['HTTP_HOST']       = 'localhost';
$_SERVER['SERVER_NAME']     = 'localhost';

define( 'WP_ADMIN', true );
define( 'WP_USE_THEMES', false );
error_reporting( E_ALL & ~E_DEPRECATED );
