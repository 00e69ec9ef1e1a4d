<?php
/**
 * Compares a migrated site with its source, sharing no code with Landfall: check.php JOB.json [--exit-zero]
 *
 * The job says where both sites are, which URLs and paths were to become which, and what is not compared
 * (`crates/testkit/src/lab/checker.rs` documents it). The answer is one JSON object on standard output. Exit code:
 * 0 when equal, 1 when not, 2 when the comparison itself failed; with --exit-zero unequal is 0 as well.
 */

declare(strict_types=1);

foreach ( array( 'findings', 'mapping', 'values', 'schema', 'rows', 'files' ) as $part ) {
	require __DIR__ . "/{$part}.php";
}

set_error_handler(
	static function ( int $level, string $message, string $file, int $line ): bool {
		// A suppressed call asks a question whose answer is its return value.
		if ( 0 === ( error_reporting() & $level ) ) {
			return true;
		}
		throw new ErrorException( $message, 0, $level, $file, $line );
	}
);

/**
 * A connection that hands over bytes as they are stored.
 *
 * @param array $access Host, port, database, user, password.
 */
function connect_to( array $access ): mysqli {
	mysqli_report( MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT );
	$link = mysqli_init();
	$link->options( MYSQLI_OPT_CONNECT_TIMEOUT, 10 );
	$link->real_connect( $access['host'], $access['user'], $access['password'], $access['database'], (int) $access['port'] );
	$link->query( 'SET NAMES binary' );
	$link->query( "SET sql_mode = '', net_write_timeout = 600" );
	return $link;
}

try {
	$started = microtime( true );
	$job     = json_decode( (string) file_get_contents( $argv[1] ?? '' ), true, 16, JSON_THROW_ON_ERROR );
	$found   = new Findings();
	$mapping = new Mapping( $job['urls'], $job['paths'] );
	$source  = connect_to( $job['source_database'] );
	$target  = connect_to( $job['destination_database'] );

	$tables = compare_schemas( $source, $target, $job, $found );
	$rows   = new RowComparison( $source, $target, $job, new Values( $mapping, $found ), $found );
	foreach ( $tables as $table ) {
		$rows->compare( $table );
	}
	compare_sites( $source, $target, $job, $found );
	compare_folders( $job, $found );

	echo json_encode( $found->answer( microtime( true ) - $started ), JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE ), "\n";
	exit( $found->is_equal() || in_array( '--exit-zero', $argv, true ) ? 0 : 1 );
} catch ( Throwable $error ) {
	fwrite( STDERR, "The comparison failed: {$error}\n" );
	exit( 2 );
}
