<?php
/**
 * The verb `read_files`.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends the contents of many files, or parts of large ones, until the budget is spent.
 *
 * A file that changes while it is read ends in an error frame instead of an end frame: the platform reads it again from
 * its start, and never joins two versions of it.
 */
final class Landfall_Migrate_Verb_Read_Files extends Landfall_Migrate_Verb {

	const FILES_MAX   = 2000;
	const CHUNK_BYTES = 524288;

	/**
	 * The tree.
	 *
	 * @var Landfall_Migrate_Site
	 */
	private $site;

	/**
	 * Sends the files in the order of the request.
	 *
	 * @return array
	 */
	public function run() {
		$this->site = Landfall_Migrate_Site::of_wordpress();
		$files      = Landfall_Migrate_Params::objects( $this->params, 'files', self::FILES_MAX );
		foreach ( $files as $index => $wanted ) {
			if ( $index > 0 && $this->is_spent() ) {
				return array( 'done' => false );
			}
			if ( ! $this->send_file( $index, $wanted ) ) {
				return array( 'done' => false );
			}
		}
		return array( 'done' => true );
	}

	/**
	 * Sends one file.
	 *
	 * @param int   $index  Its number in the request.
	 * @param array $wanted With `path`, and for a file that was begun before `offset` and `stamp`.
	 * @return bool False when the budget ended within it.
	 */
	private function send_file( $index, array $wanted ) {
		$rel    = Landfall_Migrate_Params::bytes( $wanted, 'path' );
		$offset = Landfall_Migrate_Params::whole( $wanted, 'offset', 0 );
		$stamp  = Landfall_Migrate_Params::text( $wanted, 'stamp' );
		$path   = $this->site->locate_contained( $rel );
		if ( null === $path || ! is_file( $path ) ) {
			$this->send_error( $index, $this->why_missing( $rel ) );
			return true;
		}
		if ( $this->site->is_config( $path ) ) {
			$this->send_error( $index, 'withheld' );
			return true;
		}
		$handle = @fopen( $path, 'rb' );
		if ( false === $handle ) {
			$this->send_error( $index, file_exists( $path ) ? 'unreadable' : 'vanished' );
			return true;
		}
		$stat = fstat( $handle );
		if ( '' !== $stamp && self::stamp( $stat ) !== $stamp ) {
			$this->send_error( $index, 'changed' );
			$is_whole = true;
		} else {
			$is_whole = $this->send_contents( $index, $handle, $path, $stat, $offset );
		}
		fclose( $handle );
		return $is_whole;
	}

	/**
	 * Sends the bytes of an open file from an offset on.
	 *
	 * @param int      $index  Its number in the request.
	 * @param resource $handle The file.
	 * @param string   $path   Where it is.
	 * @param array    $stat   What fstat() said before.
	 * @param int      $offset Where to begin.
	 * @return bool False when the budget ended before the file.
	 */
	private function send_contents( $index, $handle, $path, array $stat, $offset ) {
		$size  = $stat['size'];
		$fresh = self::is_fresh( $stat );
		$hash  = $fresh && 0 === $offset ? hash_init( 'crc32b' ) : null;
		$begin = array(
			'i'      => $index,
			'size'   => $size,
			'mtime'  => $stat['mtime'],
			'mode'   => $stat['mode'] & 07777,
			'offset' => $offset,
			'stamp'  => self::stamp( $stat ) . ( $fresh ? '-' . bin2hex( random_bytes( 8 ) ) : '' ),
		);
		$this->frames->send_json( Landfall_Migrate_Frames::FILE_BEGIN, $begin );
		if ( $offset > $size || 0 !== fseek( $handle, $offset ) ) {
			$this->send_error( $index, 'changed' );
			return true;
		}
		stream_set_read_buffer( $handle, 0 );
		while ( $offset < $size ) {
			$chunk = @fread( $handle, min( self::CHUNK_BYTES, $size - $offset ) );
			if ( false === $chunk || '' === $chunk ) {
				$this->send_error( $index, feof( $handle ) ? 'changed' : 'unreadable' );
				return true;
			}
			$offset += strlen( $chunk );
			if ( null !== $hash ) {
				hash_update( $hash, $chunk );
			}
			$this->frames->send( Landfall_Migrate_Frames::FILE_DATA, $chunk );
			if ( $offset < $size && $this->is_spent() ) {
				return false;
			}
		}
		clearstatcache( true, $path );
		$after   = @stat( $path );
		$is_same = false !== $after && self::stamp( $after ) === self::stamp( $stat );
		if ( ! $is_same || ( null !== $hash && hash_final( $hash ) !== @hash_file( 'crc32b', $path ) ) ) {
			$this->send_error( $index, 'changed' );
		} else {
			$this->frames->send_json( Landfall_Migrate_Frames::FILE_END, array( 'i' => $index ) );
		}
		return true;
	}

	/**
	 * Reports a file that is not sent, and goes on.
	 *
	 * @param int    $index Its number in the request.
	 * @param string $kind  Stable word for why.
	 * @return void
	 */
	private function send_error( $index, $kind ) {
		$error = array(
			'i'    => $index,
			'kind' => $kind,
		);
		$this->frames->send_json( Landfall_Migrate_Frames::FILE_ERROR, $error );
	}

	/**
	 * Why there is no file at a path of the tree.
	 *
	 * @param string $rel Path in the tree.
	 * @return string
	 */
	private function why_missing( $rel ) {
		if ( ! Landfall_Migrate_Site::is_plain( $rel ) ) {
			return 'outside';
		}
		$path = $this->site->locate( $rel );
		if ( is_link( $path ) || is_dir( $path ) ) {
			return 'changed';
		}
		if ( file_exists( $path ) ) {
			return 'outside';
		}
		$parent = dirname( $path );
		return is_dir( $parent ) && ! is_readable( $parent ) ? 'unreadable' : 'vanished';
	}

	/**
	 * Whether a file changed so lately that another change would not show: its time has whole seconds. What is read of
	 * such a file is compared with a second reading, and never gone on with in a later request.
	 *
	 * @param array $stat What stat() says.
	 * @return bool
	 */
	private static function is_fresh( array $stat ) {
		return max( $stat['mtime'], $stat['ctime'] ) >= time() - 1;
	}

	/**
	 * What has to stay the same while a file is read.
	 *
	 * @param array $stat What stat() says.
	 * @return string
	 */
	private static function stamp( array $stat ) {
		return $stat['size'] . '-' . $stat['mtime'] . '-' . $stat['ctime'] . '-' . $stat['ino'];
	}
}
