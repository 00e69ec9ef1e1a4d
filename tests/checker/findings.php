<?php
/**
 * What a comparison has found.
 */

declare(strict_types=1);

/** Differences, counts, and what was left out by rule. */
final class Findings {
	private const SHOWN_MAX = 300;

	/** Differences shown of one kind in one table, so that no table hides the next. */
	private const SHOWN_EACH_MAX = 12;

	/** Counts by name. */
	public array $counts = array(
		'tables'            => 0,
		'rows'              => 0,
		'mapped_values'     => 0,
		'serialized_values' => 0,
		'files'             => 0,
		'file_bytes'        => 0,
	);

	private int $differences = 0;

	private array $shown = array();

	private array $shown_each = array();

	private array $left_out = array();

	/**
	 * Notes a difference.
	 *
	 * @param string $kind What kind.
	 * @param string $at   Where.
	 * @param string $what What was expected and what was there.
	 */
	public function differ( string $kind, string $at, string $what ): void {
		++$this->differences;
		$place = $kind . ' ' . ( 'value' === $kind ? strtok( $at, ' ' ) : '' );
		$each  = $this->shown_each[ $place ] = ( $this->shown_each[ $place ] ?? 0 ) + 1;
		$most  = 'value' === $kind ? self::SHOWN_EACH_MAX : self::SHOWN_MAX;
		if ( $each <= $most && count( $this->shown ) < self::SHOWN_MAX ) {
			$this->shown[] = array(
				'kind' => $kind,
				'at'   => $at,
				'what' => strlen( $what ) > 600 ? substr( $what, 0, 600 ) . '…' : $what,
			);
		}
	}

	/**
	 * Notes something that is not compared, by rule.
	 *
	 * @param string $what What.
	 */
	public function leave_out( string $what ): void {
		$this->left_out[ $what ] = true;
	}

	/** Whether no difference was found. */
	public function is_equal(): bool {
		return 0 === $this->differences;
	}

	/**
	 * The JSON object to print.
	 *
	 * @param float $seconds How long it took.
	 */
	public function answer( float $seconds ): array {
		return array(
			'equal'            => $this->is_equal(),
			'difference_count' => $this->differences,
			'differences'      => $this->shown,
		) + $this->counts + array(
			'left_out' => array_map( 'strval', array_keys( $this->left_out ) ),
			'seconds'  => round( $seconds, 3 ),
		);
	}
}

/**
 * Whether a name fits one of the patterns; `*` stands for anything but what is in $not.
 *
 * @param string   $name     The name.
 * @param string[] $patterns The patterns.
 * @param string   $not      A character class of what `*` does not stand for.
 */
function fits( string $name, array $patterns, string $not = '' ): bool {
	foreach ( $patterns as $pattern ) {
		$any = '' === $not ? '.*' : "[^{$not}]*";
		if ( 1 === preg_match( '~\A' . str_replace( '\*', $any, preg_quote( $pattern, '~' ) ) . '\z~s', $name ) ) {
			return true;
		}
	}
	return false;
}
