<?php
/**
 * Where the site's files are.
 *
 * @package Landfall_Migrate
 */

/**
 * The tree of the site as WordPress shows it: the root, and folders that lie elsewhere mounted where they appear.
 *
 * A path of the tree is relative to the root and made of raw bytes. It is resolved below exactly one mount, and what it
 * resolves to must lie there on its real path: nothing outside of the site's own folders can be named.
 */
final class Landfall_Migrate_Site {

	/**
	 * The mounts: path in the tree => real path. The root has the key ''.
	 *
	 * @var array
	 */
	private $mounts = array();

	/**
	 * Where WordPress' own folders are in the tree: `content`, `plugins`, `mu_plugins`, `themes` and `uploads`.
	 *
	 * @var array
	 */
	private $places = array();

	/**
	 * Folders of WordPress that cannot be read where they are.
	 *
	 * @var array
	 */
	private $unusable = array();

	/**
	 * Real path of wp-config.php, empty if unknown.
	 *
	 * @var string
	 */
	private $config = '';

	/**
	 * Makes the tree.
	 *
	 * @param string $root    Path of the root.
	 * @param array  $folders WordPress' folders: name => path. `content` comes first.
	 * @param string $config  Path of wp-config.php, or empty.
	 */
	public function __construct( $root, array $folders, $config ) {
		clearstatcache( true );
		$this->mounts[''] = self::real( $root );
		$this->config     = '' === $config ? '' : self::real( $config );
		foreach ( $folders as $name => $path ) {
			$this->place( $name, $path, $root, isset( $folders['content'] ) ? $folders['content'] : '' );
		}
		krsort( $this->mounts, SORT_STRING );
	}

	/**
	 * The tree of this WordPress.
	 *
	 * @return self
	 */
	public static function of_wordpress() {
		$uploads = wp_upload_dir( null, false );
		$folders = array(
			'content'    => WP_CONTENT_DIR,
			'plugins'    => WP_PLUGIN_DIR,
			'mu_plugins' => WPMU_PLUGIN_DIR,
			'themes'     => get_theme_root(),
			'uploads'    => is_array( $uploads ) && ! empty( $uploads['basedir'] ) ? $uploads['basedir'] : '',
		);
		return new self( self::root_of_wordpress(), array_filter( $folders ), self::config_of_wordpress() );
	}

	/**
	 * The folder that the home URL shows: that of WordPress, or its parent where WordPress has a folder of its own.
	 *
	 * @return string
	 */
	private static function root_of_wordpress() {
		$abspath = rtrim( ABSPATH, '/\\' );
		$home    = trim( (string) parse_url( (string) get_option( 'home' ), PHP_URL_PATH ), '/' );
		$siteurl = trim( (string) parse_url( (string) get_option( 'siteurl' ), PHP_URL_PATH ), '/' );
		$inside  = '' === $home ? $siteurl : ( 0 === strpos( $siteurl, $home . '/' ) ? substr( $siteurl, strlen( $home ) + 1 ) : '' );
		$ending  = '/' . $inside;
		if ( '' !== $inside && substr( $abspath, -strlen( $ending ) ) === $ending ) {
			$parent = substr( $abspath, 0, -strlen( $ending ) );
			if ( is_file( $parent . '/index.php' ) ) {
				return $parent;
			}
		}
		return $abspath;
	}

	/**
	 * The wp-config.php that WordPress loads, as wp-load.php looks for it.
	 *
	 * @return string
	 */
	private static function config_of_wordpress() {
		$here  = ABSPATH . 'wp-config.php';
		$above = dirname( ABSPATH ) . '/wp-config.php';
		if ( is_file( $here ) ) {
			return $here;
		}
		return is_file( $above ) && ! is_file( dirname( ABSPATH ) . '/wp-settings.php' ) ? $above : '';
	}

	/**
	 * Whether this is wp-config.php, which holds passwords and salts and never travels.
	 *
	 * @param string $real A real path.
	 * @return bool
	 */
	public function is_config( $real ) {
		return '' !== $this->config && $real === $this->config;
	}

	/**
	 * Real path of a path of the tree, whether or not there is anything.
	 *
	 * @param string $rel Path in the tree; '' is the root.
	 * @return string
	 */
	public function locate( $rel ) {
		foreach ( $this->mounts as $at => $real ) {
			$at = (string) $at;
			if ( $rel === $at ) {
				return $real;
			}
			if ( '' === $at ) {
				return rtrim( $real, '/' ) . '/' . $rel;
			}
			if ( 0 === strpos( $rel, $at . '/' ) ) {
				return rtrim( $real, '/' ) . '/' . substr( $rel, strlen( $at ) + 1 );
			}
		}
		return '';
	}

	/**
	 * Real path of an existing file of the tree that is reached through no link; null otherwise.
	 *
	 * @param string $rel Path in the tree.
	 * @return string|null
	 */
	public function locate_contained( $rel ) {
		if ( ! self::is_plain( $rel ) ) {
			return null;
		}
		$path = $this->locate( $rel );
		return self::real( $path ) === $path ? $path : null;
	}

	/**
	 * Whether a path is relative, without empty, `.` and `..` parts and NUL.
	 *
	 * @param string $rel Path in the tree.
	 * @return bool
	 */
	public static function is_plain( $rel ) {
		if ( '' === $rel || strlen( $rel ) > 4096 || false !== strpos( $rel, "\0" ) ) {
			return false;
		}
		foreach ( explode( '/', $rel ) as $part ) {
			if ( '' === $part || '.' === $part || '..' === $part ) {
				return false;
			}
		}
		return true;
	}

