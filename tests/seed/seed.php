<?php
/**
 * Fills an installed site: seed.php DOCROOT --profile NAME [--big-file-mb N] [--big-table-mb N] [--big-row-mb N]
 *
 * The last line of output is a JSON object with what there is to probe.
 */

declare(strict_types=1);

require __DIR__ . '/load.php';
require $lab_docroot . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
foreach ( array( 'words', 'posts', 'images', 'options', 'tables', 'files' ) as $part ) {
	require __DIR__ . "/{$part}.php";
}

/**
 * The value after a switch.
 *
 * @param string[] $arguments The command line.
 * @param string   $name      The switch.
 * @param string   $otherwise What holds without it.
 */
function lab_switch( array $arguments, string $name, string $otherwise ): string {
	$at = array_search( $name, $arguments, true );
	return false === $at ? $otherwise : ( $arguments[ $at + 1 ] ?? $otherwise );
}

/** Pretty permalinks; from the command line the taxonomies must learn of them before the rules are written. */
function lab_permalinks(): void {
	global $wp_rewrite;
	$wp_rewrite->set_permalink_structure( '/%year%/%monthnum%/%postname%/' );
	create_initial_taxonomies();
	$wp_rewrite->flush_rules( false );
}

/**
 * Shows a step's time on standard error.
 *
 * @param string $step Its name.
 */
function lab_step( string $step ): void {
	static $since = null;
	$now          = microtime( true );
	if ( null !== $since ) {
		fprintf( STDERR, "%5.1f s\n", $now - $since );
	}
	$since = $now;
	fprintf( STDERR, '%-12s', $step );
}

/** The path and query of a URL of this site. */
function lab_relative( string $url ): string {
	return substr( $url, strlen( home_url() ) );
}

$profiles = require __DIR__ . '/profiles.php';
$profile  = $profiles[ lab_switch( $lab_arguments, '--profile', 'small' ) ] ?? null;
if ( null === $profile ) {
	fwrite( STDERR, "No such profile.\n" );
	exit( 2 );
}
$prefix = $wpdb->prefix;
wp_set_current_user( 1 );
wp_suspend_cache_addition( false );

lab_step( 'permalinks' );
switch_theme( 'twentytwentyone' );
lab_permalinks();
lab_step( 'users' );
lab_users( $profile['users'] );
lab_step( 'images' );
$images = lab_images( $profile['images'] );
lab_image_copies( $images, $profile['copies'] );
lab_step( 'posts' );
$ids = lab_posts( $profile['posts'], $images );
lab_menu_and_widgets( $ids['page'] );
lab_step( 'options' );
lab_options();
update_option( 'blogname', $profile['oddities'] ? 'The Old Shop' : 'An Older Site' );
lab_step( 'tables' );
if ( $profile['oddities'] ) {
	lab_shop_tables( $prefix );
	lab_key_tables( $prefix );
	lab_type_tables( $prefix );
	lab_foreign_table();
	update_user_meta( 1, 'wp_custom_thing', 'not a key of WordPress' );
} else {
	lab_sql( "CREATE TABLE {$prefix}guestbook (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, line TEXT) ENGINE=InnoDB" );
	lab_sql( "INSERT INTO {$prefix}guestbook (line) VALUES ('The older site was here.')" );
}
$row_bytes = (int) lab_switch( $lab_arguments, '--big-row-mb', '0' ) << 20;
if ( max( $row_bytes, $profile['row_bytes'] ) > 0 ) {
	lab_big_row( $prefix, max( $row_bytes, $profile['row_bytes'] ) );
}
lab_step( 'bulk rows' );
lab_bulk_posts( $prefix, $profile['bulk_posts'] );
$table_mb = (int) lab_switch( $lab_arguments, '--big-table-mb', '0' );
if ( $table_mb > 0 ) {
	lab_big_table( $prefix, $table_mb );
}
lab_step( 'files' );
if ( $profile['oddities'] ) {
	lab_odd_files( $lab_docroot );
}
lab_fill( $lab_docroot, $profile['files'], $profile['bytes'] );
$file_mb = (int) lab_switch( $lab_arguments, '--big-file-mb', '0' );
if ( $file_mb > 0 ) {
	lab_big_file( "{$lab_docroot}/wp-content/uploads/backups/big.bin", $file_mb << 20 );
}
lab_step( 'measure' );
foreach ( $wpdb->get_col( "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'" ) as $table ) {
	lab_sql( 'ANALYZE TABLE `' . $table . '`' ); // The server's figures are stale otherwise.
}
list( $files, $bytes ) = lab_measure( $lab_docroot );
$database              = $wpdb->get_row( 'SELECT SUM(data_length + index_length) AS bytes, SUM(table_type = "BASE TABLE") AS tables FROM information_schema.tables WHERE table_schema = DATABASE()' );
lab_step( "\n" );

echo wp_json_encode(
	array(
		'post'           => lab_relative( get_permalink( $ids['post'] ) ),
		'post_title'     => get_the_title( $ids['post'] ),
		'page'           => lab_relative( get_permalink( $ids['page'] ) ),
		'image'          => lab_relative( wp_get_attachment_url( $images[0] ) ),
		'posts'          => (int) wp_count_posts()->publish,
		'images'         => count( $images ) + $profile['copies'],
		'tables'         => (int) $database->tables,
		'files'          => $files,
		'bytes'          => $bytes,
		'database_bytes' => (int) $database->bytes,
	)
), "\n";
