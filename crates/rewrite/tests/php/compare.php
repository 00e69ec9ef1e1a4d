<?php
// Reads pairs of values in hexadecimal, "before after", one a line. After a rewrite of the site's address
// everything must unserialize to the same structure, with only its strings changed, as a plain
// replacement changes them. Prints the first faults and how many values were compared.

error_reporting(E_ALL & ~E_DEPRECATED);
require __DIR__ . '/classes.php';

const PLAIN = [
    'https://www.example.com' => 'https://new-site.test',
    'http://www.example.com' => 'https://new-site.test',
    'https://example.com' => 'https://new-site.test',
    'http://example.com' => 'https://new-site.test',
    'https://example.com.au' => 'https://example.com.au',
    '/var/www/old' => '/srv/sites/new',
];

class Fault extends Exception
{
}

/** The reference: the same addresses, replaced in a string that holds no lengths. */
function replaced(string $text): string
{
    $map = PLAIN;
    foreach (PLAIN as $from => $to) {
        $map[str_replace('/', '\/', $from)] = str_replace('/', '\/', $to);
        $map[rawurlencode($from)] = rawurlencode($to);
    }
    $text = strtr($text, $map);
    // What is left without a scheme; a scheme in front would have been replaced with it.
    $text = preg_replace('~(?<![:/\w])//example\.com(?!\.\w)~', '//new-site.test', $text);
    $text = preg_replace('~(?<![:/\w])\\\\/\\\\/example\.com~', '\\/\\/new-site.test', $text);
    return preg_replace('~^%2F%2Fexample\.com|(?<![A\w])%2F%2Fexample\.com~', '%2F%2Fnew-site.test', $text);
}

function check(bool $holds, string $what, string $where): void
{
    if (!$holds) {
        throw new Fault("$what at $where");
    }
}

function properties(object $object): array
{
    return $object instanceof ArrayObject ? $object->getArrayCopy() : (array) $object;
}

function compare($before, $after, string $where): void
{
    check(get_debug_type($before) === get_debug_type($after), 'another type', $where);
    if (is_array($before)) {
        check(array_keys($before) === array_keys($after), 'other keys', $where);
        foreach ($before as $key => $value) {
            compare($value, $after[$key], "$where/$key");
        }
    } elseif ($before instanceof UnitEnum) {
        check($before === $after, 'another case', $where);
    } elseif (is_object($before)) {
        compare(properties($before), properties($after), "$where->");
    } elseif (is_string($before)) {
        compareText($before, $after, $where);
    } else {
        check(serialize($before) === serialize($after), 'another scalar', $where);
    }
}

function compareText(string $before, string $after, string $where): void
{
    $inner = @unserialize($before);
    if ($inner !== false) {
        $moved = @unserialize($after);
        check($moved !== false, 'does not unserialize', $where);
        check(serialize($moved) === $after, 'not as PHP writes it', $where);
        compare($inner, $moved, "$where(serialized)");
        return;
    }
    if (preg_match('~^[\[{"]~', $before)) {
        $inner = json_decode($before, true);
        if ($inner !== null) {
            $moved = json_decode($after, true);
            check($moved !== null, 'does not decode', $where);
            compare($inner, $moved, "$where(json)");
            return;
        }
    }
    check(replaced($before) === $after, "not as expected: $before => $after", $where);
}

$compared = 0;
$faults = 0;
while (($line = fgets(STDIN)) !== false) {
    [$before, $after] = array_map('hex2bin', explode(' ', trim($line)));
    $compared++;
    try {
        compareText($before, $after, "value $compared");
    } catch (Fault $fault) {
        if ($faults++ < 5) {
            echo $fault->getMessage(), "\n  before: $before\n  after:  $after\n";
        }
    }
}
echo "compared $compared, faults $faults\n";
exit($faults === 0 ? 0 : 1);
