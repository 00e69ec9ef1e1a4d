//! Rows with rules of their own: the site's address, what carries the table prefix, what is Landfall's.

use std::borrow::Cow;

use crate::destination::database::rows::{LoadTable, RowRules};

/// Options of Landfall's own plugin: a key of the source has no business at the destination.
const OWN_OPTIONS: &[u8] = b"landfall_";

/// User meta keys of WordPress that begin with the table prefix.
const PREFIXED_KEYS: [&str; 8] = [
    "capabilities",
    "user_level",
    "user-settings",
    "user-settings-time",
    "dashboard_quick_press_last_post_id",
    "media_library_mode",
    "persisted_preferences",
    "nav_menu_recently_edited",
];

/// What applies to the whole site.
#[derive(Debug, Clone)]
pub(super) struct SiteRules {
    /// `home` at the destination.
    pub home: String,
    /// `siteurl` at the destination.
    pub siteurl: String,
    /// The prefix at the source.
    pub prefix_from: String,
    /// The prefix at the destination.
    pub prefix_to: String,
}

/// The rules for the rows of one table.
#[derive(Debug, Clone)]
pub(super) enum TableRules {
    /// `{prefix}options`.
    Options {
        /// Where `option_name` is.
        name: usize,
        /// Where `option_value` is.
        value: usize,
        /// The site.
        site: SiteRules,
    },
    /// `{prefix}usermeta`.
    UserMeta {
        /// Where `meta_key` is.
        key: usize,
        /// The site.
        site: SiteRules,
    },
    /// Any other table.
    Plain,
}

impl TableRules {
    /// The rules for a table by its name at the source.
    pub(super) fn of(table: &str, loaded: &LoadTable, site: &SiteRules) -> Self {
        let position = |column| loaded.position(column);
        match table.strip_prefix(site.prefix_from.as_str()) {
            Some("options") => match (position("option_name"), position("option_value")) {
                (Some(name), Some(value)) => TableRules::Options { name, value, site: site.clone() },
                _ => TableRules::Plain,
            },
            Some("usermeta") => match position("meta_key") {
                Some(key) => TableRules::UserMeta { key, site: site.clone() },
                None => TableRules::Plain,
            },
            Some(_) | None => TableRules::Plain,
        }
    }
}

impl RowRules for TableRules {
    fn keeps(&self, values: &[Option<Cow<'_, [u8]>>]) -> bool {
        match self {
            TableRules::Options { name, .. } => !text(values, *name).starts_with(OWN_OPTIONS),
            TableRules::UserMeta { .. } | TableRules::Plain => true,
        }
    }

    fn set(&self, values: &mut [Option<Cow<'_, [u8]>>]) -> Vec<usize> {
        match self {
            TableRules::Options { name, value, site } => {
                let option = text(values, *name);
                let address = match option {
                    b"home" => Some(&site.home),
                    b"siteurl" => Some(&site.siteurl),
                    _ => None,
                };
                if let Some(address) = address {
                    values[*value] = Some(Cow::Owned(address.clone().into_bytes()));
                    return vec![*value];
                }
                if site.prefix_from != site.prefix_to
                    && option == format!("{}user_roles", site.prefix_from).as_bytes()
                {
                    values[*name] = Some(Cow::Owned(format!("{}user_roles", site.prefix_to).into_bytes()));
                    return vec![*name];
                }
                Vec::new()
            }
            TableRules::UserMeta { key, site } if site.prefix_from != site.prefix_to => {
                let Some(bare) = text(values, *key).strip_prefix(site.prefix_from.as_bytes()) else {
                    return Vec::new();
                };
                if !PREFIXED_KEYS.iter().any(|known| known.as_bytes() == bare) {
                    return Vec::new();
                }
                let renamed = [site.prefix_to.as_bytes(), bare].concat();
                values[*key] = Some(Cow::Owned(renamed));
                vec![*key]
            }
            TableRules::UserMeta { .. } | TableRules::Plain => Vec::new(),
        }
    }
}

fn text<'v>(values: &'v [Option<Cow<'_, [u8]>>], at: usize) -> &'v [u8] {
    values.get(at).and_then(|value| value.as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteRules {
        let home = "https://new.example".to_owned();
        SiteRules { siteurl: format!("{home}/wp"), home, prefix_from: "wp_".into(), prefix_to: "x_".into() }
    }

    fn values<'a>(row: &[&'a str]) -> Vec<Option<Cow<'a, [u8]>>> {
        row.iter().map(|value| Some(Cow::Borrowed(value.as_bytes()))).collect()
    }

    #[test]
    fn the_address_and_the_prefix_are_set_and_other_options_stay() {
        let rules = TableRules::Options { name: 0, value: 1, site: site() };
        let mut row = values(&["home", "http://old.example/blog"]);
        assert_eq!(rules.set(&mut row), [1]);
        assert_eq!(row[1].as_deref(), Some(&b"https://new.example"[..]));
        let mut row = values(&["wp_user_roles", "a:0:{}"]);
        rules.set(&mut row);
        assert_eq!(row[0].as_deref(), Some(&b"x_user_roles"[..]));
        assert!(rules.set(&mut values(&["wp_other", "1"])).is_empty());
        assert!(!rules.keeps(&values(&["landfall_migrate_key", "secret"])));
        assert!(rules.keeps(&values(&["landfallen", "1"])));
    }

    #[test]
    fn user_meta_keys_are_renamed_by_exact_name_only() {
        let rules = TableRules::UserMeta { key: 0, site: site() };
        let renamed = |key: &str| {
            let mut row = values(&[key]);
            rules.set(&mut row);
            String::from_utf8(row[0].clone().unwrap().into_owned()).unwrap()
        };
        assert_eq!(renamed("wp_capabilities"), "x_capabilities");
        assert_eq!(renamed("wp_my_plugin"), "wp_my_plugin");
        assert_eq!(renamed("nickname"), "nickname");
    }
}
