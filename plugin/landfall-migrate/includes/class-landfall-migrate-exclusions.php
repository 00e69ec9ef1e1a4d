<?php
/**
 * What is left out of the tree.
 *
 * @package Landfall_Migrate
 */

/**
 * Rules that come with the request, so that the owner sees and can change them; the plugin has none of its own.
 *
 * Each rule has an `id`, a `match` and a `value`: `path` is one path of the tree, `name` a name anywhere, `glob` a name
 * with `*` and `?`. `{content}` and `{uploads}` at the start of a path stand for WordPress' folders.
 */
final class Landfall_Migrate_Exclusions {

	const RULES_MAX = 500;

	/**
	 * Path of the tree => id of the rule.
	 *
	 * @var array
	 */
	private $paths = array();

	/**
	 * Name => id of the rule.
	 *
	 * @var array
	 */
	private $names = array();

	/**
	 * Regular expression => id of the rule.
	 *
	 * @var array
	 */
	private $globs = array();

	/**
	 * Reads the rules.
	 *
	 * @param array                 $rules As they came.
	 * @param Landfall_Migrate_Site $site  The tree that they are for.
	 * @throws Landfall_Migrate_Refusal When a rule is not one.
	 */
	public function __construct( array $rules, Landfall_Migrate_Site $site ) {
		foreach ( $rules as $rule ) {
			$id    = Landfall_Migrate_Params::text( $rule, 'id' );
			$match = Landfall_Migrate_Params::text( $rule, 'match' );
			$value = Landfall_Migrate_Params::text( $rule, 'value' );
			if ( '' === $id || '' === $value ) {
				throw new Landfall_Migrate_Refusal( 'bad_params', 'An exclusion has no id or no value.' );
			}
			if ( 'path' === $match ) {
				$this->paths[ self::expand( $value, $site ) ] = $id;
			} elseif ( 'name' === $match ) {
				$this->names[ $value ] = $id;
			} elseif ( 'glob' === $match ) {
				$this->globs[ self::pattern( $value ) ] = $id;
			} else {
				throw new Landfall_Migrate_Refusal( 'bad_params', 'An exclusion matches in an unknown way.' );
			}
		}
	}

	/**
	 * The rule that leaves a path out.
	 *
	 * @param string $rel Path in the tree.
	 * @return string|null Its id.
	 */
	public function rule_for( $rel ) {
		if ( isset( $this->paths[ $rel ] ) ) {
			return $this->paths[ $rel ];
		}
		$at   = strrpos( $rel, '/' );
		$name = false === $at ? $rel : substr( $rel, $at + 1 );
		if ( isset( $this->names[ $name ] ) ) {
			return $this->names[ $name ];
		}
		foreach ( $this->globs as $pattern => $id ) {
			if ( 1 === preg_match( $pattern, $name ) ) {
				return $id;
			}
		}
		return null;
	}

	/**
	 * Puts WordPress' folders in the place of their names.
	 *
	 * @param string                $path Path of a rule.
	 * @param Landfall_Migrate_Site $site The tree.
	 * @return string
	 */
	private static function expand( $path, Landfall_Migrate_Site $site ) {
		foreach ( array( 'content', 'uploads' ) as $name ) {
			$sign = '{' . $name . '}';
			if ( 0 === strpos( $path, $sign ) ) {
				$place = $site->place_of( $name );
				return ( '' === $place ? 'wp-content' : $place ) . substr( $path, strlen( $sign ) );
			}
		}
		return $path;
	}

	/**
	 * A regular expression over bytes for a name with `*` and `?`.
	 *
	 * @param string $glob The name.
	 * @return string
	 */
	private static function pattern( $glob ) {
		$quoted = preg_quote( $glob, '/' );
		return '/^' . str_replace( array( '\*', '\?' ), array( '.*', '.' ), $quoted ) . '$/Ds';
	}
}
