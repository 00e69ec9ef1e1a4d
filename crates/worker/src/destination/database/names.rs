//! The names of everything that Landfall puts into a destination's database.
//!
//! Each carries the fencing token of the claim that owns it, so that a statement of an older claim names
//! something that is not there any more. All are within the server's 64 characters: a token has at most 20
//! digits.

/// Begins every name of ours.
pub const OURS: &str = "lf_";
const FENCE: &str = "lf_fence_";
const DONE: &str = "_done";

/// The fence: the table whose presence under this name says that the claim still holds.
pub fn fence(token: u64) -> String {
    format!("{FENCE}{token}")
}

/// The fence after the cut-over: the one RENAME renames it along with the tables.
pub fn fence_done(token: u64) -> String {
    format!("{FENCE}{token}{DONE}")
}

/// The table of intended and finished acts.
pub fn journal(token: u64) -> String {
    format!("{OURS}{token}_journal")
}

/// The `number`th table while it is loaded.
pub fn shadow(token: u64, number: u32) -> String {
    format!("{OURS}{token}_{number:04}")
}

/// What a table or view that was live is called after the cut-over, until retention ends.
pub fn kept(token: u64, number: u32) -> String {
    format!("{OURS}old_{token}_{number:04}")
}

/// A foreign key whose own name is taken while the old tables are kept.
pub fn constraint(token: u64, number: u32) -> String {
    format!("{OURS}{token}_c{number:04}")
}

/// The lock that the `number`th connection of a claim holds for as long as it lives.
pub fn lock(token: u64, number: u32) -> String {
    format!("{OURS}{token}_{number}")
}

/// A fence's token, and whether its cut-over is done; none for any other name.
pub fn parse_fence(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix(FENCE)?;
    let (digits, done) = match rest.strip_suffix(DONE) {
        Some(digits) => (digits, true),
        None => (rest, false),
    };
    Some((parse_token(digits)?, done))
}

/// Whether the table belongs to the claim with this token and is carried over to the next: shadow or journal.
pub fn is_of_claim(name: &str, token: u64) -> bool {
    name.strip_prefix(OURS)
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(digits, rest)| parse_token(digits) == Some(token) && !rest.is_empty())
}

/// The name that the same thing has under another token.
pub fn under_token(name: &str, from: u64, to: u64) -> String {
    name.replacen(&from.to_string(), &to.to_string(), 1)
}

fn parse_token(digits: &str) -> Option<u64> {
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_server_and_read_back() {
        let token = u64::MAX;
        for name in [fence_done(token), journal(token), shadow(token, u32::MAX), kept(token, u32::MAX)] {
            assert!(name.len() <= 64, "{name}");
        }
        assert_eq!(parse_fence(&fence(1_234_567_890_123_456)), Some((1_234_567_890_123_456, false)));
        assert_eq!(parse_fence(&fence_done(7)), Some((7, true)));
        for other in ["lf_fence_", "lf_fence_07", "lf_fence_x", "lf_7_0001", "wp_posts"] {
            assert_eq!(parse_fence(other), None, "{other}");
        }
    }

    #[test]
    fn a_claims_tables_are_told_from_others() {
        assert!(is_of_claim("lf_7_0001", 7) && is_of_claim("lf_7_journal", 7));
        for other in ["lf_77_0001", "lf_old_7_0001", "lf_fence_7", "lf_7_", "lf_7", "wp_7_0001"] {
            assert!(!is_of_claim(other, 7), "{other}");
        }
        assert_eq!(under_token("lf_7_0007", 7, 99), "lf_99_0007");
        assert_eq!(under_token("lf_fence_7_done", 7, 99), "lf_fence_99_done");
    }
}
