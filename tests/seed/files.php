<?php
/**
 * Files below the document root that WordPress knows nothing of: odd names, modes, links, and mere bulk.
 */

declare(strict_types=1);

/** One of every kind that copying tools trip over. */
function lab_odd_files( string $root ): void {
	$odd = "{$root}/wp-content/uploads/odd";
	foreach ( array( '', '/empty-folder', '/many', '/.hidden', '/private' ) as $folder ) {
		lab_folder( $odd . $folder );
	}
	$names = array(
		"caf\xe9-latin1.txt", "nfc-caf\u{e9}.txt", "nfd-cafe\u{301}.txt", '-rf', '--help', "new\nline.txt", ' lead and trail ',
		'emoji-🚢.txt', 'per%20cent%.txt', 'hash#and?mark&.txt', "quote'\"`\$(x).txt", 'back\\slash.txt', 'Case.txt', 'case.txt',
		'.dot', str_repeat( 'n', 250 ) . '.txt', 'semi;colon|pipe.txt', '日本語.txt', 'x.php.txt',
	); // phpcs:ignore Generic.Files.LineLength
	foreach ( $names as $number => $name ) {
		lab_file( "{$odd}/{$name}", "file {$number} at " . home_url() . "\n" );
	}
	lab_file( "{$odd}/empty.txt", '' );
	lab_file( "{$odd}/zeros.bin", str_repeat( "\0", 70000 ) );
	lab_file( "{$odd}/.hidden/inside.txt", 'hidden' );
	lab_file( "{$odd}/script.sh", "#!/bin/sh\nexit 0\n" );
	lab_file( "{$odd}/private/key.txt", 'for the owner alone' );
	chmod( "{$odd}/script.sh", 0755 );
	chmod( "{$odd}/private/key.txt", 0600 );
	chmod( "{$odd}/private", 0700 );
	symlink( 'emoji-🚢.txt', "{$odd}/link-to-a-file" );
	symlink( '../odd/many', "{$odd}/link-to-a-folder" );
	for ( $i = 0; $i < 60; $i++ ) {
		lab_file( "{$odd}/many/{$i}.txt", (string) $i );
	}
	// What is left out by default: a cache and a log.
	lab_folder( "{$root}/wp-content/cache/pages" );
	lab_file( "{$root}/wp-content/cache/pages/index.html", '<p>cached at ' . home_url() . '</p>' );
	lab_file( "{$root}/wp-content/debug.log", "PHP Notice: nothing\n" );
	lab_file( "{$root}/robots.txt", "Sitemap: " . home_url( '/wp-sitemap.xml' ) . "\n" );
	lab_file( "{$root}/.htaccess", "# BEGIN WordPress\n# END WordPress\n" );
}

/**
 * Fills the document root up to these totals: text and noise, from a few bytes to some megabytes.
 *
 * @param string $root  The document root.
 * @param int    $files How many files it is to hold.
 * @param int    $bytes How many bytes.
 */
function lab_fill( string $root, int $files, int $bytes ): void {
	list( $have_files, $have_bytes ) = lab_measure( $root );
	$missing = max( 0, $files - $have_files );
	$left    = max( 0, $bytes - $have_bytes );
	$base    = "{$root}/wp-content/uploads/archive";
	$big     = min( 12, intdiv( $missing, 100 ) );
	for ( $i = 0; $i < $missing; $i++ ) {
		$folder = "{$base}/" . intdiv( $i, 250 );
		if ( 0 === $i % 250 ) {
			lab_folder( $folder );
		}
		// Half of the bytes lie in a few big files, the rest is spread over the small ones.
		$size  = $i < $big ? intdiv( $left, 2 * $big ) : mt_rand( 0, (int) ( $left / max( 1, $missing ) ) );
		$extra = 0 === $i % 3 ? str_repeat( lab_paragraph() . "\n", 1 + intdiv( $size, 900 ) ) : lab_noise( $size );
		lab_file( "{$folder}/item-{$i}" . ( 0 === $i % 3 ? '.txt' : '.bin' ), substr( $extra, 0, max( 1, $size ) ) );
	}
	list( , $have_bytes ) = lab_measure( $root );
	if ( $missing > 0 && $bytes > $have_bytes ) {
		lab_big_file( "{$base}/rest.bin", $bytes - $have_bytes );
	}
}

/**
 * A file of any size, a megabyte at a time.
 *
 * @param string $path  Its path.
 * @param int    $bytes Its size.
 */
function lab_big_file( string $path, int $bytes ): void {
	lab_folder( dirname( $path ) );
	$handle = fopen( $path, 'wb' );
	while ( $bytes > 0 ) {
		$bytes -= fwrite( $handle, lab_noise( min( $bytes, 1 << 20 ) ) );
	}
	fclose( $handle );
}

/**
 * Files and bytes below a folder.
 *
 * @param string $root The folder.
 * @return int[]
 */
function lab_measure( string $root ): array {
	$files = 0;
	$bytes = 0;
	$all   = new RecursiveIteratorIterator( new RecursiveDirectoryIterator( $root, FilesystemIterator::SKIP_DOTS ) );
	foreach ( $all as $file ) {
		if ( $file->isFile() && ! $file->isLink() ) {
			++$files;
			$bytes += $file->getSize();
		}
	}
	return array( $files, $bytes );
}

/**
 * Makes a folder, or ends.
 *
 * @param string $path Its path.
 */
function lab_folder( string $path ): void {
	if ( ! is_dir( $path ) && ! mkdir( $path, 0755, true ) ) {
		throw new RuntimeException( "No folder {$path}." );
	}
}

/**
 * Writes a file, or ends.
 *
 * @param string $path  Its path.
 * @param string $bytes What is in it.
 */
function lab_file( string $path, string $bytes ): void {
	if ( strlen( $bytes ) !== file_put_contents( $path, $bytes ) ) {
		throw new RuntimeException( "No file {$path}." );
	}
}