	/**
	 * Whether something is mounted at or below a path: then it is a folder, whatever the disk has there.
	 *
	 * @param string $rel Path in the tree.
	 * @return bool
	 */
	public function is_mount_point( $rel ) {
		if ( isset( $this->mounts[ $rel ] ) ) {
			return true;
		}
		return array() !== $this->mounted_below( $rel );
	}

	/**
	 * Whether the folder itself is mounted, so that its own names are to be read.
	 *
	 * @param string $rel Path in the tree.
	 * @return bool
	 */
	public function is_mounted( $rel ) {
		return isset( $this->mounts[ $rel ] );
	}

	/**
	 * Names in a folder that are there because something is mounted at or below them.
	 *
	 * @param string $rel Path of the folder; '' is the root.
	 * @return array
	 */
	public function mounted_below( $rel ) {
		$names  = array();
		$prefix = '' === $rel ? '' : $rel . '/';
		foreach ( array_keys( $this->mounts ) as $at ) {
			$at = (string) $at;
			if ( '' !== $at && $at !== $rel && ( '' === $prefix || 0 === strpos( $at, $prefix ) ) ) {
				$rest    = explode( '/', substr( $at, strlen( $prefix ) ), 2 );
				$names[] = $rest[0];
			}
		}
		return array_values( array_unique( $names ) );
	}

	/**
	 * Where one of WordPress' folders is in the tree; empty if nowhere.
	 *
	 * @param string $name One of `content`, `plugins`, `mu_plugins`, `themes`, `uploads`.
	 * @return string
	 */
	public function place_of( $name ) {
		return isset( $this->places[ $name ] ) ? $this->places[ $name ] : '';
	}

	/**
	 * What preflight says of the tree.
	 *
	 * @return array
	 */
	public function facts() {
		$mounts = array();
		foreach ( $this->mounts as $at => $real ) {
			$mounts[] = array(
				'at'   => (string) $at,
				'path' => $real,
			);
		}
		return array(
			'root'      => $this->mounts[''],
			'abspath'   => self::real( ABSPATH ),
			'wp_config' => $this->config,
			'places'    => (object) $this->places,
			'mounts'    => $mounts,
			'unusable'  => $this->unusable,
		);
	}

	/**
	 * Finds the place of one of WordPress' folders, and mounts it if the tree does not hold it anyway.
	 *
	 * @param string $name    Its name.
	 * @param string $path    Its path.
	 * @param string $root    Path of the root.
	 * @param string $content Path of the content folder.
	 * @return void
	 */
	private function place( $name, $path, $root, $content ) {
		$real = self::real( $path );
		if ( '' === $real || ! is_dir( $real ) ) {
			return;
		}
		$inside = self::below( self::tidy( $path ), self::tidy( $root ) );
		if ( null === $inside ) {
			$inside = self::below( $real, $this->mounts[''] );
		}
		if ( null === $inside && '' !== $content && isset( $this->places['content'] ) ) {
			$within = self::below( self::tidy( $path ), self::tidy( $content ) );
			$inside = null === $within ? null : ltrim( $this->places['content'] . '/' . $within, '/' );
		}
		if ( null === $inside ) {
			$inside = $this->default_place( $name );
		}
		if ( '' === $inside || ! self::is_plain( $inside ) ) {
			return;
		}
		foreach ( $this->mounts as $mounted ) {
			if ( null !== self::below( $real, $mounted ) ) {
				$this->places[ $name ] = $inside;
				return;
			}
			if ( null !== self::below( $mounted, $real ) ) {
				$this->unusable[] = $name;
				return;
			}
		}
		$this->places[ $name ]   = $inside;
		$this->mounts[ $inside ] = $real;
		krsort( $this->mounts, SORT_STRING );
	}

	/**
	 * Where a folder appears that has nothing to do with the root on disk.
	 *
	 * @param string $name Its name.
	 * @return string
	 */
	private function default_place( $name ) {
		$content = isset( $this->places['content'] ) ? $this->places['content'] : 'wp-content';
		return 'content' === $name ? 'wp-content' : $content . '/' . str_replace( '_', '-', $name );
	}

	/**
	 * The path of something below a folder, '' for the folder itself, null when it is elsewhere.
	 *
	 * @param string $path   Path of the thing.
	 * @param string $folder Path of the folder.
	 * @return string|null
	 */
	private static function below( $path, $folder ) {
		if ( $path === $folder ) {
			return '';
		}
		$prefix = rtrim( $folder, '/' ) . '/';
		return 0 === strpos( $path, $prefix ) ? (string) substr( $path, strlen( $prefix ) ) : null;
	}

	/**
	 * Real path with forward slashes, empty if there is nothing.
	 *
	 * @param string $path The path.
	 * @return string
	 */
	private static function real( $path ) {
		$real = realpath( $path );
		return false === $real ? '' : self::tidy( $real );
	}

	/**
	 * A path with forward slashes and none at its end.
	 *
	 * @param string $path The path.
	 * @return string
	 */
	private static function tidy( $path ) {
		$path = '\\' === DIRECTORY_SEPARATOR ? str_replace( '\\', '/', $path ) : $path;
		return '/' === $path ? '/' : rtrim( $path, '/' );
	}
}
