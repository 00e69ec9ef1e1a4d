<?php
/**
 * The page in wp-admin.
 *
 * @package Landfall_Migrate
 */

/**
 * Token, site name, Migrate; then how the migration goes. Everything works without scripts by loading the page again.
 */
final class Landfall_Migrate_Admin_Page {

	const SLUG         = 'landfall-migrate';
	const CAPABILITY   = 'manage_options';
	const FORM_ACTION  = 'landfall_migrate_form';
	const STATUS_NONCE = 'landfall_migrate_status';

	/**
	 * What went wrong with the form, if anything.
	 *
	 * @var WP_Error|null
	 */
	private static $error = null;

	/**
	 * Registers the page and the script's question.
	 *
	 * @return void
	 */
	public static function add_hooks() {
		add_action( 'admin_menu', array( __CLASS__, 'add_menu' ) );
		add_action( 'wp_ajax_landfall_migrate_status', array( __CLASS__, 'answer_script' ) );
	}

	/**
	 * Adds the page to the menu.
	 *
	 * @return void
	 */
	public static function add_menu() {
		$title = self::title();
		$hook  = add_menu_page( $title, $title, self::CAPABILITY, self::SLUG, array( __CLASS__, 'render' ), 'dashicons-migrate', 76 );
		add_action( 'load-' . $hook, array( __CLASS__, 'receive_form' ) );
	}

	/**
	 * Carries out what was sent with the form, before anything is printed.
	 *
	 * @return void
	 */
	public static function receive_form() {
		wp_enqueue_script( self::SLUG, plugins_url( 'assets/admin.js', LANDFALL_MIGRATE_FILE ), array(), LANDFALL_MIGRATE_VERSION, true );
		if ( ! isset( $_POST['landfall_do'] ) ) {
			return;
		}
		check_admin_referer( self::FORM_ACTION );
		if ( ! current_user_can( self::CAPABILITY ) ) {
			wp_die( esc_html__( 'You are not allowed to migrate this site.', 'landfall-migrate' ), '', array( 'response' => 403 ) );
		}
		if ( 'forget' === $_POST['landfall_do'] ) {
			Landfall_Migrate_Credentials::forget_everything();
			self::go_back();
		}
		$token = self::posted( 'landfall_token' );
		$site  = self::posted( 'landfall_site' );
		if ( '' === $token || '' === $site ) {
			self::$error = new WP_Error( 'landfall_empty', __( 'Please fill in both the machine token and the site name.', 'landfall-migrate' ) );
			return;
		}
		$result = Landfall_Migrate_Api::enrol( $token, $site );
		if ( is_wp_error( $result ) ) {
			self::$error = $result;
			return;
		}
		self::go_back();
	}

	/**
	 * Answers the page's script.
	 *
	 * @return void
	 */
	public static function answer_script() {
		check_ajax_referer( self::STATUS_NONCE );
		if ( ! current_user_can( self::CAPABILITY ) ) {
			wp_send_json_error( array( 'message' => __( 'You are not allowed to see this.', 'landfall-migrate' ) ), 403 );
		}
		$status = Landfall_Migrate_Api::status();
		if ( is_wp_error( $status ) ) {
			wp_send_json_error( array( 'message' => $status->get_error_message() ) );
		}
		wp_send_json_success( null === $status ? array( 'state' => '' ) : $status + array( 'label' => self::label( $status ) ) );
	}

	/**
	 * Prints the page.
	 *
	 * @return void
	 */
	public static function render() {
		echo '<div class="wrap"><h1>' . esc_html( self::title() ) . '</h1>';
		if ( null !== self::$error ) {
			$code = self::$error->get_error_code();
			echo '<div class="notice notice-error" id="landfall-error" data-code="' . esc_attr( $code ) . '"><p>';
			echo esc_html( self::$error->get_error_message() ) . '</p></div>';
		}
		$stored = Landfall_Migrate_Credentials::status();
		if ( null === $stored ) {
			self::render_form();
		} else {
			self::render_status( $stored );
		}
		echo '</div>';
	}

	/**
	 * Prints the form.
	 *
	 * @return void
	 */
	private static function render_form() {
		$site = self::posted( 'landfall_site' );
		echo '<p>' . esc_html__( 'Copy the machine token and the name of your new site from the dashboard, then click Migrate. Your site stays as it is, and you may close this page at any time.', 'landfall-migrate' ) . '</p>';
		echo '<form method="post" action="' . esc_url( self::url() ) . '" id="landfall-form">';
		wp_nonce_field( self::FORM_ACTION );
		echo '<table class="form-table" role="presentation"><tr><th scope="row"><label for="landfall_token">';
		echo esc_html__( 'Machine token', 'landfall-migrate' ) . '</label></th><td>';
		echo '<input type="password" class="regular-text" id="landfall_token" name="landfall_token" required autocomplete="off" spellcheck="false">';
		echo '</td></tr><tr><th scope="row"><label for="landfall_site">';
		echo esc_html__( 'Site name', 'landfall-migrate' ) . '</label></th><td>';
		echo '<input type="text" class="regular-text" id="landfall_site" name="landfall_site" required autocomplete="off" spellcheck="false" value="' . esc_attr( $site ) . '">';
		echo '</td></tr></table><input type="hidden" name="landfall_do" value="migrate">';
		echo '<p class="submit"><button type="submit" class="button button-primary">';
		echo esc_html__( 'Migrate', 'landfall-migrate' ) . '</button></p></form>';
	}

