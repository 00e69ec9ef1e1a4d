<?php
/**
 * The verb `list_files`.
 *
 * @package Landfall_Migrate
 */

/**
 * Lists the tree: entries, what is left out and by which rule, and what cannot be read.
 */
final class Landfall_Migrate_Verb_List_Files extends Landfall_Migrate_Verb {

	const FRAME_ENTRIES = 500;

	/**
	 * Walks on from the cursor.
	 *
	 * @return array
	 */
	public function run() {
		$site  = Landfall_Migrate_Site::of_wordpress();
		$rules = Landfall_Migrate_Params::objects( $this->params, 'exclude', Landfall_Migrate_Exclusions::RULES_MAX );
		$after = Landfall_Migrate_Params::bytes( $this->params, 'cursor' );
		if ( '' !== $after && ! Landfall_Migrate_Site::is_plain( $after ) ) {
			throw new Landfall_Migrate_Refusal( 'bad_params', 'The cursor is not one of a listing.' );
		}
		$walk  = new Landfall_Migrate_File_Walk( $site, new Landfall_Migrate_Exclusions( $rules, $site ), $after );
		$batch = array();
		$last  = $after;
		do {
			$item = $walk->next();
			if ( null !== $item ) {
				$last      = $item['p'];
				$item['p'] = base64_encode( $item['p'] );
				$batch[]   = $item;
			}
			if ( count( $batch ) >= self::FRAME_ENTRIES ) {
				$this->send_batch( $batch, $last );
				$batch = array();
				if ( $this->is_spent() ) {
					return array( 'done' => false );
				}
			}
		} while ( null !== $item );
		$this->send_batch( $batch, $last );
		return array( 'done' => true );
	}

	/**
	 * Sends a frame of entries.
	 *
	 * @param array  $batch The entries.
	 * @param string $last  Path of the last one.
	 * @return void
	 */
	private function send_batch( array $batch, $last ) {
		if ( array() !== $batch ) {
			$payload = Landfall_Migrate_Frames::with_cursor( '', $last, Landfall_Migrate_Frames::json( $batch ) );
			$this->frames->send( Landfall_Migrate_Frames::ENTRIES, $payload );
		}
	}
}
