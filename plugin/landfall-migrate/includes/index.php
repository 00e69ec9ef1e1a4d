<?php
/**
 * Silence is golden.
 *
 * @package Landfall_Migrate
 */
