<?php
/**
 * Unpacks a plugin and activates it: plugin.php DOCROOT ZIP
 */

declare(strict_types=1);

require __DIR__ . '/load.php';
require $lab_docroot . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';

/**
 * Ends with a message.
 *
 * @param string $message What went wrong.
 */
function lab_fail( string $message ): void {
	fwrite( STDERR, $message . "\n" );
	exit( 1 );
}

$zip = new ZipArchive();
if ( true !== $zip->open( $lab_arguments[0] ) ) {
	lab_fail( 'The zip cannot be opened.' );
}
$folder = explode( '/', (string) $zip->getNameIndex( 0 ) )[0];
if ( '' === $folder || ! $zip->extractTo( WP_PLUGIN_DIR ) ) {
	lab_fail( 'The zip cannot be unpacked.' );
}
$zip->close();

wp_cache_delete( 'plugins', 'plugins' );
$plugins = get_plugins( '/' . $folder );
if ( ! $plugins ) {
	lab_fail( "No plugin in '{$folder}'." );
}
$admin = get_users(
	array(
		'role'   => 'administrator',
		'number' => 1,
	)
);
wp_set_current_user( $admin[0]->ID );
$plugin = $folder . '/' . array_keys( $plugins )[0];
$result = activate_plugin( $plugin );
if ( is_wp_error( $result ) ) {
	lab_fail( $result->get_error_message() . ': ' . wp_json_encode( $result->get_error_data() ) );
}
if ( ! is_plugin_active( $plugin ) ) {
	lab_fail( "{$plugin} is not active." );
}
echo $plugin, "\n";
