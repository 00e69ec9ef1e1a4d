<?php
/**
 * Compares single values: serialized ones and JSON by their structure, every other text by its mapping.
 */

declare(strict_types=1);

/** Says whether a value of the destination is what the source's value had to become. */
final class Values {
	private const DEPTH_MAX = 200;

	/** What is not decodable. */
	private readonly stdClass $nothing;

	/**
	 * Keeps its tools.
	 *
	 * @param Mapping  $mapping What becomes what.
	 * @param Findings $found   Where counts go.
	 */
	public function __construct( private readonly Mapping $mapping, private readonly Findings $found ) {
		$this->nothing = new stdClass();
	}

	/**
	 * Whether $new is $old after the mapping.
	 *
	 * @param ?string $old The source's bytes.
	 * @param ?string $new The destination's bytes.
	 * @return ?string What is wrong; null where nothing is.
	 */
	public function fault( ?string $old, ?string $new ): ?string {
		if ( null === $old || null === $new ) {
			return $old === $new ? null : 'NULL against a value';
		}
		$is_serialized = self::looks_serialized( $old );
		if ( $is_serialized && $this->nothing !== $this->unserialize( $old ) ) {
			++$this->found->counts['serialized_values'];
			// The same bytes unserialize as well as the source's did.
			if ( $new !== $old && $this->nothing === $this->unserialize( $new ) ) {
				return 'does not unserialize: ' . self::excerpt( $new );
			}
		}
		if ( ! $this->mapping->may_touch( $old ) ) {
			return $old === $new ? null : self::beside( $old, $new );
		}
		if ( ! $this->agree( $old, $new, 0 ) ) {
			return self::beside( $this->mapping->map( $old ), $new );
		}
		if ( $old !== $new ) {
			++$this->found->counts['mapped_values'];
		}
		return null;
	}

	/**
	 * A text that two values share exactly when they hold the same: for rows that can only be matched as a whole.
	 *
	 * @param string $text      The value.
	 * @param bool   $is_mapped Whether to map it first.
	 * @param int    $depth     How deep it lies in others.
	 */
	public function canonical( string $text, bool $is_mapped, int $depth = 0 ): string {
		if ( $depth > self::DEPTH_MAX ) {
			throw new RuntimeException( 'A value is nested too deeply to compare.' );
		}
		$inside = self::looks_serialized( $text ) ? $this->unserialize( $text ) : $this->nothing;
		if ( $this->nothing === $inside ) {
			return $is_mapped ? $this->mapping->map( $text ) : $text;
		}
		$whole = array( $inside );
		array_walk_recursive(
			$whole,
			function ( mixed &$leaf ) use ( $is_mapped, $depth ): void {
				if ( is_string( $leaf ) ) {
					$leaf = $this->canonical( $leaf, $is_mapped, $depth + 1 );
				}
			}
		);
		return serialize( $whole );
	}

	/** Texts, which may be serialized or JSON. */
	private function agree( string $old, string $new, int $depth ): bool {
		if ( $depth > self::DEPTH_MAX ) {
			throw new RuntimeException( 'A value is nested too deeply to compare.' );
		}
		if ( self::looks_serialized( $old ) ) {
			$before = $this->unserialize( $old );
			if ( $this->nothing === $before ) {
				// Damaged before: left alone, or mapped plainly.
				return $new === $old || $new === $this->mapping->map( $old );
			}
			$after = $this->unserialize( $new );
			return $this->nothing !== $after && $this->same( $before, $after, $depth + 1, false );
		}
		if ( '' !== $old && ( '{' === $old[0] || '[' === $old[0] ) ) {
			$before = json_decode( $old );
			if ( null !== $before ) {
				$after = json_decode( $new );
				return null !== $after && $this->same( $before, $after, $depth + 1, true );
			}
		}
		return $new === $this->mapping->map( $old );
	}

	/** Two decoded structures, leaf by leaf; keys of serialized arrays and names of properties never change. */
	private function same( mixed $old, mixed $new, int $depth, bool $is_json ): bool {
		if ( $depth > self::DEPTH_MAX ) {
			throw new RuntimeException( 'A value is nested too deeply to compare.' );
		}
		if ( is_string( $old ) ) {
			return is_string( $new ) && $this->agree( $old, $new, $depth + 1 );
		}
		if ( is_object( $old ) ) {
			if ( ! is_object( $new ) ) {
				return false;
			}
			$old = (array) $old;
			$new = (array) $new;
		}
		if ( ! is_array( $old ) ) {
			return $old === $new || ( is_float( $old ) && is_float( $new ) && is_nan( $old ) && is_nan( $new ) );
		}
		if ( ! is_array( $new ) || count( $old ) !== count( $new ) ) {
			return false;
		}
		$new_keys = array_keys( $new );
		foreach ( array_keys( $old ) as $at => $key ) {
			$is_same_key = $key === $new_keys[ $at ] || ( $is_json && $new_keys[ $at ] === $this->mapping->map( (string) $key ) );
			if ( '__PHP_Incomplete_Class_Name' === $key && $old[ $key ] !== $new[ $key ] ) {
				return false;
			}
			if ( ! $is_same_key || ! $this->same( $old[ $key ], $new[ $new_keys[ $at ] ], $depth + 1, $is_json ) ) {
				return false;
			}
		}
		return true;
	}

	/** Real PHP's own answer, without making any object of a known class. */
	private function unserialize( string $text ): mixed {
		$value = @unserialize( $text, array( 'allowed_classes' => false ) );
		return false === $value && 'b:0;' !== $text ? $this->nothing : $value;
	}

	/** A cheap look before the real attempt. */
	private static function looks_serialized( string $text ): bool {
		return strlen( $text ) >= 2 && 1 === preg_match( '~\A(?:N;|[bid]:[^;]+;|s:\d+:"|[aO]:\d+:|C:\d+:|E:\d+:)~', $text );
	}

	/** Expected and found, from a little before the first byte that differs. */
	private static function beside( string $expected, string $found ): string {
		$same = strspn( $expected ^ $found, "\0" );
		$from = max( 0, $same - 40 );
		return "at byte {$same}: expected " . self::excerpt( substr( $expected, $from ) ) . ', found ' . self::excerpt( substr( $found, $from ) );
	}

	/** The beginning of a text, readable. */
	private static function excerpt( string $text ): string {
		return '«' . addcslashes( substr( $text, 0, 160 ), "\0..\37\177..\377" ) . ( strlen( $text ) > 160 ? '…' : '' ) . '»';
	}
}
