<?php
/**
 * Evaluates PHP within a site: evaluate.php DOCROOT CODE
 */

declare(strict_types=1);

require __DIR__ . '/load.php';
require $lab_docroot . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';

eval( $lab_arguments[0] ); // phpcs:ignore Squiz.PHP.Eval.Discouraged -- This is what the script is for.
