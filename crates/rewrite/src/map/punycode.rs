//! Punycode, RFC 3492: how a label beyond ASCII goes over the wire.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;
const PREFIX: &str = "xn--";

/// The wire form of a label, with its `xn--`; `None` where the numbers overflow.
pub(super) fn encode(label: &str) -> Option<String> {
    let chars: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0u32, INITIAL_BIAS, basic);
    while (handled as usize) < chars.len() {
        let next = chars.iter().copied().filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for char in &chars {
            if *char < n {
                delta = delta.checked_add(1)?;
            }
            if *char == n {
                push_number(&mut out, delta, bias);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(format!("{PREFIX}{out}"))
}

/// The label that stands behind `xn--`; `None` if it is not Punycode.
pub(super) fn decode(label: &str) -> Option<String> {
    let (basic, tail) = label.rsplit_once('-').unwrap_or(("", label));
    let mut chars: Vec<char> = basic.chars().collect();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0u32, INITIAL_BIAS);
    let mut digits = tail.bytes().peekable();
    while digits.peek().is_some() {
        let before = i;
        let (mut weight, mut k) = (1u32, BASE);
        loop {
            let digit = digit_value(digits.next()?)?;
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let threshold = threshold(k, bias);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let count = u32::try_from(chars.len()).ok()? + 1;
        bias = adapt(i - before, count, before == 0);
        n = n.checked_add(i / count)?;
        i %= count;
        chars.insert(i as usize, char::from_u32(n)?);
        i += 1;
    }
    Some(chars.into_iter().collect())
}

fn push_number(out: &mut String, delta: u32, bias: u32) {
    let (mut rest, mut k) = (delta, BASE);
    loop {
        let threshold = threshold(k, bias);
        if rest < threshold {
            out.push(digit(rest));
            return;
        }
        out.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
        rest = (rest - threshold) / (BASE - threshold);
        k += BASE;
    }
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

fn adapt(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

fn digit(value: u32) -> char {
    const DIGITS: &[u8; BASE as usize] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    char::from(DIGITS[(value % BASE) as usize])
}

fn digit_value(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte - b'a')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 3492, section 7.1, and from names in use.
    const KNOWN: &[(&str, &str)] = &[
        ("bücher", "xn--bcher-kva"),
        ("münchen-ost", "xn--mnchen-ost-9db"),
        ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
        ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
        ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
        ("☃", "xn--n3h"),
        ("💩", "xn--ls8h"),
    ];

    #[test]
    fn known_labels_come_out_both_ways() {
        for (unicode, ascii) in KNOWN {
            assert_eq!(encode(unicode).as_deref(), Some(*ascii));
            assert_eq!(decode(&ascii[PREFIX.len()..]).as_deref(), Some(*unicode));
        }
    }

    #[test]
    fn what_is_not_punycode_is_refused() {
        for label in ["ä", "99999999999999", "a-!", "é-kva"] {
            assert_eq!(decode(label).filter(|text| text.is_ascii()), None, "{label}");
        }
    }
}
