<?php
/**
 * Compares two document roots: names as bytes, kinds, permission bits, links and contents.
 */

declare(strict_types=1);

/**
 * Compares the folders that the job names.
 *
 * @param array    $job   The job.
 * @param Findings $found Where findings go.
 */
function compare_folders( array $job, Findings $found ): void {
	$folders = array( '' );
	while ( null !== ( $folder = array_pop( $folders ) ) ) {
		$old = entries_of( $job['source_root'] . $folder );
		$new = entries_of( $job['destination_root'] . $folder );
		foreach ( array_keys( $old + $new ) as $key ) {
			$path = $folder . '/' . substr( (string) $key, 1 );
			if ( fits( substr( $path, 1 ), $job['exclude_paths'], '/' ) ) {
				$found->leave_out( 'file ' . addcslashes( substr( $path, 1 ), "\0..\37\177..\377" ) );
			} elseif ( ! isset( $old[ $key ] ) ) {
				$found->differ( 'file', shown( $path ), 'not in the source' );
			} elseif ( ! isset( $new[ $key ] ) ) {
				$found->differ( 'file', shown( $path ), 'missing at the destination' );
			} elseif ( compare_entries( $job, $path, $found ) ) {
				$folders[] = $path;
			}
		}
	}
}

/**
 * The names in a folder; a letter before each keeps PHP from making numbers of them.
 *
 * @param string $folder The folder.
 */
function entries_of( string $folder ): array {
	$names = scandir( $folder );
	if ( false === $names ) {
		throw new RuntimeException( "No folder {$folder}." );
	}
	$entries = array();
	foreach ( array_diff( $names, array( '.', '..' ) ) as $name ) {
		$entries[ 'n' . $name ] = true;
	}
	return $entries;
}

/**
 * Compares what has the same name at both ends.
 *
 * @return bool Whether both are folders, to be compared in turn.
 */
function compare_entries( array $job, string $path, Findings $found ): bool {
	$old       = $job['source_root'] . $path;
	$new       = $job['destination_root'] . $path;
	$old_facts = lstat( $old );
	$new_facts = lstat( $new );
	$kind      = $old_facts['mode'] & 0170000;
	if ( ( $new_facts['mode'] & 0170000 ) !== $kind ) {
		$found->differ( 'file', shown( $path ), sprintf( 'kind %o at the source, %o at the destination', $old_facts['mode'], $new_facts['mode'] ) );
		return false;
	}
	if ( 0120000 === $kind ) {
		$expected = str_replace( $job['source_root'], $job['destination_root'], (string) readlink( $old ) );
		if ( readlink( $new ) !== $expected ) {
			$found->differ( 'file', shown( $path ), "a link to {$expected} at the source, to " . readlink( $new ) . ' at the destination' );
		}
		return false;
	}
	if ( $job['modes'] && ( $old_facts['mode'] & 07777 ) !== ( $new_facts['mode'] & 07777 ) ) {
		$found->differ( 'mode', shown( $path ), sprintf( 'expected %o, found %o', $old_facts['mode'] & 07777, $new_facts['mode'] & 07777 ) );
	}
	if ( 0040000 === $kind ) {
		return true;
	}
	++$found->counts['files'];
	$found->counts['file_bytes'] += $old_facts['size'];
	// Bytes against bytes: no hash says more, and none is as fast. Hashes name what differs.
	if ( $old_facts['size'] !== $new_facts['size'] || ! same_bytes( $old, $new ) ) {
		$found->differ( 'file', shown( $path ), 'sha256 ' . hash_file( 'sha256', $old ) . ' at the source, ' . hash_file( 'sha256', $new ) . ' at the destination' );
	}
	return false;
}

/**
 * Whether two files hold the same, a megabyte at a time.
 *
 * @param string $old A path.
 * @param string $new Another path.
 */
function same_bytes( string $old, string $new ): bool {
	$one = fopen( $old, 'rb' );
	$two = fopen( $new, 'rb' );
	do {
		$a = stream_get_contents( $one, 1 << 20 );
		$b = stream_get_contents( $two, 1 << 20 );
	} while ( $a === $b && '' !== $a && false !== $a );
	fclose( $one );
	fclose( $two );
	return $a === $b;
}

/**
 * A path for people.
 *
 * @param string $path Its bytes.
 */
function shown( string $path ): string {
	return addcslashes( ltrim( $path, '/' ), "\0..\37\177..\377" );
}
