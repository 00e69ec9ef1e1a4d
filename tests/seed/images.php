<?php
/**
 * Attachments: a few drawn and scaled by WordPress itself, more as varied copies of these.
 */

declare(strict_types=1);

require_once ABSPATH . 'wp-admin/includes/image.php';

/**
 * Draws a picture and lets WordPress make its thumbnails.
 *
 * @param int $count How many.
 * @return int[] Attachment ids.
 */
function lab_images( int $count ): array {
	$ids = array();
	for ( $i = 1; $i <= $count; $i++ ) {
		$upload = wp_upload_bits( "picture-{$i}-größe.jpg", null, lab_draw( $i ) );
		if ( $upload['error'] ) {
			throw new RuntimeException( $upload['error'] );
		}
		$ids[] = lab_attach( $upload['file'], "Picture {$i}", null );
	}
	return $ids;
}

/**
 * A JPEG of 1,300 pixels' width, so that four smaller sizes are made of it.
 *
 * @param int $number Decides the drawing.
 */
function lab_draw( int $number ): string {
	$image = imagecreatetruecolor( 1300, 870 );
	for ( $i = 0; $i < 500; $i++ ) {
		$colour = imagecolorallocate( $image, mt_rand( 0, 255 ), mt_rand( 0, 255 ), ( $number * 37 ) % 256 );
		imagefilledellipse( $image, mt_rand( 0, 1300 ), mt_rand( 0, 870 ), mt_rand( 4, 90 ), mt_rand( 4, 90 ), $colour );
	}
	ob_start();
	imagejpeg( $image, null, 72 );
	return ob_get_clean();
}

/**
 * Registers a file as an attachment.
 *
 * @param string     $file     Its path.
 * @param string     $title    Its title.
 * @param array|null $metadata Its sizes; WordPress makes them where there are none.
 */
function lab_attach( string $file, string $title, ?array $metadata ): int {
	$id = wp_insert_attachment(
		wp_slash(
			array(
				'post_title'     => $title,
				'post_mime_type' => 'image/jpeg',
				'guid'           => wp_get_upload_dir()['url'] . '/' . basename( $file ),
				'post_status'    => 'inherit',
			)
		),
		$file,
		0,
		true
	);
	if ( is_wp_error( $id ) ) {
		throw new RuntimeException( $id->get_error_message() );
	}
	wp_update_attachment_metadata( $id, $metadata ?? wp_generate_attachment_metadata( $id, $file ) );
	return $id;
}

/**
 * Copies attachments with all their sizes under new names, each file with bytes of its own at the end.
 *
 * @param int[] $ids   What to copy.
 * @param int   $count How many copies.
 */
function lab_image_copies( array $ids, int $count ): void {
	$models = array();
	foreach ( $ids as $id ) {
		$models[] = wp_get_attachment_metadata( $id );
	}
	$base = wp_get_upload_dir()['basedir'];
	for ( $i = 1; $i <= $count; $i++ ) {
		$model  = $models[ $i % count( $models ) ];
		$folder = sprintf( '20%02d/%02d', 10 + $i % 13, 1 + $i % 12 );
		wp_mkdir_p( "{$base}/{$folder}" );
		$from     = "{$base}/" . dirname( $model['file'] );
		$stem     = pathinfo( $model['file'], PATHINFO_FILENAME );
		$name     = "copy-{$i}";
		$rename   = static fn( string $file ): string => $name . substr( basename( $file ), strlen( $stem ) );
		$metadata = $model;
		$metadata['file'] = "{$folder}/{$name}.jpg";
		lab_vary( "{$base}/{$model['file']}", "{$base}/{$metadata['file']}" );
		foreach ( $model['sizes'] as $size => $facts ) {
			$metadata['sizes'][ $size ]['file'] = $rename( $facts['file'] );
			lab_vary( "{$from}/{$facts['file']}", "{$base}/{$folder}/" . $rename( $facts['file'] ) );
		}
		lab_attach( "{$base}/{$metadata['file']}", "Copy {$i}", $metadata );
	}
}

/**
 * Copies a JPEG and appends a few bytes, which decoders ignore.
 *
 * @param string $from Its path.
 * @param string $to   The copy's path.
 */
function lab_vary( string $from, string $to ): void {
	static $contents = array();
	$contents[ $from ] ??= file_get_contents( $from );
	file_put_contents( $to, $contents[ $from ] . lab_noise( 24 ) );
}
