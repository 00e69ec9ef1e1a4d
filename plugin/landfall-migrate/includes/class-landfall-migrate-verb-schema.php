<?php
/**
 * The verb `schema`.
 *
 * @package Landfall_Migrate
 */

/**
 * Sends the definitions of tables, views, triggers, routines and events, one frame each.
 *
 * What does not have the site's prefix is only named, unless the request asks for all of it. Tables come in byte order
 * of their names; the next request goes on behind the last one. Everything else comes after the last table.
 */
final class Landfall_Migrate_Verb_Schema extends Landfall_Migrate_Verb {

	/**
	 * Speaks METADATA.
	 *
	 * @var Landfall_Migrate_Database
	 */
	private $db;

	/**
	 * Prefix of the site's tables; '' takes everything.
	 *
	 * @var string
	 */
	private $prefix;

	/**
	 * Whether the server keeps names in lower case.
	 *
	 * @var bool
	 */
	private $fold_cases;

	/**
	 * Sends what comes behind the table `after`.
	 *
	 * @return array
	 */
	public function run() {
		global $wpdb;
		$after            = Landfall_Migrate_Params::text( $this->params, 'after' );
		$this->db         = new Landfall_Migrate_Database( Landfall_Migrate_Database::METADATA );
		$this->prefix     = empty( $this->params['all_tables'] ) ? $wpdb->base_prefix : '';
		$this->fold_cases = '0' !== $this->db->value( 'SELECT @@lower_case_table_names' );
		$tables           = Landfall_Migrate_Table::list_all( $this->db, '' );
		foreach ( $tables as $name => $facts ) {
			$name = (string) $name;
			if ( strcmp( $name, $after ) <= 0 ) {
				continue;
			}
			$this->send_table( $name, $facts );
			if ( $this->is_spent() ) {
				return array( 'done' => false );
			}
		}
		$this->send_views( $tables );
		$this->send_triggers();
		$this->send_routines();
		$this->send_events();
		return array( 'done' => true );
	}

	/**
	 * Sends one table, or why it is left out.
	 *
	 * @param string $name  Its name.
	 * @param array  $facts What information_schema says of it.
	 * @return void
	 */
	private function send_table( $name, array $facts ) {
		$type = strtoupper( (string) $facts['TABLE_TYPE'] );
		if ( false !== strpos( $type, 'VIEW' ) ) {
			return;
		}
		if ( ! $this->is_ours( $name ) ) {
			$this->leave_out( $name, strtolower( $type ), 'prefix' );
			return;
		}
		if ( ! Landfall_Migrate_Table::is_base( $facts ) ) {
			$this->leave_out( $name, strtolower( $type ), 'unsupported' );
			return;
		}
		$sql = $this->definition( 'TABLE', $name, 'CREATE TABLE' );
		if ( null === $sql || null === $facts['ENGINE'] ) {
			$this->leave_out( $name, 'table', 'unreadable' );
			return;
		}
		$table = new Landfall_Migrate_Table( $this->db, $name );
		$this->frames->send_json(
			Landfall_Migrate_Frames::JSON,
			array(
				'kind'           => 'table',
				'name'           => $name,
				'create_sql'     => $sql,
				'engine'         => strtolower( $facts['ENGINE'] ),
				'columns'        => $table->columns,
				'key'            => $table->key_names(),
				'rows_estimate'  => (int) $facts['TABLE_ROWS'],
				'bytes_estimate' => (int) $facts['DATA_LENGTH'],
			)
		);
	}

	/**
	 * Sends the views.
	 *
	 * @param array $tables What information_schema lists.
	 * @return void
	 */
	private function send_views( array $tables ) {
		foreach ( $tables as $name => $facts ) {
			$name = (string) $name;
			if ( 'VIEW' !== strtoupper( (string) $facts['TABLE_TYPE'] ) ) {
				continue;
			}
			if ( ! $this->is_ours( $name ) ) {
				$this->leave_out( $name, 'view', 'prefix' );
				continue;
			}
			$this->send_object( 'view', $name, null, $this->definition( 'VIEW', $name, 'CREATE VIEW' ), '' );
		}
	}

