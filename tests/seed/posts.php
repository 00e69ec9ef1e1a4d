<?php
/**
 * Users, terms, posts, pages, comments, menus and widgets, through WordPress' own functions.
 */

declare(strict_types=1);

/**
 * Makes users of several roles.
 *
 * @param int $count How many.
 */
function lab_users( int $count ): void {
	$roles = array( 'editor', 'author', 'contributor', 'subscriber' );
	for ( $i = 1; $i <= $count; $i++ ) {
		$id = wp_insert_user(
			wp_slash(
				array(
					'user_login'   => "person{$i}",
					'user_pass'    => "not a secret {$i}",
					'user_email'   => "person{$i}@" . wp_parse_url( home_url(), PHP_URL_HOST ),
					'user_url'     => home_url( "/people/{$i}/" ),
					'display_name' => 'Zoë №' . $i,
					'description'  => 'Lives at ' . home_url( "/people/{$i}/" ) . ' with 🐈.',
					'role'         => $roles[ $i % 4 ],
				)
			)
		);
		update_user_meta( $id, 'acme_profile', array( 'site' => home_url( '/?u=' . $i ), 'mail' => "p{$i}@example.org" ) );
	}
}

/**
 * The blocks of one post: links, an image, JSON in block comments, every spelling of a URL.
 *
 * @param int    $number   The post's number.
 * @param string $previous A permalink to link to.
 * @param int    $image    An attachment's id.
 */
function lab_post_content( int $number, string $previous, int $image ): string {
	$home   = home_url();
	$host   = substr( $home, strlen( 'http://' ) );
	$json   = wp_json_encode( array( 'href' => $previous, 'id' => $image ) );
	$blocks = array(
		"<!-- wp:paragraph -->\n<p>" . lab_paragraph() . " <a href=\"{$previous}\">before this</a>.</p>\n<!-- /wp:paragraph -->",
		"<!-- wp:image {$json} -->\n<figure class=\"wp-block-image\">" . wp_get_attachment_image( $image, 'large' ) . "</figure>\n<!-- /wp:image -->",
		'<!-- wp:html --><div style="background:url(' . $home . '/wp-content/uploads/x.png)">' . lab_paragraph() . '</div><!-- /wp:html -->',
	);
	if ( 0 === $number % 5 ) {
		$blocks[] = '<p>Spelled: ' . strtoupper( 'http' ) . substr( $home, 4 ) . '/upper, //' . $host . '/relative, '
			. rawurlencode( $home . '/encoded' ) . ', ' . str_replace( '/', '&#x2F;', $home . '/entity' ) . '.</p>';
		$blocks[] = '<p>Not ours: http://not' . $host . '/ and http://' . strtok( $host, ':' ) . '.au/ and me@' . $host
			. ' and ' . $home . '8/port. Ours at the end of a sentence: ' . $home . '.</p>';
	}
	return implode( "\n\n", $blocks );
}

/**
 * Makes posts that link to one another, with terms, comments, meta and menus.
 *
 * @param int   $count  How many.
 * @param int[] $images Attachments to show.
 * @return array{post:int,page:int} Ids for probes.
 */
