<?php
/**
 * The tree of files.
 *
 * @package Landfall_Migrate
 */

/**
 * Walks a tree to its end.
 *
 * @param Landfall_Migrate_Site $site  The tree.
 * @param array                 $rules What is left out.
 * @param string                $after Where to go on.
 * @return array Path => type.
 */
function walk( Landfall_Migrate_Site $site, array $rules = array(), $after = '' ) {
	$walk  = new Landfall_Migrate_File_Walk( $site, new Landfall_Migrate_Exclusions( $rules, $site ), $after );
	$found = array();
	for ( $item = $walk->next(); null !== $item; $item = $walk->next() ) {
		$found[ $item['p'] ] = $item['t'];
	}
	return $found;
}

/**
 * A site of the ordinary layout.
 *
 * @param string $root Its root.
 * @return Landfall_Migrate_Site
 */
function ordinary( $root ) {
	$folders = array(
		'content' => $root . '/wp-content',
		'plugins' => $root . '/wp-content/plugins',
		'uploads' => $root . '/wp-content/uploads',
	);
	return new Landfall_Migrate_Site( $root, $folders, $root . '/wp-config.php' );
}

return array(
	'the walk visits names in byte order and goes on from each' => function () {
		$root = scratch();
		// The file system of PHP in WebAssembly, which the older versions are tested with, takes UTF-8 only.
		plant( $root, array( "b\xff" ) );
		$odd = in_array( "b\xff", scandir( $root ), true ) ? "b\xff" : 'bz';
		remove_all( $root );
		plant( $root, array( 'wp-config.php', 'index.php', 'a/b/c.txt', 'a.txt', 'a/z', 'A', $odd, '-dash', 'empty/', 'wp-content/uploads/x' ) );
		$all = walk( ordinary( $root ) );
		// Names of digits become numbers as keys of arrays; there is none here.
		$order = array( '-dash', 'A', 'a', 'a/b', 'a/b/c.txt', 'a/z', 'a.txt', $odd, 'empty', 'index.php', 'wp-config.php', 'wp-content', 'wp-content/uploads', 'wp-content/uploads/x' );
		same( array_map( 'bin2hex', $order ), array_map( 'bin2hex', array_keys( $all ) ) );
		same( 'x', $all['wp-config.php'] );
		foreach ( $order as $at => $path ) {
			same( array_slice( $order, $at + 1 ), array_keys( walk( ordinary( $root ), array(), $path ) ), 'behind ' . bin2hex( $path ) );
		}
		// A cursor whose file is gone goes on with what comes behind it.
		same( 'a.txt', array_keys( walk( ordinary( $root ), array(), 'a/zz/gone' ) )[0] );
	},
	'links are recorded and never followed'                    => function () {
		$root = scratch();
		plant( $root, array( 'wp-content/uploads/x' ) );
		symlink( '/etc', $root . '/out' );
		symlink( '.', $root . '/cycle' );
		symlink( 'wp-content/uploads', $root . '/inner' );
		$found = walk( ordinary( $root ) );
		same( array( 'l', 'l', 'l' ), array( $found['out'], $found['cycle'], $found['inner'] ) );
		holds( ! isset( $found['out/passwd'], $found['inner/x'] ), 'nothing behind a link' );
		same( null, ordinary( $root )->locate_contained( 'out/passwd' ) );
		same( null, ordinary( $root )->locate_contained( 'inner/x' ) );
		same( null, ordinary( $root )->locate_contained( 'wp-content/../../etc/passwd' ) );
		same( $root . '/wp-content/uploads/x', ordinary( $root )->locate_contained( 'wp-content/uploads/x' ) );
	},
	'paths that are not plain are refused'                     => function () {
		foreach ( array( '', '/etc/passwd', '../x', 'a/../b', 'a//b', './a', 'a/', "a\0b", str_repeat( 'a', 4097 ) ) as $path ) {
			holds( ! Landfall_Migrate_Site::is_plain( $path ), json_encode( $path ) );
		}
		holds( Landfall_Migrate_Site::is_plain( "a/\xff/-b c" ), 'bytes are names' );
	},
	'folders that lie elsewhere appear where WordPress shows them' => function () {
		$base = scratch();
		plant( $base, array( 'web/index.php', 'content/plugins/p.php', 'media/2024/i.png', 'web/wp-admin/', 'shared/uploads/u' ) );
		$site = new Landfall_Migrate_Site(
			$base . '/web',
			array(
				'content' => $base . '/content',
				'plugins' => $base . '/content/plugins',
				'uploads' => $base . '/media',
			),
			''
		);
		$found = walk( $site );
		$paths = array( 'index.php', 'wp-admin', 'wp-content', 'wp-content/plugins', 'wp-content/plugins/p.php', 'wp-content/uploads', 'wp-content/uploads/2024', 'wp-content/uploads/2024/i.png' );
		same( $paths, array_keys( $found ) );
		same( $base . '/media/2024/i.png', $site->locate_contained( 'wp-content/uploads/2024/i.png' ) );
		foreach ( $paths as $at => $path ) {
			same( array_slice( $paths, $at + 1 ), array_keys( walk( $site, array(), $path ) ), 'behind ' . $path );
		}
		// Uploads behind a link out of the root, as deployment tools make it, are the site's own.
		plant( $base, array( 'web2/wp-content/themes/' ) );
		symlink( $base . '/shared/uploads', $base . '/web2/wp-content/uploads' );
		$found = walk( ordinary( $base . '/web2' ) );
		same( array( 'd', 'f' ), array( $found['wp-content/uploads'], $found['wp-content/uploads/u'] ) );
		// A folder that holds the root would never end.
		$site = new Landfall_Migrate_Site( $base . '/web', array( 'content' => $base . '/web/wp-admin', 'uploads' => $base ), '' );
		same( array( 'uploads' ), $site->facts()['unusable'] );
	},
	'rules leave out paths, names and patterns'                => function () {
		$root = scratch();
		plant( $root, array( 'wp-content/cache/a', 'wp-content/uploads/cache/b', 'x/.git/config', 'x/debug.log', 'x/log', 'x/cache/keep' ) );
		$rules = array(
			array( 'id' => 'cache', 'match' => 'path', 'value' => '{content}/cache' ),
			array( 'id' => 'cache', 'match' => 'path', 'value' => '{uploads}/cache' ),
			array( 'id' => 'vcs', 'match' => 'name', 'value' => '.git' ),
			array( 'id' => 'logs', 'match' => 'glob', 'value' => '*.log' ),
		);
		$found = walk( ordinary( $root ), $rules );
		same( array( 'x', 'x', 'x', 'x' ), array( $found['wp-content/cache'], $found['wp-content/uploads/cache'], $found['x/.git'], $found['x/debug.log'] ) );
		same( array( 'f', 'f' ), array( $found['x/log'], $found['x/cache/keep'] ) );
		holds( ! isset( $found['wp-content/cache/a'] ) && ! isset( $found['x/.git/config'] ), 'nothing within' );
		$bad = array( array( 'id' => 'a', 'match' => 'regex', 'value' => 'b' ) );
		same( 'bad_params', refusal_of( function () use ( $root, $bad ) {
			walk( ordinary( $root ), $bad );
		} ) );
	},
);
