<?php
/**
 * The walk through the site's tree.
 *
 * @package Landfall_Migrate
 */

/**
 * Visits the tree depth first, the names of each folder in byte order. Where it stands is the last path that it gave:
 * from that path alone a new walk goes on.
 *
 * Links are recorded and never followed, so there is no way out of the tree and no cycle.
 */
final class Landfall_Migrate_File_Walk {

	const DEPTH_MAX = 200;

	/**
	 * The tree.
	 *
	 * @var Landfall_Migrate_Site
	 */
	private $site;

	/**
	 * What is left out.
	 *
	 * @var Landfall_Migrate_Exclusions
	 */
	private $exclusions;

	/**
	 * Open folders, outermost first: each with `rel`, `names` and `at`.
	 *
	 * @var array
	 */
	private $stack = array();

	/**
	 * An item that is due before the walk goes on.
	 *
	 * @var array|null
	 */
	private $due = null;

	/**
	 * Begins a walk, or goes on with one.
	 *
	 * @param Landfall_Migrate_Site       $site       The tree.
	 * @param Landfall_Migrate_Exclusions $exclusions What is left out.
	 * @param string                      $after      The last path that was given; '' begins.
	 */
	public function __construct( Landfall_Migrate_Site $site, Landfall_Migrate_Exclusions $exclusions, $after ) {
		$this->site       = $site;
		$this->exclusions = $exclusions;
		$this->open( '' );
		if ( '' !== $after ) {
			$this->seek( $after );
		}
	}

	/**
	 * The next thing in the tree.
	 *
	 * @return array|null With `p` (path), `t` (type: f, d, l, x for left out, e for error) and more; null at the end.
	 */
	public function next() {
		if ( null !== $this->due ) {
			$item      = $this->due;
			$this->due = null;
			return $item;
		}
		while ( array() !== $this->stack ) {
			$top  = count( $this->stack ) - 1;
			$here = &$this->stack[ $top ];
			if ( $here['at'] >= count( $here['names'] ) ) {
				unset( $here );
				array_pop( $this->stack );
				continue;
			}
			$name = $here['names'][ $here['at'] ];
			++$here['at'];
			$rel = '' === $here['rel'] ? $name : $here['rel'] . '/' . $name;
			unset( $here );
			$item = $this->look_at( $rel );
			if ( 'd' === $item['t'] ) {
				$this->open( $rel );
			}
			return $item;
		}
		return null;
	}

	/**
	 * What is at a path.
	 *
	 * @param string $rel Path in the tree.
	 * @return array
	 */
	private function look_at( $rel ) {
		$rule = $this->exclusions->rule_for( $rel );
		if ( null !== $rule ) {
			return self::item( $rel, 'x', array( 'r' => $rule ) );
		}
		$path = $this->site->locate( $rel );
		if ( $this->site->is_mount_point( $rel ) ) {
			$stat = @stat( $path );
			return self::entry( $rel, 'd', false === $stat ? array( 'mtime' => 0, 'mode' => 0755 ) : $stat );
		}
		$stat = @lstat( $path );
		if ( false === $stat ) {
			return self::item( $rel, 'e', array( 'r' => 'vanished' ) );
		}
		switch ( $stat['mode'] & 0170000 ) {
			case 0120000:
				$target = @readlink( $path );
				return false === $target
					? self::item( $rel, 'e', array( 'r' => 'unreadable' ) )
					: self::entry( $rel, 'l', $stat ) + array( 'l' => base64_encode( $target ) );
			case 0040000:
				return self::entry( $rel, 'd', $stat );
			case 0100000:
				if ( $this->site->is_config( $path ) ) {
					return self::item( $rel, 'x', array( 'r' => 'wp_config' ) );
				}
				return self::entry( $rel, 'f', $stat ) + array( 's' => $stat['size'] );
			default:
				return self::item( $rel, 'e', array( 'r' => 'special' ) );
		}
	}

	/**
	 * Puts a folder on the stack.
	 *
	 * @param string $rel Its path.
	 * @return void
	 */
	private function open( $rel ) {
		if ( count( $this->stack ) >= self::DEPTH_MAX ) {
			$this->due = self::item( $rel, 'e', array( 'r' => 'too_deep' ) );
			return;
		}
		$names = $this->site->mounted_below( $rel );
		$path  = $this->site->locate( $rel );
		if ( $this->site->is_mounted( $rel ) || ! is_link( $path ) ) {
			$found = is_dir( $path ) ? @scandir( $path, SCANDIR_SORT_NONE ) : array();
			if ( false === $found ) {
				$this->due = self::item( $rel, 'e', array( 'r' => 'unreadable' ) );
				$found     = array();
			}
			$names = array_unique( array_merge( array_diff( $found, array( '.', '..' ) ), $names ) );
		}
		sort( $names, SORT_STRING );
		$this->stack[] = array(
			'rel'   => $rel,
			'names' => $names,
			'at'    => 0,
		);
	}

	/**
	 * Moves to just behind a path.
	 *
	 * @param string $after The path; it need not be there any more.
	 * @return void
	 */
	private function seek( $after ) {
		$rel = '';
		foreach ( explode( '/', $after ) as $name ) {
			$this->due = null;

			$top   = count( $this->stack ) - 1;
			$names = $this->stack[ $top ]['names'];

			$this->stack[ $top ]['at'] = self::first_behind( $names, $name );

			$rel  = '' === $rel ? $name : $rel . '/' . $name;
			$item = $this->look_at( $rel );
			if ( 'd' !== $item['t'] ) {
				return;
			}
			$this->open( $rel );
		}
	}

	/**
	 * Index of the first name behind another one.
	 *
	 * @param array  $names Sorted names.
	 * @param string $name  The other one.
	 * @return int
	 */
	private static function first_behind( array $names, $name ) {
		$low  = 0;
		$high = count( $names );
		while ( $low < $high ) {
			$middle = ( $low + $high ) >> 1;
			if ( strcmp( $names[ $middle ], $name ) > 0 ) {
				$high = $middle;
			} else {
				$low = $middle + 1;
			}
		}
		return $low;
	}

	/**
	 * An entry of the tree.
	 *
	 * @param string $rel  Its path.
	 * @param string $type Its type.
	 * @param array  $stat What stat() says.
	 * @return array
	 */
	private static function entry( $rel, $type, array $stat ) {
		$facts = array(
			'm' => $stat['mtime'],
			'o' => $stat['mode'] & 07777,
		);
		return self::item( $rel, $type, $facts );
	}

	/**
	 * One thing that the walk gives.
	 *
	 * @param string $rel   Its path.
	 * @param string $type  Its type.
	 * @param array  $facts More about it.
	 * @return array
	 */
	private static function item( $rel, $type, array $facts ) {
		return array(
			'p' => $rel,
			't' => $type,
		) + $facts;
	}
}
