<?php
/**
 * The site's database.
 *
 * @package Landfall_Migrate
 */

/**
 * A connection of our own, whatever drop-in WordPress uses, that can only read.
 *
 * No request ever brings SQL: every statement is made here or in the classes that use this one, every name in it is one
 * that the server itself listed, and every value is a literal made by Landfall_Migrate_Row_Query.
 */
final class Landfall_Migrate_Database {

	/**
	 * Character set for names and definitions.
	 */
	const METADATA = 'utf8mb4';

	/**
	 * Character set for rows: bytes as they are stored, without any conversion.
	 */
	const RAW = 'binary';

	/**
	 * The connection.
	 *
	 * @var mysqli
	 */
	private $link;

	/**
	 * Connects.
	 *
	 * @param string $charset METADATA or RAW.
	 * @throws Landfall_Migrate_Refusal When it cannot.
	 */
	public function __construct( $charset ) {
		if ( ! function_exists( 'mysqli_init' ) || defined( 'DB_ENGINE' ) && 'sqlite' === DB_ENGINE ) {
			throw new Landfall_Migrate_Refusal( 'database_unsupported', 'The site does not use MySQL or MariaDB through mysqli.' );
		}
		mysqli_report( MYSQLI_REPORT_OFF );
		$this->link = mysqli_init();
		$this->link->options( MYSQLI_OPT_CONNECT_TIMEOUT, 10 );
		$host  = self::host();
		$flags = defined( 'MYSQL_CLIENT_FLAGS' ) ? MYSQL_CLIENT_FLAGS : 0;
		if ( ! @$this->link->real_connect( $host[0], DB_USER, DB_PASSWORD, DB_NAME, $host[1], $host[2], $flags ) ) {
			throw new Landfall_Migrate_Refusal( 'database', 'The database refused the connection (' . $this->link->connect_errno . ').' );
		}
		$this->speak( $charset );
		$this->link->query( 'SET SESSION TRANSACTION READ ONLY' );
		$this->run( "SET SESSION sql_mode = '', SESSION time_zone = '+00:00'" );
		// A server that caches its statistics for a day would say so of tables that have moved.
		$this->link->query( 'SET SESSION information_schema_stats_expiry = 0' );
	}

	/**
	 * Changes the character set that names, literals and results are in.
	 *
	 * @param string $charset METADATA or RAW.
	 * @return void
	 * @throws Landfall_Migrate_Refusal When the server does not know it.
	 */
	public function speak( $charset ) {
		$is_set = $this->link->set_charset( $charset ) || ( self::METADATA === $charset && $this->link->set_charset( 'utf8' ) );
		if ( ! $is_set ) {
			throw new Landfall_Migrate_Refusal( 'database', 'The database does not know the character set ' . $charset . '.' );
		}
	}

	/**
	 * Runs a statement and returns its rows.
	 *
	 * @param string $sql The statement.
	 * @return array Of associative arrays with upper-case keys.
	 * @throws Landfall_Migrate_Refusal When the server refuses it.
	 */
	public function rows( $sql ) {
		$result = $this->run( $sql );
		$rows   = array();
		while ( true ) {
			$row = $result->fetch_assoc();
			if ( ! is_array( $row ) ) {
				break;
			}
			$rows[] = array_change_key_case( $row, CASE_UPPER );
		}
		$result->free();
		return $rows;
	}

	/**
	 * The first value of the first row.
	 *
	 * @param string $sql The statement.
	 * @return string|null
	 */
	public function value( $sql ) {
		$row = $this->first_row( $sql );
		return isset( $row[0] ) ? $row[0] : null;
	}

	/**
	 * The first row, by position.
	 *
	 * @param string $sql The statement.
	 * @return array Empty when there is none.
	 */
	public function first_row( $sql ) {
		$result = $this->run( $sql );
		$row    = $result->fetch_row();
		$result->free();
		return is_array( $row ) ? $row : array();
	}

	/**
	 * Runs a statement whose rows are fetched one by one from the server, so that only one is ever in memory.
	 *
	 * @param string $sql The statement.
	 * @return mysqli_result
	 * @throws Landfall_Migrate_Refusal When the server refuses it.
	 */
	public function stream( $sql ) {
		$result = $this->link->query( $sql, MYSQLI_USE_RESULT );
		if ( ! $result instanceof mysqli_result ) {
			throw $this->refusal();
		}
		return $result;
	}

	/**
	 * Ends with a refusal if the stream broke off.
	 *
	 * @return void
	 * @throws Landfall_Migrate_Refusal When it did.
	 */
	public function check_stream() {
		if ( 0 !== $this->link->errno ) {
			throw $this->refusal();
		}
	}

	/**
	 * A name as an identifier.
	 *
	 * @param string $name A name that the server listed.
	 * @return string
	 */
	public static function name( $name ) {
		return '`' . str_replace( '`', '``', $name ) . '`';
	}

	/**
	 * Text as a literal, in the character set that is spoken.
	 *
	 * @param string $text The text.
	 * @return string
	 */
	public function text( $text ) {
		return "'" . $this->link->real_escape_string( $text ) . "'";
	}

	/**
	 * The version as the server says it.
	 *
	 * @return string
	 */
	public function version() {
		return (string) $this->value( 'SELECT VERSION()' );
	}

	/**
	 * Runs a statement.
	 *
	 * @param string $sql The statement.
	 * @return mysqli_result|bool
	 * @throws Landfall_Migrate_Refusal When the server refuses it.
	 */
	private function run( $sql ) {
		$result = $this->link->query( $sql );
		if ( false === $result ) {
			throw $this->refusal();
		}
		return $result;
	}

	/**
	 * What the server's last error becomes. Its text may quote values, so only its number travels.
	 *
	 * @return Landfall_Migrate_Refusal
	 */
	private function refusal() {
		return new Landfall_Migrate_Refusal( 'database', 'The database answered with error ' . $this->link->errno . '.' );
	}

	/**
	 * Host, port and socket out of DB_HOST.
	 *
	 * @return array
	 */
	private static function host() {
		global $wpdb;
		$parts = method_exists( $wpdb, 'parse_db_host' ) ? $wpdb->parse_db_host( DB_HOST ) : false;
		if ( ! is_array( $parts ) ) {
			return array( DB_HOST, null, null );
		}
		list( $host, $port, $socket, $is_ipv6 ) = $parts;
		if ( $is_ipv6 && extension_loaded( 'mysqlnd' ) ) {
			$host = '[' . $host . ']';
		}
		return array( $host, null === $port ? null : (int) $port, $socket );
	}
}