	/**
	 * Sends the triggers of the tables that are taken.
	 *
	 * @return void
	 */
	private function send_triggers() {
		$sql = 'SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, SQL_MODE FROM information_schema.TRIGGERS'
			. ' WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER';
		foreach ( $this->db->rows( $sql ) as $row ) {
			if ( $this->is_ours( $row['EVENT_OBJECT_TABLE'] ) ) {
				$create = $this->definition( 'TRIGGER', $row['TRIGGER_NAME'], 'SQL ORIGINAL STATEMENT' );
				$this->send_object( 'trigger', $row['TRIGGER_NAME'], $row['EVENT_OBJECT_TABLE'], $create, $row['SQL_MODE'] );
			}
		}
	}

	/**
	 * Sends stored procedures and functions. They have no prefix: all of them.
	 *
	 * @return void
	 */
	private function send_routines() {
		$sql = 'SELECT ROUTINE_NAME, ROUTINE_TYPE, SQL_MODE FROM information_schema.ROUTINES'
			. " WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE IN ('PROCEDURE', 'FUNCTION') ORDER BY ROUTINE_TYPE, ROUTINE_NAME";
		foreach ( $this->db->rows( $sql ) as $row ) {
			$type   = strtoupper( $row['ROUTINE_TYPE'] );
			$create = $this->definition( $type, $row['ROUTINE_NAME'], 'CREATE ' . $type );
			$this->send_object( 'routine', $row['ROUTINE_NAME'], null, $create, $row['SQL_MODE'] );
		}
	}

	/**
	 * Sends the events of the event scheduler: all of them.
	 *
	 * @return void
	 */
	private function send_events() {
		$sql = 'SELECT EVENT_NAME, SQL_MODE FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY EVENT_NAME';
		foreach ( $this->db->rows( $sql ) as $row ) {
			$create = $this->definition( 'EVENT', $row['EVENT_NAME'], 'CREATE EVENT' );
			$this->send_object( 'event', $row['EVENT_NAME'], null, $create, $row['SQL_MODE'] );
		}
	}

	/**
	 * Sends a thing that is made again from its SQL, or that its SQL may not be read.
	 *
	 * @param string      $kind     What it is.
	 * @param string      $name     Its name.
	 * @param string|null $table    Table of a trigger.
	 * @param string|null $create   Its SQL; null when the server does not show it.
	 * @param string      $sql_mode The mode that it was made under.
	 * @return void
	 */
	private function send_object( $kind, $name, $table, $create, $sql_mode ) {
		if ( null === $create ) {
			$this->leave_out( $name, $kind, 'unreadable' );
			return;
		}
		$facts = array(
			'kind'       => $kind,
			'name'       => $name,
			'table'      => $table,
			'create_sql' => $create,
			'sql_mode'   => (string) $sql_mode,
		);
		$this->frames->send_json( Landfall_Migrate_Frames::JSON, $facts );
	}

	/**
	 * Says that something is left out.
	 *
	 * @param string $name   Its name.
	 * @param string $what   What it is.
	 * @param string $reason Stable word for why.
	 * @return void
	 */
	private function leave_out( $name, $what, $reason ) {
		$facts = array(
			'kind'   => 'left_out',
			'name'   => $name,
			'what'   => $what,
			'reason' => $reason,
		);
		$this->frames->send_json( Landfall_Migrate_Frames::JSON, $facts );
	}

	/**
	 * SHOW CREATE of a thing that the server listed.
	 *
	 * @param string $type   TABLE, VIEW, TRIGGER, PROCEDURE, FUNCTION or EVENT.
	 * @param string $name   Its name.
	 * @param string $column Upper-case name of the column that has the SQL.
	 * @return string|null Null when the server does not show it.
	 */
	private function definition( $type, $name, $column ) {
		try {
			$rows = $this->db->rows( 'SHOW CREATE ' . $type . ' ' . Landfall_Migrate_Database::name( $name ) );
		} catch ( Landfall_Migrate_Refusal $refusal ) {
			return null;
		}
		return isset( $rows[0][ $column ] ) ? $rows[0][ $column ] : null;
	}

	/**
	 * Whether a name has the prefix that is asked for.
	 *
	 * @param string $name The name.
	 * @return bool
	 */
	private function is_ours( $name ) {
		return '' === $this->prefix || Landfall_Migrate_Table::has_prefix( $name, $this->prefix, $this->fold_cases );
	}
}
