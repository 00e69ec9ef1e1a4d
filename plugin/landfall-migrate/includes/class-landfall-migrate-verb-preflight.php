<?php
/**
 * The verb `preflight`.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends what the platform has to know of the site before it reads anything. Salts and passwords are never among it.
 */
final class Landfall_Migrate_Verb_Preflight extends Landfall_Migrate_Verb {

	/**
	 * Sends the facts, one frame per part.
	 *
	 * @return array
	 */
	public function run() {
		$site = Landfall_Migrate_Site::of_wordpress();
		$this->part( 'wordpress', Landfall_Migrate_Facts_Wordpress::collect() );
		$this->part( 'php', Landfall_Migrate_Facts_Php::collect() );
		$this->part( 'database', $this->database() );
		$this->part( 'paths', $site->facts() );
		$this->part( 'root', Landfall_Migrate_Facts_Host::root( $site ) );
		$this->part( 'host', Landfall_Migrate_Facts_Host::signature() );
		$this->part( 'extensions', Landfall_Migrate_Facts_Wordpress::extensions() );
		$this->part( 'constants', Landfall_Migrate_Facts_Wordpress::constants() );
		$this->part( 'files', $this->count_files( $site ) );
		if ( ! empty( $this->params['loopback'] ) ) {
			$this->part( 'health', Landfall_Migrate_Facts_Wordpress::health() );
		}
		return array( 'done' => true );
	}

	/**
	 * Sends one part.
	 *
	 * @param string $name  Its name.
	 * @param array  $facts What it says.
	 * @return void
	 */
	private function part( $name, array $facts ) {
		$part = array(
			'part'  => $name,
			'facts' => array() === $facts ? new stdClass() : $facts,
		);
		$this->frames->send_json( Landfall_Migrate_Frames::JSON, $part );
	}

	/**
	 * Versions, limits and tables of the database.
	 *
	 * @return array
	 */
	private function database() {
		global $wpdb;
		$db     = new Landfall_Migrate_Database( Landfall_Migrate_Database::METADATA );
		$tables = array();
		$bytes  = 0;
		foreach ( Landfall_Migrate_Table::list_all( $db, '' ) as $name => $facts ) {
			$size     = (int) $facts['DATA_LENGTH'] + (int) $facts['INDEX_LENGTH'];
			$bytes   += $size;
			$tables[] = array(
				'name'      => (string) $name,
				'type'      => strtolower( (string) $facts['TABLE_TYPE'] ),
				'engine'    => strtolower( (string) $facts['ENGINE'] ),
				'rows'      => (int) $facts['TABLE_ROWS'],
				'bytes'     => $size,
				'collation' => $facts['TABLE_COLLATION'],
			);
		}
		$sql  = 'SELECT @@character_set_database, @@collation_database, @@global.max_allowed_packet, @@lower_case_table_names, @@global.sql_mode,'
			. ' @@version_comment';
		$row  = $db->first_row( $sql );
		$kind = false === stripos( $db->version() . $row[5], 'mariadb' ) ? 'mysql' : 'mariadb';
		return array(
			'kind'                   => $kind,
			'version'                => $db->version(),
			'prefix'                 => $wpdb->base_prefix,
			'charset'                => $row[0],
			'collation'              => $row[1],
			'max_allowed_packet'     => (int) $row[2],
			'lower_case_table_names' => (int) $row[3],
			'sql_mode'               => $row[4],
			'bytes'                  => $bytes,
			'tables'                 => $tables,
		);
	}

	/**
	 * Counts files for as long as half of the budget lasts.
	 *
	 * @param Landfall_Migrate_Site $site The tree.
	 * @return array
	 */
	private function count_files( Landfall_Migrate_Site $site ) {
		$rules = Landfall_Migrate_Params::objects( $this->params, 'exclude', Landfall_Migrate_Exclusions::RULES_MAX );
		$walk  = new Landfall_Migrate_File_Walk( $site, new Landfall_Migrate_Exclusions( $rules, $site ), '' );
		$facts = array(
			'files'    => 0,
			'folders'  => 0,
			'links'    => 0,
			'bytes'    => 0,
			'largest'  => 0,
			'complete' => false,
		);
		$ends  = microtime( true ) + 1.5;
		while ( microtime( true ) < $ends && ! $this->is_spent() ) {
			$item = $walk->next();
			if ( null === $item ) {
				$facts['complete'] = true;
				break;
			}
			$facts['files']   += 'f' === $item['t'] ? 1 : 0;
			$facts['folders'] += 'd' === $item['t'] ? 1 : 0;
			$facts['links']   += 'l' === $item['t'] ? 1 : 0;
			$facts['bytes']   += 'f' === $item['t'] ? $item['s'] : 0;
			$facts['largest']  = 'f' === $item['t'] ? max( $facts['largest'], $item['s'] ) : $facts['largest'];
		}
		return $facts;
	}
}
