<?php
/**
 * Compares what tables there are and how they are made.
 */

declare(strict_types=1);

/** A table of the site: its name without the prefix, its name at both ends, its columns and its key. */
final class Table {
	/**
	 * Keeps the facts.
	 *
	 * @param string $name    Without prefix.
	 * @param string $source  At the source.
	 * @param string $target  At the destination.
	 * @param array  $columns Name to data type.
	 * @param array  $key     Columns of the primary key.
	 */
	public function __construct(
		public readonly string $name,
		public readonly string $source,
		public readonly string $target,
		public readonly array $columns,
		public readonly array $key
	) {
	}
}

/**
 * All rows of a query.
 *
 * @param mysqli $link  The connection.
 * @param string $query SQL.
 */
function rows_of( mysqli $link, string $query ): array {
	return $link->query( $query )->fetch_all( MYSQLI_NUM );
}

/** Names of tables and views with the prefix, each with whether it is a view. */
function tables_of( mysqli $link, string $prefix ): array {
	$tables = array();
	foreach ( rows_of( $link, 'SHOW FULL TABLES' ) as list( $name, $type ) ) {
		if ( str_starts_with( $name, $prefix ) ) {
			$tables[ 't' . substr( $name, strlen( $prefix ) ) ] = 'VIEW' === $type;
		}
	}
	return $tables;
}

/**
 * Whether a table is left out by rule.
 *
 * @param string $prefix The prefix at that end.
 * @param string $name   The name without it.
 * @param array  $job    The job.
 */
function is_table_left_out( string $prefix, string $name, array $job ): bool {
	foreach ( $job['exclude_tables'] as $pattern ) {
		$whole = str_starts_with( $pattern, '=' );
		if ( fits( $whole ? $prefix . $name : $name, array( $whole ? substr( $pattern, 1 ) : $pattern ) ) ) {
			return true;
		}
	}
	return false;
}

/**
 * Compares the lists of tables and their making.
 *
 * @return Table[] The tables and views whose rows are to be compared.
 */
function compare_schemas( mysqli $source, mysqli $target, array $job, Findings $found ): array {
	$old_prefix = $job['source_prefix'];
	$new_prefix = $job['destination_prefix'];
	$there      = tables_of( $target, $new_prefix );
	$tables     = array();
	foreach ( tables_of( $source, $old_prefix ) as $key => $is_view ) {
		$name = substr( $key, 1 );
		if ( is_table_left_out( $old_prefix, $name, $job ) ) {
			$found->leave_out( "table {$old_prefix}{$name}" );
			continue;
		}
		if ( ! isset( $there[ $key ] ) ) {
			$found->differ( 'table', $new_prefix . $name, 'missing at the destination' );
			continue;
		}
		if ( $there[ $key ] !== $is_view ) {
			$found->differ( 'table', $new_prefix . $name, 'a view at one end and a table at the other' );
		}
		unset( $there[ $key ] );
		$old = making_of( $source, $old_prefix, $name );
		$new = making_of( $target, $new_prefix, $name );
		foreach ( $old['parts'] as $part => $text ) {
			if ( $text !== $new['parts'][ $part ] ) {
				$found->differ( 'schema', $new_prefix . $name, "{$part}: expected {$text}, found {$new['parts'][ $part ]}" );
			}
		}
		$tables[] = new Table( $name, $old_prefix . $name, $new_prefix . $name, $old['columns'], $is_view ? array() : $old['key'] );
	}
	foreach ( array_keys( $there ) as $key ) {
		$name = substr( $key, 1 );
		if ( $job['no_extra_tables'] && ! is_table_left_out( $new_prefix, $name, $job ) ) {
			$found->differ( 'table', $new_prefix . $name, 'not in the source' );
		}
	}
	return $tables;
}

/**
 * How a table is made: columns, keys, foreign keys, checks and triggers, with the prefix taken out of names.
 *
 * @param mysqli $link   The connection.
 * @param string $prefix The prefix.
 * @param string $name   The name without it.
 */
function making_of( mysqli $link, string $prefix, string $name ): array {
	$quoted  = "'" . $link->real_escape_string( $prefix . $name ) . "'";
	$where   = "table_schema = DATABASE() AND BINARY table_name = {$quoted}";
	$bare    = static fn( ?string $text ): ?string => null === $text ? null : str_replace( $prefix, '', $text );
	$columns = rows_of( $link, "SELECT column_name, data_type, column_type, is_nullable, column_default, extra, character_set_name, generation_expression FROM information_schema.columns WHERE {$where} ORDER BY ordinal_position" );
	$indexes = rows_of( $link, "SELECT index_name, seq_in_index, column_name, sub_part, non_unique, index_type FROM information_schema.statistics WHERE {$where} ORDER BY index_name, seq_in_index" );
	$key     = array();
	foreach ( $indexes as $index ) {
		if ( 'PRIMARY' === $index[0] ) {
			$key[] = $index[2];
		}
	}
	$foreign  = rows_of( $link, "SELECT column_name, referenced_table_name, referenced_column_name FROM information_schema.key_column_usage WHERE {$where} AND referenced_table_name IS NOT NULL ORDER BY 1, 2, 3" );
	$checks   = rows_of( $link, "SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() AND BINARY table_name = {$quoted} ORDER BY 1" );
	$triggers = rows_of( $link, "SELECT action_timing, event_manipulation, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND BINARY event_object_table = {$quoted} ORDER BY 1, 2, 3" );
	$show     = static fn( array $rows ): string => json_encode(
		array_map( static fn( array $row ): array => array_map( $bare, $row ), $rows ),
		JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE
	);
	return array(
		'columns' => array_column( $columns, 1, 0 ),
		'key'     => $key,
		'parts'   => array(
			'columns'      => $show( $columns ),
			// Names of indexes are no names of tables: they stay as they are.
			'indexes'      => json_encode( $indexes, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE ),
			'foreign keys' => $show( $foreign ),
			'checks'       => $show( $checks ),
			'triggers'     => $show( $triggers ),
		),
	);
}

/** What has to be so at the destination whatever the source says: its own addresses. */
function compare_sites( mysqli $source, mysqli $target, array $job, Findings $found ): void {
	foreach ( array( 'siteurl', 'home' ) as $option ) {
		$query = static fn( string $prefix ): string => "SELECT option_value FROM `{$prefix}options` WHERE option_name = '{$option}'";
		$old   = rows_of( $source, $query( $job['source_prefix'] ) )[0][0] ?? '';
		$new   = rows_of( $target, $query( $job['destination_prefix'] ) )[0][0] ?? '';
		$to    = $old;
		foreach ( $job['urls'] as $pair ) {
			if ( rtrim( $pair['from'], '/' ) === rtrim( $old, '/' ) ) {
				$to = $pair['to'];
			}
		}
		if ( rtrim( $new, '/' ) !== rtrim( $to, '/' ) ) {
			$found->differ( 'option', $option, "expected {$to}, found {$new}" );
		}
	}
}
