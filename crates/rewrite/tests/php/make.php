<?php
// Prints random serialized values, one a line in hexadecimal: php make.php SEED COUNT

error_reporting(E_ALL & ~E_DEPRECATED);
require __DIR__ . '/classes.php';

mt_srand((int) $argv[1]);

function pick(array $of)
{
    return $of[mt_rand(0, count($of) - 1)];
}

function words(): string
{
    $address = pick(['https://example.com', 'http://example.com', 'https://www.example.com', '//example.com']);
    return pick([
        $address,
        "$address/a/b?c=d",
        "see $address.",
        "<a href=\"$address/x\">é $address/ü</a>",
        "<!-- wp:image {\"u\":\"" . str_replace('/', '\/', $address) . "\"} -->",
        rawurlencode("$address/q r"),
        '/var/www/old/wp-content',
        'me@example.com, https://example.com.au',
        "nul\0 quote\" brace} semi;",
        'plain',
        '',
    ]);
}

/** Text that JSON can hold. */
function utf8Words(): string
{
    return str_replace("\0", '', words());
}

function forJson(int $depth)
{
    switch (mt_rand(0, $depth > 0 ? 6 : 2)) {
        case 0: return mt_rand();
        case 1: return pick([true, null, 'short']);
        case 2: return utf8Words();
        case 3: return serialize(forJson($depth - 1));
        case 4: return json($depth - 1);
        case 5: return ['k' => forJson($depth - 1), 'l"\\' => forJson($depth - 1)];
        default: return [forJson($depth - 1), forJson($depth - 1), utf8Words()];
    }
}

function json(int $depth): string
{
    $flags = pick([0, JSON_UNESCAPED_SLASHES, JSON_UNESCAPED_UNICODE, JSON_HEX_QUOT, JSON_PRETTY_PRINT]);
    return json_encode([forJson($depth), utf8Words()], $flags | JSON_THROW_ON_ERROR);
}

function value(int $depth)
{
    switch (mt_rand(0, $depth > 0 ? 14 : 4)) {
        case 0: return mt_rand(-9, 9);
        case 1: return pick([true, false, null, 0.1, -1.5e300, INF, NAN, Suit::Hearts, Suit::Spades]);
        case 2:
        case 3:
        case 4: return words();
        case 5: return serialize(value($depth - 1));
        case 6: return json($depth - 1);
        case 7: return (object) ['a' => value($depth - 1), 'https://example.com' => value($depth - 1)];
        case 8: return new Shop(value($depth - 1), value($depth - 1), value($depth - 1));
        case 9: return new ArrayObject([value($depth - 1)]);
        case 10: return new Payload(value($depth - 1));
        case 11:
            $shared = (object) ['u' => words()];
            $text = words();
            return [$shared, $shared, &$text, &$text];
        default:
            $list = [];
            for ($n = mt_rand(0, 4); $n > 0; $n--) {
                $list[pick(['https://example.com/key', 'k' . mt_rand(0, 99), mt_rand(-5, 500)])] = value($depth - 1);
            }
            return $list;
    }
}

for ($n = (int) $argv[2]; $n > 0; $n--) {
    echo bin2hex(serialize(value(5))), "\n";
}
