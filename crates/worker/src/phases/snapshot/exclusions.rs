//! Which rules hold for a migration: the documented list, as its owner changed it.

use landfall_common::migration::Options;

use crate::source::{Exclusion, ExclusionMatch, default_exclusions};

/// Patterns that an owner may add. The plugin takes 500 rules in all.
const OWN_MAX: usize = 100;
/// Characters of a pattern that name its rule in the report.
const ID_CHARS: usize = 60;

/// The rules of a migration: `include` takes rules of the usual list away, by their id (`cache`) or their value;
/// `exclude` adds patterns: with a `/` a path of the tree, with `*` or `?` a pattern of names, else a name.
pub fn exclusions_of(options: &Options) -> Vec<Exclusion> {
    let is_wanted = |rule: &Exclusion| {
        !options.include.iter().any(|wanted| *wanted == rule.id || wanted.trim_matches('/') == rule.value)
    };
    let own = options.exclude.iter().filter(|pattern| !pattern.trim_matches('/').is_empty()).take(OWN_MAX);
    default_exclusions().into_iter().filter(is_wanted).chain(own.map(|pattern| own_rule(pattern))).collect()
}

fn own_rule(pattern: &str) -> Exclusion {
    let value = pattern.trim_matches('/').to_owned();
    let matches = if pattern.contains('/') {
        ExclusionMatch::Path
    } else if pattern.contains(['*', '?']) {
        ExclusionMatch::Glob
    } else {
        ExclusionMatch::Name
    };
    Exclusion { id: pattern.chars().take(ID_CHARS).collect(), matches, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_takes_rules_away_and_adds_others() {
        let options = Options {
            include: vec!["logs".into(), "{content}/updraft".into()],
            exclude: vec!["/wp-content/old/".into(), "*.iso".into(), "secret.txt".into(), "/".into()],
            ..Options::default()
        };
        let rules = exclusions_of(&options);
        assert!(rules.iter().all(|rule| rule.id != "logs" && rule.value != "{content}/updraft"));
        assert!(rules.iter().any(|rule| rule.id == "cache"));
        let own: Vec<_> =
            rules[rules.len() - 3..].iter().map(|rule| (rule.matches, rule.value.as_str())).collect();
        let expected = [
            (ExclusionMatch::Path, "wp-content/old"),
            (ExclusionMatch::Glob, "*.iso"),
            (ExclusionMatch::Name, "secret.txt"),
        ];
        assert_eq!(own, expected);
    }
}
