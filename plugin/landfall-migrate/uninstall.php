<?php
/**
 * Leaves nothing behind when the plugin is deleted.
 *
 * @package Landfall_Migrate
 */

if ( ! defined( 'WP_UNINSTALL_PLUGIN' ) ) {
	exit;
}

require_once __DIR__ . '/includes/class-landfall-migrate-credentials.php';

Landfall_Migrate_Credentials::forget_everything();
