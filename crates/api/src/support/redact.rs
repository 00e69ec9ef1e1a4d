//! Takes out of evidence what a reader does not need: mailboxes, credentials in URLs, tokens, long random words.

use serde_json::Value;

/// Random words from this length on are taken for secrets; ids of ours have a prefix and stay.
const RANDOM_MIN: usize = 40;
const PREFIXES: [&str; 8] = ["mig_", "case_", "org_", "site_", "tok_", "req_", "wrk_", "att_"];

/// Every text of a value, redacted.
pub(super) fn redacted(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text_redacted(&text)),
        Value::Array(items) => items.into_iter().map(redacted).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, redacted(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn text_redacted(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|c: char| "\"'`<>()[]{},;".contains(c));
    if core.is_empty() {
        return word.to_owned();
    }
    let shown = if core.contains("lfm_") || core.contains("whsec_") || is_random(core) {
        "[secret]".to_owned()
    } else if let Some((scheme, rest)) = core.split_once("://") {
        format!("{scheme}://{}", address(rest))
    } else if let Some((local, domain)) =
        core.split_once('@').filter(|(local, domain)| !local.is_empty() && domain.contains('.'))
    {
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    } else {
        core.to_owned()
    };
    word.replacen(core, &shown, 1)
}

/// An address without user name, password and query.
fn address(rest: &str) -> String {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    let more = if path.len() < tail.len() { "?[…]" } else { "" };
    format!("{host}{path}{more}")
}

fn is_random(word: &str) -> bool {
    let is_id = PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let is_one_word = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b));
    let has_digit = word.bytes().any(|b| b.is_ascii_digit());
    let has_letter = word.bytes().any(|b| b.is_ascii_alphabetic());
    let is_path = word.starts_with('/');
    !is_id && !is_path && word.len() >= RANDOM_MIN && is_one_word && has_digit && has_letter
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_reader_does_not_need_is_taken_out() {
        for (before, after) in [
            ("mail to (owner@example.org), please", "mail to (o***@example.org), please"),
            ("GET https://user:pw@example.org/a?key=1 failed", "GET https://example.org/a?[…] failed"),
            ("token lfm_00_secret refused", "token [secret] refused"),
            ("mig_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b stopped", "mig_0198a7c2d3e47b1f8a6b5c4d3e2f1a0b stopped"),
            ("key 0123456789abcdef0123456789abcdef0123456789abcdef", "key [secret]"),
            (
                "/var/www/a-site/wp-content/uploads/2024/01/an-image-1.jpg",
                "/var/www/a-site/wp-content/uploads/2024/01/an-image-1.jpg",
            ),
            ("table wp_posts at 5 @ 6", "table wp_posts at 5 @ 6"),
        ] {
            assert_eq!(text_redacted(before), after);
        }
        assert_eq!(redacted(json!({ "a": ["x@y.zz", 5] })), json!({ "a": ["x***@y.zz", 5] }));
    }
}
