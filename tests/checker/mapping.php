<?php
/**
 * What a text becomes when addresses and paths move, by regular expressions over the whole text.
 */

declare(strict_types=1);

/** Maps texts. It knows nothing of serialized values: those are taken apart before. */
final class Mapping {
	/** Every way in which a slash is written. */
	private const SLASH = '(?:\\\\{0,3}/|\\\\{1,2}u002[fF]|&#x2[fF];|&#0?47;|%2[fF])';

	/** Every way in which a colon is written. */
	private const COLON = '(?::|\\\\{1,2}u003[aA]|&#x3[aA];|&#0?58;|%3[aA])';

	/** Without one of these in it a text stays as it is. */
	private array $needles = array();

	private array $patterns = array();

	/**
	 * Prepares the expressions.
	 *
	 * @param array $urls  Pairs of from and to.
	 * @param array $paths Pairs of from and to.
	 */
	public function __construct( array $urls, array $paths ) {
		foreach ( self::longest_first( $urls ) as $pair ) {
			$this->add_url( $pair['from'], $pair['to'] );
		}
		foreach ( self::longest_first( $paths ) as $pair ) {
			$this->add_path( $pair['from'], $pair['to'] );
		}
	}

	/**
	 * Whether a text can change at all.
	 *
	 * @param string $text The text.
	 */
	public function may_touch( string $text ): bool {
		foreach ( $this->needles as $needle ) {
			if ( false !== stripos( $text, $needle ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * The text with every address and path mapped, in one pass over the original.
	 *
	 * @param string $text The text.
	 */
	public function map( string $text ): string {
		if ( ! $this->may_touch( $text ) ) {
			return $text;
		}
		$hits = array();
		foreach ( $this->patterns as list( $pattern, $replace ) ) {
			$found = preg_match_all( $pattern, $text, $matches, PREG_OFFSET_CAPTURE | PREG_SET_ORDER );
			if ( false === $found ) {
				throw new RuntimeException( 'The expression failed: ' . preg_last_error_msg() );
			}
			foreach ( $matches as $match ) {
				$at = $match[0][1];
				// The longest source comes first in the list and keeps its place.
				$hits[ $at ] ??= array( strlen( $match[0][0] ), $replace( array_map( static fn( array $group ): string => $group[0], $match ) ) );
			}
		}
		ksort( $hits );
		$mapped = '';
		$from   = 0;
		foreach ( $hits as $at => list( $length, $new ) ) {
			if ( $at >= $from ) {
				$mapped .= substr( $text, $from, $at - $from ) . $new;
				$from    = $at + $length;
			}
		}
		return $mapped . substr( $text, $from );
	}

	/**
	 * Pairs by falling length of what they start from.
	 *
	 * @param array $pairs The pairs.
	 */
	private static function longest_first( array $pairs ): array {
		usort( $pairs, static fn( array $a, array $b ): int => strlen( $b['from'] ) <=> strlen( $a['from'] ) );
		return $pairs;
	}

	/**
	 * An address: with its scheme, or without any as `//host`.
	 *
	 * @param string $from The old address.
	 * @param string $to   The new address.
	 */
	private function add_url( string $from, string $to ): void {
		$old             = parse_url( rtrim( $from, '/' ) );
		$new             = parse_url( rtrim( $to, '/' ) );
		$this->needles[] = $old['host'];
		$port            = isset( $old['port'] ) ? '(?<port>' . self::COLON . ')' . $old['port'] : '';
		$path            = '';
		foreach ( array_filter( explode( '/', $old['path'] ?? '' ), 'strlen' ) as $folder ) {
			$path .= self::SLASH . preg_quote( $folder, '~' );
		}
		// A host ends where no more of a name, and no port, follows; a full stop may end a sentence.
		$end = '' !== $path ? '(?![A-Za-z0-9_-]|\.[A-Za-z0-9])' : ( '' !== $port ? '(?![0-9])' : '(?![A-Za-z0-9-]|\.[A-Za-z0-9]|' . self::COLON . '[0-9])' );
		$rest = '(?<one>' . self::SLASH . ')(?<two>' . self::SLASH . ')(?i:' . preg_quote( $old['host'], '~' ) . ')' . $port . $path . $end;

		$build = static function ( array $match, string $scheme ) use ( $new ): string {
			$slash = $match['one'];
			$colon = ( $match['colon'] ?? '' ) ?: ( ( $match['port'] ?? '' ) ?: self::colon_beside( $slash ) );
			$text  = '' === $scheme ? '' : $scheme . $colon;
			$text .= $slash . $match['two'] . $new['host'] . ( isset( $new['port'] ) ? $colon . $new['port'] : '' );
			return $text . str_replace( '/', $slash, $new['path'] ?? '' );
		};
		$this->patterns[] = array(
			'~(?i:' . $old['scheme'] . ')(?<colon>' . self::COLON . ')' . $rest . '~',
			static fn( array $match ): string => $build( $match, $new['scheme'] ),
		);
		$this->patterns[] = array(
			'~(?<!:|%3[aA]|&#58;|u003[aA]|[A-Za-z0-9/\\\\])' . $rest . '~',
			static fn( array $match ): string => $build( $match, '' ),
		);
	}

	/**
	 * How a colon is written where slashes are written so.
	 *
	 * @param string $slash The slash.
	 */
	private static function colon_beside( string $slash ): string {
		return '%' === $slash[0] ? '%3A' : ':';
	}

	/**
	 * A folder of the server.
	 *
	 * @param string $from The old path.
	 * @param string $to   The new path.
	 */
	private function add_path( string $from, string $to ): void {
		$from            = rtrim( $from, '/' );
		$this->needles[] = basename( $from );
		$folders         = array_filter( explode( '/', $from ), 'strlen' );
		$pattern         = '(?<one>' . self::SLASH . ')' . implode( self::SLASH, array_map( static fn( string $f ): string => preg_quote( $f, '~' ), $folders ) );
		$this->patterns[] = array(
			'~(?<![A-Za-z0-9_.-])' . $pattern . '(?![A-Za-z0-9_-]|\.[A-Za-z0-9])~',
			static fn( array $match ): string => str_replace( '/', $match['one'], rtrim( $to, '/' ) ),
		);
	}
}
