<?php
/**
 * Plugin Name:       Landfall Migration
 * Description:       Lets the hosting platform read this site, so that it can be moved there. It never writes to the site.
 * Version:           0.1.0
 * Requires at least: 5.0
 * Requires PHP:      7.2
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       landfall-migrate
 *
 * @package Landfall_Migrate
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

define( 'LANDFALL_MIGRATE_VERSION', '0.1.0' );
define( 'LANDFALL_MIGRATE_FILE', __FILE__ );
define( 'LANDFALL_MIGRATE_DIR', __DIR__ );

require_once __DIR__ . '/landfall-config.php';
require_once __DIR__ . '/includes/class-landfall-migrate-loader.php';

Landfall_Migrate_Loader::register();

// Requests of the platform are answered here, before other plugins and themes can print into the answer.
Landfall_Migrate_Endpoint::answer_early();

Landfall_Migrate_Plugin::add_hooks();