function lab_posts( int $count, array $images ): array {
	wp_defer_term_counting( true );
	wp_defer_comment_counting( true );
	$terms    = lab_terms();
	$previous = home_url( '/' );
	$probe    = 0;
	for ( $i = 1; $i <= $count; $i++ ) {
		$post = wp_insert_post(
			wp_slash(
				array(
					'post_title'    => 'Notes from the ' . lab_words( 3 ) . " №{$i} 🚢",
					'post_name'     => "notes-{$i}",
					'post_content'  => lab_post_content( $i, $previous, $images[ $i % count( $images ) ] ),
					'post_excerpt'  => lab_words( 12 ),
					'post_status'   => 'publish',
					'post_type'     => 0 === $i % 10 ? 'page' : 'post',
					'post_author'   => 1,
					'post_date'     => gmdate( 'Y-m-d H:i:s', 1600000000 + $i * 3601 ),
					'tax_input'     => array( 'category' => array( $terms[ $i % count( $terms ) ] ) ),
				)
			),
			true
		);
		if ( is_wp_error( $post ) ) {
			throw new RuntimeException( $post->get_error_message() );
		}
		wp_set_object_terms( $post, $terms[ $i % count( $terms ) ], 'category' );
		set_post_thumbnail( $post, $images[ $i % count( $images ) ] );
		update_post_meta( $post, '_acme_builder', wp_slash( lab_builder( $previous ) ) );
		if ( 0 === $i % 4 ) {
			wp_insert_comment(
				wp_slash(
					array(
						'comment_post_ID'      => $post,
						'comment_author'       => 'Réne 😀',
						'comment_author_email' => 'reader@example.org',
						'comment_author_url'   => home_url( '/reader/' ),
						'comment_content'      => 'See ' . $previous . ' too. ' . lab_words( 20 ),
					)
				)
			);
		}
		$previous = get_permalink( $post );
		$probe    = 0 === $i % 10 ? $probe : $post;
	}
	$page = wp_insert_post(
		wp_slash(
			array(
				'post_title'   => 'About the shop',
				'post_name'    => 'about-the-shop',
				'post_content' => '<p>Come in: <a href="' . home_url( '/' ) . '">home</a>.</p>',
				'post_status'  => 'publish',
				'post_type'    => 'page',
			)
		)
	);
	wp_defer_term_counting( false );
	wp_defer_comment_counting( false );
	return array(
		'post' => $probe,
		'page' => $page,
	);
}

/** Category ids. */
function lab_terms(): array {
	$ids = array();
	foreach ( array( 'Ships', 'Häfen', '灯台', 'Letters' ) as $name ) {
		$term = wp_insert_term( $name, 'category', array( 'description' => 'At ' . home_url( '/category/' ) ) );
		if ( is_wp_error( $term ) ) {
			throw new RuntimeException( $term->get_error_message() );
		}
		$ids[] = $term['term_id'];
	}
	return $ids;
}

/**
 * What a page builder keeps: JSON with escaped slashes and a serialized value in it.
 *
 * @param string $link A URL.
 */
function lab_builder( string $link ): string {
	return wp_json_encode(
		array(
			'widget'   => 'button',
			'settings' => array(
				'link'    => $link,
				'css'     => '.x{background:url(' . home_url( '/wp-content/uploads/bg.png' ) . ')}',
				'restore' => serialize( array( 'link' => $link ) ), // phpcs:ignore
			),
			'elements' => array( array( 'text' => lab_words( 8 ) ) ),
		)
	);
}

/**
 * A menu of pages and links, and widgets in two sidebars.
 *
 * @param int $page A page's id.
 */
function lab_menu_and_widgets( int $page ): void {
	$menu = wp_create_nav_menu( 'Main' );
	wp_update_nav_menu_item( $menu, 0, array( 'menu-item-title' => 'Home', 'menu-item-url' => home_url( '/' ), 'menu-item-status' => 'publish' ) );
	wp_update_nav_menu_item(
		$menu,
		0,
		array(
			'menu-item-object-id' => $page,
			'menu-item-object'    => 'page',
			'menu-item-type'      => 'post_type',
			'menu-item-status'    => 'publish',
		)
	);
	set_theme_mod( 'nav_menu_locations', array( 'primary' => $menu, 'footer' => $menu ) );
	set_theme_mod( 'background_image', home_url( '/wp-content/uploads/background.jpg' ) );
	update_option(
		'widget_text',
		array(
			2              => array( 'title' => 'Über uns', 'text' => 'Visit <a href="' . home_url( '/about-the-shop/' ) . '">us</a>.', 'filter' => true ),
			'_multiwidget' => 1,
		)
	);
	update_option(
		'widget_block',
		array(
			2              => array( 'content' => '<!-- wp:paragraph --><p><a href="' . home_url( '/feed/' ) . '">Feed</a></p><!-- /wp:paragraph -->' ),
			'_multiwidget' => 1,
		)
	);
	update_option( 'sidebars_widgets', array( 'sidebar-1' => array( 'text-2', 'block-2' ), 'wp_inactive_widgets' => array(), 'array_version' => 3 ) );
	wp_update_custom_css_post( 'body{background:url("' . home_url( '/wp-content/uploads/bg.png' ) . '")}' );
}
