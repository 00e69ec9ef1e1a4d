<?php
/**
 * Options and meta as plugins leave them: nested, serialized in serialized, JSON, objects, damage, paths.
 */

declare(strict_types=1);

/** Makes them all. Raw values go past update_option(), which would serialize or repair them. */
function lab_options(): void {
	$home = home_url();
	$host = substr( $home, strlen( 'http://' ) );
	update_option(
		'acme_settings',
		array(
			'logo'    => $home . '/wp-content/uploads/logo.png',
			'deep'    => array( 'er' => array( 'still' => array( $home . '/a', $home . '/b?c=d&e=f', 5, 1.5, true, null ) ) ),
			'text'    => "Grüße 🎉 from {$home}/ to everyone",
			'mail'    => "shop@{$host}",
			'twin'    => "http://not{$host}/ http://{$host}.evil.example/",
			$home     => 'a key stays as it is',
		)
	);
	update_option( 'acme_doubly', serialize( array( 'inner' => serialize( array( 'url' => $home . '/inner', 'n' => 7 ) ) ) ) ); // phpcs:ignore
	update_option( 'acme_json', wp_json_encode( array( 'api' => $home . '/api/v1', 'list' => array( $home . '/1', $home . '/2' ) ) ) );
	update_option( 'acme_paths', array( 'cache' => ABSPATH . 'wp-content/cache', 'root' => untrailingslashit( ABSPATH ) ) );
	update_option( 'acme_base64', base64_encode( $home . '/left/alone' ) ); // phpcs:ignore
	update_option( 'acme_plain', $home );
	$shared           = array( 'first' => $home . '/shared', 'other' => null );
	$shared['second'] = &$shared['first'];
	lab_raw_option( 'acme_reference', serialize( $shared ) ); // phpcs:ignore
	$protected = $home . '/protected';
	$private   = $home . '/private';
	lab_raw_option(
		'acme_object',
		'O:8:"Acme_Box":4:{s:4:"link";' . lab_leaf( $home . '/public' ) . "s:6:\"\0*\0url\";" . lab_leaf( $protected )
		. "s:13:\"\0Acme_Box\0far\";" . lab_leaf( $private ) . 's:4:"size";d:0.1;}'
	);
	// The last byte count is wrong, as a careless search-and-replace leaves it.
	lab_raw_option( 'acme_damaged', 'a:1:{s:3:"url";s:999:"' . $home . '/damaged";}' );
	set_transient( 'acme_passing', array( 'url' => $home ), HOUR_IN_SECONDS );
}

/**
 * One serialized string.
 *
 * @param string $text Its text.
 */
function lab_leaf( string $text ): string {
	return 's:' . strlen( $text ) . ':"' . $text . '";';
}

/**
 * Writes an option's bytes as they are.
 *
 * @param string $name  Its name.
 * @param string $value Its bytes.
 */
function lab_raw_option( string $name, string $value ): void {
	global $wpdb;
	$wpdb->insert( $wpdb->options, array( 'option_name' => $name, 'option_value' => $value, 'autoload' => 'no' ) );
}
