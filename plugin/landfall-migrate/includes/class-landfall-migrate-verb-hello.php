<?php
/**
 * The verb `hello`.
 *
 * @package Landfall_Migrate
 */

/**
 * Says what the plugin speaks. Nothing of the site is in its answer, so it travels in clear.
 */
final class Landfall_Migrate_Verb_Hello extends Landfall_Migrate_Verb {

	/**
	 * Sends the facts.
	 *
	 * @return array
	 */
	public function run() {
		return array(
			'done'     => true,
			'versions' => array( 1 ),
			'ciphers'  => Landfall_Migrate_Sealer::available(),
			'deflate'  => function_exists( 'gzcompress' ),
		);
	}
}
