<?php
/**
 * The verb `finish`.
 *
 * @package Landfall_Migrate
 */

/**
 * Deletes the key of the migration: from here on the plugin answers nobody.
 */
final class Landfall_Migrate_Verb_Finish extends Landfall_Migrate_Verb {

	/**
	 * Forgets the key.
	 *
	 * @return array
	 */
	public function run() {
		Landfall_Migrate_Credentials::forget_key();
		return array( 'done' => true );
	}
}
