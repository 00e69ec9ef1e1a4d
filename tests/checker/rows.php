<?php
/**
 * Compares the rows of tables: in the order of the primary key, or as a multiset where there is none.
 */

declare(strict_types=1);

/** Compares tables of two databases row by row, one row of each in memory at a time. */
final class RowComparison {
	/** Text types; any other value is to stay byte for byte. */
	private const TEXT = array( 'char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'json', 'enum', 'set' );

	/** Differences shown per table: the rest is but counted. */
	private const SHOWN_MAX = 20;

	/** Keys of usermeta that WordPress itself begins with the tables' prefix. */
	private const PREFIXED = array( 'capabilities', 'user_level', 'user-settings', 'user-settings-time', 'dashboard_quick_press_last_post_id', 'persisted_preferences', 'media_library_mode' );

	/**
	 * Keeps its tools.
	 *
	 * @param mysqli   $source The source.
	 * @param mysqli   $target The destination.
	 * @param array    $job    The job.
	 * @param Values   $values Compares values.
	 * @param Findings $found  Where findings go.
	 */
	public function __construct(
		private readonly mysqli $source,
		private readonly mysqli $target,
		private readonly array $job,
		private readonly Values $values,
		private readonly Findings $found
	) {
	}

	/**
	 * Compares one table.
	 *
	 * @param Table $table Which.
	 */
	public function compare( Table $table ): void {
		++$this->found->counts['tables'];
		if ( array() === $table->key ) {
			$this->compare_multisets( $table );
			return;
		}
		$old_rows = $this->read( $this->source, $table->source, $table );
		$new_rows = $this->read( $this->target, $table->target, $table );
		$shown    = 0;
		for ( ;; ) {
			$old = $this->next( $old_rows, $table );
			$new = $this->next( $new_rows, $table );
			if ( null === $old || null === $new ) {
				break;
			}
			++$this->found->counts['rows'];
			foreach ( $this->faults( $table, $old, $new ) as $column => $fault ) {
				++$shown;
				$this->found->differ( 'value', $table->target . ' ' . $this->name_of( $table, $old ) . " {$column}", $fault );
			}
			if ( $shown > self::SHOWN_MAX && $this->name_of( $table, $old ) !== $this->name_of( $table, $new ) ) {
				break; // Out of step: every further row would differ.
			}
		}
		$this->report_rest( $table, 'missing at the destination', $old, $old_rows );
		$this->report_rest( $table, 'not in the source', $new, $new_rows );
		$old_rows->free();
		$new_rows->free();
	}

	/** Opens a streamed read in the order of the key. */
	private function read( mysqli $link, string $name, Table $table ): mysqli_result {
		$columns = array();
		foreach ( $table->columns as $column => $type ) {
			$quoted    = self::quote( (string) $column );
			$columns[] = match ( $type ) {
				'bit'   => "{$quoted} + 0",
				'float' => "CAST({$quoted} AS DOUBLE)",
				'point', 'geometry', 'polygon', 'linestring', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection' => "ST_AsWKB({$quoted})",
				default => $quoted,
			};
		}
		$order = implode( ', ', array_map( self::quote( ... ), $table->key ) );
		$query = 'SELECT ' . implode( ', ', $columns ) . ' FROM ' . self::quote( $name ) . ( '' === $order ? '' : " ORDER BY {$order}" );
		return $link->query( $query, MYSQLI_USE_RESULT );
	}

	/** The next row that is compared; null after the last. */
	private function next( mysqli_result $rows, Table $table ): ?array {
		while ( $row = $rows->fetch_row() ) {
			$row = array_combine( array_keys( $table->columns ), $row );
			if ( ! $this->is_left_out( $table, $row ) ) {
				return $row;
			}
		}
		return null;
	}

	/** Rows that are not compared, by rule. */
	private function is_left_out( Table $table, array $row ): bool {
		$left_out = match ( $table->name ) {
			'options'  => in_array( $row['option_name'], array( 'siteurl', 'home' ), true ) || fits( $row['option_name'], $this->job['exclude_options'] )
				? "option {$row['option_name']}" : null,
			'usermeta' => 'session_tokens' === $row['meta_key'] ? 'usermeta session_tokens' : null,
			'postmeta' => in_array( $row['meta_key'], array( '_edit_lock', '_edit_last' ), true ) ? "postmeta {$row['meta_key']}" : null,
			default    => null,
		};
		if ( null !== $left_out ) {
			$this->found->leave_out( $left_out );
		}
		return null !== $left_out;
	}

	/** What is wrong in a row, by column. */
	private function faults( Table $table, array $old, array $new ): array {
		$faults = array();
		foreach ( $table->columns as $column => $type ) {
			$fault = $this->fault( $table, (string) $column, $type, $old[ $column ], $new[ $column ] );
			if ( null !== $fault ) {
				$faults[ $column ] = $fault;
			}
		}
		return $faults;
	}

	/** What is wrong with one value. */
	private function fault( Table $table, string $column, string $type, ?string $old, ?string $new ): ?string {
		if ( ( 'options' === $table->name && 'option_name' === $column ) || ( 'usermeta' === $table->name && 'meta_key' === $column ) ) {
			$old = $this->renamed( $table->name, (string) $old );
		}
		if ( 'guid' === $column || ! in_array( $type, self::TEXT, true ) ) {
			return $old === $new ? null : 'expected ' . var_export( substr( (string) $old, 0, 200 ), true ) . ', found ' . var_export( substr( (string) $new, 0, 200 ), true );
		}
		return $this->values->fault( $old, $new );
	}

	/** The names that carry the tables' prefix. */
	private function renamed( string $table, string $name ): string {
		$prefix = $this->job['source_prefix'];
		if ( ! str_starts_with( $name, $prefix ) ) {
			return $name;
		}
		$bare = substr( $name, strlen( $prefix ) );
		$own  = 'options' === $table ? array( 'user_roles' ) : self::PREFIXED;
		return in_array( $bare, $own, true ) ? $this->job['destination_prefix'] . $bare : $name;
	}

	/** Counts what is left on one side. */
	private function report_rest( Table $table, string $what, ?array $row, mysqli_result $rows ): void {
		$count = 0;
		$first = $row;
		while ( null !== $row ) {
			++$count;
			$row = $this->next( $rows, $table );
		}
		if ( $count > 0 ) {
			$this->found->differ( 'rows', $table->target, "{$count} rows {$what}, from " . $this->name_of( $table, $first ) );
		}
	}

	/** Tables without a key: each row of the source must have one equal to it, as often as it is there. */
	private function compare_multisets( Table $table ): void {
		$there = array();
		$rows  = $this->read( $this->target, $table->target, $table );
		while ( null !== ( $row = $this->next( $rows, $table ) ) ) {
			$key             = $this->digest( $table, $row, false );
			$there[ $key ] ??= array( 0, $row );
			++$there[ $key ][0];
		}
		$missing = 0;
		$rows    = $this->read( $this->source, $table->source, $table );
		while ( null !== ( $row = $this->next( $rows, $table ) ) ) {
			++$this->found->counts['rows'];
			$key = $this->digest( $table, $row, true );
			if ( isset( $there[ $key ] ) ) {
				if ( 0 === --$there[ $key ][0] ) {
					unset( $there[ $key ] );
				}
				continue;
			}
			if ( ++$missing <= self::SHOWN_MAX ) {
				$this->found->differ( 'rows', $table->target, 'missing at the destination: ' . self::line( $row ) );
			}
		}
		if ( $missing > self::SHOWN_MAX ) {
			$this->found->differ( 'rows', $table->target, "{$missing} rows missing in all" );
		}
		$extra = array_sum( array_column( $there, 0 ) );
		if ( $extra > 0 ) {
			$this->found->differ( 'rows', $table->target, "{$extra} rows not in the source, such as " . self::line( reset( $there )[1] ) );
		}
	}

	/** One short key for a whole row; NULL and '' differ, and so do ('ab', 'c') and ('a', 'bc'). */
	private function digest( Table $table, array $row, bool $is_mapped ): string {
		$text = '';
		foreach ( $table->columns as $column => $type ) {
			$value = $row[ $column ];
			if ( null !== $value && 'guid' !== $column && in_array( $type, self::TEXT, true ) ) {
				$value = $this->values->canonical( $value, $is_mapped );
			}
			$text .= null === $value ? 'N;' : strlen( $value ) . ":{$value};";
		}
		return hash( 'xxh128', $text );
	}

	/** A row, for people. */
	private static function line( array $row ): string {
		return (string) json_encode( $row, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES );
	}

	/** A row's key, for people. */
	private function name_of( Table $table, array $row ): string {
		$parts = array();
		foreach ( $table->key as $column ) {
			$parts[] = addcslashes( (string) $row[ $column ], "\0..\37\177..\377" );
		}
		return '(' . implode( ', ', $parts ) . ')';
	}

	/** A quoted name. */
	private static function quote( string $name ): string {
		return '`' . str_replace( '`', '``', $name ) . '`';
	}
}
