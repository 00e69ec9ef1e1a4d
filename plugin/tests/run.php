<?php
/**
 * Tests of the plugin's parts that need neither WordPress nor a database. Run: php plugin/tests/run.php
 *
 * Each test is a function of the array below whose name is a sentence. What needs a real site is tested from the other
 * side, in crates/worker/tests/it/source.
 *
 * @package Landfall_Migrate
 */

error_reporting( E_ALL );
set_error_handler(
	function ( $severity, $message, $file, $line ) {
		if ( ! ( error_reporting() & $severity ) ) {
			return false;
		}
		throw new ErrorException( $message, 0, $severity, $file, $line );
	}
);

define( 'ABSPATH', __DIR__ . '/' );
require_once __DIR__ . '/../landfall-migrate/includes/class-landfall-migrate-loader.php';
Landfall_Migrate_Loader::register();
require_once __DIR__ . '/support.php';

$tests  = array_merge( require __DIR__ . '/protocol.php', require __DIR__ . '/tree.php', require __DIR__ . '/queries.php' );
$failed = 0;
foreach ( $tests as $name => $test ) {
	try {
		$test();
		echo 'ok   ', $name, PHP_EOL;
	} catch ( Throwable $error ) {
		++$failed;
		echo 'FAIL ', $name, ': ', $error->getMessage(), ' (', basename( $error->getFile() ), ':', $error->getLine(), ')', PHP_EOL;
	}
}
echo count( $tests ), ' tests, ', $failed, ' failed, PHP ', PHP_VERSION, PHP_EOL;
exit( 0 === $failed ? 0 : 1 );