	/**
	 * Prints how the migration goes.
	 *
	 * @param array $stored What is stored of it.
	 * @return void
	 */
	private static function render_status( array $stored ) {
		$status  = Landfall_Migrate_Api::status();
		$failed  = is_wp_error( $status );
		$percent = $failed ? 0 : $status['percent'];
		$is_over = ! $failed && $status['is_final'];
		/* translators: %s: name of the site on the platform. */
		echo '<h2>' . esc_html( sprintf( __( 'Migration to %s', 'landfall-migrate' ), $stored['site'] ) ) . '</h2>';
		echo '<div id="landfall-status" data-url="' . esc_url( admin_url( 'admin-ajax.php' ) ) . '"';
		echo ' data-nonce="' . esc_attr( wp_create_nonce( self::STATUS_NONCE ) ) . '"';
		echo ' data-state="' . esc_attr( $failed ? '' : $status['state'] ) . '" data-final="' . ( $is_over ? '1' : '0' ) . '">';
		echo '<p><progress id="landfall-progress" max="100" value="' . esc_attr( $percent ) . '"></progress> ';
		echo '<span id="landfall-percent">' . esc_html( $percent ) . '</span>&nbsp;%</p>';
		echo '<p id="landfall-label" aria-live="polite">' . esc_html( $failed ? $status->get_error_message() : self::label( $status ) ) . '</p>';
		$dashboard = $failed ? '' : esc_url( $status['site_dashboard_url'], array( 'http', 'https' ) );
		$hidden    = '' === $dashboard ? ' hidden' : '';
		echo '<p' . $hidden . ' id="landfall-visit"><a class="button" href="' . $dashboard . '">';
		echo esc_html__( 'Visit the Site Dashboard', 'landfall-migrate' ) . '</a></p></div>';
		if ( ! $is_over ) {
			echo '<noscript><meta http-equiv="refresh" content="15">';
			echo '<p><a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Show the newest status', 'landfall-migrate' ) . '</a></p></noscript>';
		}
		echo '<p>' . esc_html__( 'Migration', 'landfall-migrate' ) . ' <code>' . esc_html( $stored['migration'] ) . '</code></p>';
		self::render_forget( $is_over );
	}

	/**
	 * Prints the button that ends the plugin's part.
	 *
	 * @param bool $is_over Whether the migration has ended.
	 * @return void
	 */
	private static function render_forget( $is_over ) {
		$label = $is_over ? __( 'Migrate again', 'landfall-migrate' ) : __( 'Disconnect from this migration', 'landfall-migrate' );
		echo '<form method="post" action="' . esc_url( self::url() ) . '" id="landfall-forget">';
		wp_nonce_field( self::FORM_ACTION );
		echo '<input type="hidden" name="landfall_do" value="forget">';
		echo '<button type="submit" class="button-link">' . esc_html( $label ) . '</button></form>';
	}

	/**
	 * One sentence for a status.
	 *
	 * @param array $status As the API has it.
	 * @return string
	 */
	private static function label( array $status ) {
		$states = array(
			'awaiting_source' => __( 'Waiting for the site', 'landfall-migrate' ),
			'queued'          => __( 'Waiting for its turn', 'landfall-migrate' ),
			'running'         => __( 'Running', 'landfall-migrate' ),
			'paused'          => __( 'Paused', 'landfall-migrate' ),
			'needs_support'   => __( 'Our support team looks into it', 'landfall-migrate' ),
			'succeeded'       => __( 'Complete', 'landfall-migrate' ),
			'cancelled'       => __( 'Cancelled', 'landfall-migrate' ),
			'rejected'        => __( 'This site has to be migrated by hand', 'landfall-migrate' ),
			'rolled_back'     => __( 'Undone', 'landfall-migrate' ),
		);
		$label  = isset( $states[ $status['state'] ] ) ? $states[ $status['state'] ] : $status['state'];
		$where  = trim( $status['phase'] . ( '' === $status['step'] ? '' : ': ' . $status['step'] ) );
		if ( '' !== $where && ! $status['is_final'] ) {
			$label .= ' (' . str_replace( '_', ' ', $where ) . ')';
		}
		return '' === $status['message'] ? $label : $label . '. ' . $status['message'];
	}

	/**
	 * A field of the form.
	 *
	 * @param string $name Its name.
	 * @return string
	 */
	private static function posted( $name ) {
		return isset( $_POST[ $name ] ) && is_string( $_POST[ $name ] ) ? trim( sanitize_text_field( wp_unslash( $_POST[ $name ] ) ) ) : '';
	}

	/**
	 * Shows the page anew, so that loading it again does not send the form again.
	 *
	 * @return void
	 */
	private static function go_back() {
		wp_safe_redirect( self::url() );
		exit;
	}

	/**
	 * The page's URL.
	 *
	 * @return string
	 */
	private static function url() {
		return admin_url( 'admin.php?page=' . self::SLUG );
	}

	/**
	 * The page's title.
	 *
	 * @return string
	 */
	private static function title() {
		/* translators: %s: name of the service. */
		return sprintf( __( '%s Migration', 'landfall-migrate' ), Landfall_Migrate_Plugin::brand() );
	}
}
