<?php
/**
 * What all verbs have in common.
 *
 * @package Landfall_Migrate
 */

/**
 * A verb reads something of the site and sends it in frames. It writes nothing.
 */
abstract class Landfall_Migrate_Verb {

	/**
	 * Its parameters.
	 *
	 * @var array
	 */
	protected $params;

	/**
	 * The answer.
	 *
	 * @var Landfall_Migrate_Frames
	 */
	protected $frames;

	/**
	 * What the request may use.
	 *
	 * @var Landfall_Migrate_Budget
	 */
	protected $budget;

	/**
	 * Makes a verb.
	 *
	 * @param array                   $params Its parameters.
	 * @param Landfall_Migrate_Frames $frames The answer.
	 * @param Landfall_Migrate_Budget $budget What the request may use.
	 */
	public function __construct( array $params, Landfall_Migrate_Frames $frames, Landfall_Migrate_Budget $budget ) {
		$this->params = $params;
		$this->frames = $frames;
		$this->budget = $budget;
	}

	/**
	 * Does its work until it is done or the budget is spent.
	 *
	 * @return array Facts of the completion frame; `done` says whether there is more.
	 * @throws Landfall_Migrate_Refusal When it cannot.
	 */
	abstract public function run();

	/**
	 * Whether the budget is spent.
	 *
	 * @return bool
	 */
	protected function is_spent() {
		return $this->budget->is_spent( $this->frames->payload_bytes() );
	}
}
