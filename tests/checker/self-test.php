<?php
/**
 * The checker's own cases: what each text has to become, and which pairs of values agree. Exits 1 at a failure.
 */

declare(strict_types=1);

foreach ( array( 'findings', 'mapping', 'values' ) as $part ) {
	require __DIR__ . "/{$part}.php";
}

$mapping = new Mapping(
	array(
		array( 'from' => 'http://old-shop.example:8080', 'to' => 'https://new.example/blog' ),
		array( 'from' => 'http://bare.example', 'to' => 'http://longer.bare.example:81' ),
	),
	array( array( 'from' => '/home/old', 'to' => '/srv/www/new' ) )
);

$texts = array(
	// Boundaries.
	'http://old-shop.example:8080'              => 'https://new.example/blog',
	'http://old-shop.example:8080/a?b#c'        => 'https://new.example/blog/a?b#c',
	'http://old-shop.example:80801/'            => 'http://old-shop.example:80801/',
	'http://old-shop.example/'                  => 'http://old-shop.example/',
	'see http://bare.example.'                  => 'see http://longer.bare.example:81.',
	'http://bare.example.au/'                   => 'http://bare.example.au/',
	'http://bare.example-old/'                  => 'http://bare.example-old/',
	'http://bare.examples/'                     => 'http://bare.examples/',
	'http://bare.example:81/'                   => 'http://bare.example:81/',
	'http://notbare.example/'                   => 'http://notbare.example/',
	'me@bare.example'                           => 'me@bare.example',
	'http://BARE.Example/Path'                  => 'http://longer.bare.example:81/Path',
	'HTTP://bare.example/'                      => 'http://longer.bare.example:81/',
	// Spellings.
	'http:\/\/old-shop.example:8080\/x'         => 'https:\/\/new.example\/blog\/x',
	'http:\\\\/\\\\/old-shop.example:8080\\\\/' => 'https:\\\\/\\\\/new.example\\\\/blog\\\\/',
	'http:\u002f\u002fbare.example\u002f'       => 'http:\u002f\u002flonger.bare.example:81\u002f',
	'http%3A%2F%2Fold-shop.example%3A8080%2Fx'  => 'https%3A%2F%2Fnew.example%2Fblog%2Fx',
	'http%3a%2f%2fbare.example%2f'              => 'http%3a%2f%2flonger.bare.example%3a81%2f',
	'http:&#x2F;&#x2F;bare.example&#x2F;'       => 'http:&#x2F;&#x2F;longer.bare.example:81&#x2F;',
	'http:&#47;&#47;bare.example'               => 'http:&#47;&#47;longer.bare.example:81',
	'<a href="//old-shop.example:8080/x">'      => '<a href="//new.example/blog/x">',
	'url(http://bare.example/x.png)'            => 'url(http://longer.bare.example:81/x.png)',
	// One pass: the new address contains the old one.
	'http://bare.example http://bare.example/'  => 'http://longer.bare.example:81 http://longer.bare.example:81/',
	// Paths.
	'/home/old/wp-content'                      => '/srv/www/new/wp-content',
	'/home/old2/x /home/old-x'                  => '/home/old2/x /home/old-x',
	'\/home\/old\/x'                            => '\/srv\/www\/new\/x',
	'nothing here'                              => 'nothing here',
);

$o = 'http://bare.example/x';
$n = 'http://longer.bare.example:81/x';
// Source, destination, whether they agree.
$values = array(
	array( null, null, true ),
	array( null, '', false ),
	array( '', null, false ),
	array( 'same', 'same', true ),
	array( 'same', 'Same', false ),
	array( $o, $n, true ),
	array( $o, $o, false ),
	array( serialize( array( $o, 5 ) ), serialize( array( $n, 5 ) ), true ),
	array( serialize( array( $o, 5 ) ), serialize( array( $n, '5' ) ), false ),
	array( serialize( array( $o ) ), str_replace( $o, $n, serialize( array( $o ) ) ), false ),
	array( serialize( array( serialize( array( $o ) ) ) ), serialize( array( serialize( array( $n ) ) ) ), true ),
	array( serialize( array( serialize( array( $o ) ) ) ), serialize( array( str_replace( $o, $n, serialize( array( $o ) ) ) ) ), false ),
	array( serialize( array( $o => 1 ) ), serialize( array( $o => 1 ) ), true ),
	array( serialize( array( $o => 1 ) ), serialize( array( $n => 1 ) ), false ),
	array( json_encode( array( 'u' => $o ) ), json_encode( array( 'u' => $n ) ), true ),
	array( json_encode( array( 's' => serialize( array( $o ) ) ) ), json_encode( array( 's' => serialize( array( $n ) ) ) ), true ),
	array( json_encode( array( 's' => serialize( array( $o ) ) ) ), json_encode( array( 's' => str_replace( $o, $n, serialize( array( $o ) ) ) ) ), false ),
	array( 'O:3:"Box":1:{s:3:"url";s:21:"' . $o . '";}', 'O:3:"Box":1:{s:3:"url";s:31:"' . $n . '";}', true ),
	array( 'O:3:"Box":1:{s:3:"url";s:21:"' . $o . '";}', 'O:3:"Bag":1:{s:3:"url";s:31:"' . $n . '";}', false ),
	array( 'O:3:"Box":1:{s:3:"url";s:21:"' . $o . '";}', 'a:1:{s:3:"url";s:31:"' . $n . '";}', false ),
	// Damaged before: untouched or mapped plainly, nothing else.
	array( 'a:1:{i:0;s:99:"' . $o . '";}', 'a:1:{i:0;s:99:"' . $o . '";}', true ),
	array( 'a:1:{i:0;s:99:"' . $o . '";}', 'a:1:{i:0;s:99:"' . $n . '";}', true ),
	array( 'a:1:{i:0;s:99:"' . $o . '";}', '', false ),
	array( 'a:1:{i:0;i:1;}', 'a:1:{i:0;i:1', false ),
);

$failures = 0;
foreach ( $texts as $text => $expected ) {
	$mapped = $mapping->map( (string) $text );
	if ( $mapped !== $expected ) {
		++$failures;
		fwrite( STDERR, "map: {$text}\n  expected {$expected}\n  found    {$mapped}\n" );
	}
}
$judge = new Values( $mapping, new Findings() );
foreach ( $values as list( $old, $new, $expected ) ) {
	$fault = $judge->fault( $old, $new );
	if ( ( null === $fault ) !== $expected ) {
		++$failures;
		fwrite( STDERR, 'agree: ' . var_export( $old, true ) . ' and ' . var_export( $new, true ) . ': ' . ( $fault ?? 'no fault' ) . "\n" );
	}
	if ( null !== $old && null !== $new && $expected && str_starts_with( $old, 'a:' ) && false !== @unserialize( $old )
		&& $judge->canonical( $old, true ) !== $judge->canonical( $new, false ) ) {
		++$failures;
		fwrite( STDERR, 'canonical: ' . var_export( $old, true ) . "\n" );
	}
}
printf( "%d cases, %d failures\n", count( $texts ) + count( $values ), $failures );
exit( $failures > 0 ? 1 : 0 );
