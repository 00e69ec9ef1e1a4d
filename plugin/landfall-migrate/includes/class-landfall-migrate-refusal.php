<?php
/**
 * A request that is not carried out.
 *
 * @package Landfall_Migrate
 */

/**
 * Ends the answer with a refusal frame: a stable code for the platform, a sentence for people.
 */
final class Landfall_Migrate_Refusal extends Exception {

	/**
	 * Stable code, as docs/source-protocol.md lists them.
	 *
	 * @var string
	 */
	private $refusal_code;

	/**
	 * Makes a refusal.
	 *
	 * @param string $refusal_code Stable code.
	 * @param string $detail       What happened, without secrets.
	 */
	public function __construct( $refusal_code, $detail = '' ) {
		parent::__construct( $detail );
		$this->refusal_code = $refusal_code;
	}

	/**
	 * The stable code.
	 *
	 * @return string
	 */
	public function refusal_code() {
		return $this->refusal_code;
	}
}
