<?php
/**
 * The verb `table_marks`.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends what tells whether a table moved between two looks at it: its count of rows, its time of change, its next id.
 */
final class Landfall_Migrate_Verb_Table_Marks extends Landfall_Migrate_Verb {

	const TABLES_MAX = 5000;

	/**
	 * Sends one frame per table, in the order of the request.
	 *
	 * @return array
	 */
	public function run() {
		global $wpdb;
		$db     = new Landfall_Migrate_Database( Landfall_Migrate_Database::METADATA );
		$listed = Landfall_Migrate_Table::list_all( $db, '' );
		$wanted = Landfall_Migrate_Params::objects( $this->params, 'tables', self::TABLES_MAX );
		foreach ( $wanted as $index => $table ) {
			if ( $index > 0 && $this->is_spent() ) {
				return array( 'done' => false );
			}
			$name = Landfall_Migrate_Params::text( $table, 'name' );
			$mark = array(
				'kind' => 'mark',
				'name' => $name,
				'rows' => null,
			);
			if ( isset( $listed[ $name ] ) && Landfall_Migrate_Table::is_base( $listed[ $name ] ) ) {
				$query               = new Landfall_Migrate_Row_Query( new Landfall_Migrate_Table( $db, $name ), $wpdb->base_prefix );
				$mark['rows']        = (int) $db->value( $query->count() );
				$mark['update_time'] = $listed[ $name ]['UPDATE_TIME'];
				$mark['next_id']     = $listed[ $name ]['AUTO_INCREMENT'];
			}
			$this->frames->send_json( Landfall_Migrate_Frames::JSON, $mark );
		}
		return array( 'done' => true );
	}
}
