<?php
/**
 * Where the platform is, written by the build of the zip. A site may override each value in its wp-config.php.
 *
 * @package Landfall_Migrate
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

if ( ! defined( 'LANDFALL_API_URL' ) ) {
	define( 'LANDFALL_API_URL', '@@LANDFALL_API_URL@@' );
}

if ( ! defined( 'LANDFALL_BRAND' ) ) {
	define( 'LANDFALL_BRAND', '@@LANDFALL_BRAND@@' );
}
