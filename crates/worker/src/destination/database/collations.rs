//! Which collation and character set stands in for one that the destination's server does not have.

use std::collections::BTreeSet;

/// The stand-in for a collation: itself where the server has it, else the nearest one it has; none where
/// nothing near is there. Nearest means: same character set, same sensitivity, then same handling of trailing
/// spaces.
pub fn stand_in(collation: &str, available: &BTreeSet<String>) -> Option<String> {
    let lower = collation.to_ascii_lowercase();
    if available.contains(&lower) {
        return Some(lower);
    }
    candidates(&lower).into_iter().find(|candidate| available.contains(candidate))
}

/// The stand-in for a character set: `utf8` and `utf8mb3` are one, under the name that the server knows.
pub fn charset_stand_in(charset: &str, available: &BTreeSet<String>) -> Option<String> {
    let lower = charset.to_ascii_lowercase();
    let other = match lower.as_str() {
        "utf8" => "utf8mb3",
        "utf8mb3" => "utf8",
        _ => lower.as_str(),
    };
    [lower.as_str(), other].into_iter().find(|name| available.contains(*name)).map(str::to_owned)
}

fn candidates(collation: &str) -> Vec<String> {
    let (charset, rest) = collation.split_once('_').unwrap_or((collation, ""));
    let mut names = Vec::new();
    if let Some(rest) = other_spelling(charset) {
        names.push(collation.replacen(charset, rest, 1));
    }
    let is_sensitive = rest.contains("_as_cs") || rest.ends_with("_cs");
    if rest.ends_with("bin") {
        names.extend([format!("{charset}_nopad_bin"), format!("{charset}_bin")]);
    } else if is_sensitive {
        let nearest = ["uca1400_nopad_as_cs", "uca1400_as_cs", "0900_as_cs", "nopad_bin", "bin"];
        names.extend(nearest.map(|name| format!("{charset}_{name}")));
    } else {
        let accents = if rest.contains("_as_") { "as" } else { "ai" };
        if rest.starts_with("0900") {
            names.push(format!("{charset}_uca1400_nopad_{accents}_ci"));
            names.push(format!("{charset}_unicode_520_nopad_ci"));
        }
        names.push(format!("{charset}_uca1400_{accents}_ci"));
        names.push(format!("{charset}_unicode_520_ci"));
        names.push(format!("{charset}_0900_{accents}_ci"));
        names.push(format!("{charset}_unicode_ci"));
        names.push(format!("{charset}_general_ci"));
    }
    if let Some(other) = other_spelling(charset) {
        let respelled: Vec<String> = names.iter().map(|name| name.replacen(charset, other, 1)).collect();
        names.extend(respelled);
    }
    names
}

fn other_spelling(charset: &str) -> Option<&'static str> {
    match charset {
        "utf8" => Some("utf8mb3"),
        "utf8mb3" => Some("utf8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn mysqls_default_becomes_the_nearest_that_the_server_has() {
        let new = server(&["utf8mb4_unicode_520_ci", "utf8mb4_uca1400_nopad_ai_ci", "utf8mb4_general_ci"]);
        assert_eq!(stand_in("utf8mb4_0900_ai_ci", &new).as_deref(), Some("utf8mb4_uca1400_nopad_ai_ci"));
        let old = server(&["utf8mb4_unicode_520_ci", "utf8mb4_general_ci"]);
        assert_eq!(stand_in("utf8mb4_0900_ai_ci", &old).as_deref(), Some("utf8mb4_unicode_520_ci"));
        let older = server(&["utf8mb4_unicode_ci", "utf8mb4_general_ci"]);
        assert_eq!(stand_in("utf8mb4_unicode_520_ci", &older).as_deref(), Some("utf8mb4_unicode_ci"));
    }

    #[test]
    fn a_sensitive_collation_never_becomes_an_insensitive_one() {
        let server = server(&["utf8mb4_unicode_ci", "utf8mb4_bin"]);
        assert_eq!(stand_in("utf8mb4_0900_as_cs", &server).as_deref(), Some("utf8mb4_bin"));
        assert_eq!(stand_in("utf8mb4_0900_bin", &server).as_deref(), Some("utf8mb4_bin"));
    }

    #[test]
    fn both_spellings_of_utf8_are_one() {
        let server = server(&["utf8_general_ci", "utf8", "latin1"]);
        assert_eq!(stand_in("utf8mb3_general_ci", &server).as_deref(), Some("utf8_general_ci"));
        assert_eq!(charset_stand_in("utf8mb3", &server).as_deref(), Some("utf8"));
        assert_eq!(stand_in("klingon_ci", &server), None);
    }
}
