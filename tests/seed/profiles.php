<?php
/**
 * How much each profile holds.
 *
 * `files` and `bytes` count the whole document root, WordPress included.
 */

declare(strict_types=1);

return array(
	'older'  => array(
		'posts'       => 4,
		'users'       => 1,
		'images'      => 1,
		'copies'      => 0,
		'bulk_posts'  => 0,
		'row_bytes'   => 0,
		'files'       => 0,
		'bytes'       => 0,
		'oddities'    => false,
	),
	'small'  => array(
		'posts'       => 30,
		'users'       => 4,
		'images'      => 1,
		'copies'      => 3,
		'bulk_posts'  => 20,
		'row_bytes'   => 300000,
		'files'       => 0,
		'bytes'       => 0,
		'oddities'    => true,
	),
	'demo'   => array(
		'posts'       => 200,
		'users'       => 25,
		'images'      => 6,
		'copies'      => 240,
		'bulk_posts'  => 3000,
		'row_bytes'   => 20 << 20,
		'files'       => 5400,
		'bytes'       => 215000000,
		'oddities'    => true,
	),
	'medium' => array(
		'posts'       => 300,
		'users'       => 40,
		'images'      => 8,
		'copies'      => 700,
		'bulk_posts'  => 26200,
		'row_bytes'   => 4 << 20,
		'files'       => 13000,
		'bytes'       => 560000000,
		'oddities'    => true,
	),
);
