<?php
/**
 * Installs WordPress: install.php DOCROOT PASSWORD URL
 */

declare(strict_types=1);

require __DIR__ . '/load.php';

list( $password, $url ) = $lab_arguments;

define( 'WP_INSTALLING', true );
define( 'WP_SITEURL', $url );

/** No mail leaves the lab. */
function wp_new_blog_notification() {
}

require $lab_docroot . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

// The installer asks its own web server whether permalinks work; the seeder sets them in any case.
add_filter(
	'pre_http_request',
	static function () {
		return new WP_Error( 'lab', 'No request leaves the lab.' );
	}
);

$result = wp_install( 'The Old Shop', 'admin', 'owner@example.org', true, '', wp_slash( $password ) );
if ( is_wp_error( $result ) ) {
	fwrite( STDERR, $result->get_error_message() . "\n" );
	exit( 1 );
}
update_option( 'siteurl', $url );
update_option( 'home', $url );
