//! The destination's own `wp-config.php`. The source's is never copied: it holds another host's credentials, keys
//! and paths. What is taken from it is a list of harmless constants.

use landfall_common::site::DatabaseTarget;
use rand::Rng as _;
use serde_json::Value;

use super::layout::{Layout, join};

/// Constants that come along. Not among them: anything that names the old host, its keys, its caches or its paths.
const ALLOWED: [&str; 22] = [
    "ALTERNATE_WP_CRON",
    "AUTOMATIC_UPDATER_DISABLED",
    "AUTOSAVE_INTERVAL",
    "CONCATENATE_SCRIPTS",
    "DISABLE_WP_CRON",
    "DISALLOW_FILE_EDIT",
    "DISALLOW_UNFILTERED_HTML",
    "EMPTY_TRASH_DAYS",
    "FORCE_SSL_ADMIN",
    "IMAGE_EDIT_OVERWRITE",
    "MEDIA_TRASH",
    "SCRIPT_DEBUG",
    "WPLANG",
    "WP_AUTO_UPDATE_CORE",
    "WP_DEBUG",
    "WP_DEBUG_DISPLAY",
    "WP_DEBUG_LOG",
    "WP_DEFAULT_THEME",
    "WP_ENVIRONMENT_TYPE",
    "WP_MAX_MEMORY_LIMIT",
    "WP_MEMORY_LIMIT",
    "WP_POST_REVISIONS",
];

const KEYS: [&str; 8] = [
    "AUTH_KEY",
    "SECURE_AUTH_KEY",
    "LOGGED_IN_KEY",
    "NONCE_KEY",
    "AUTH_SALT",
    "SECURE_AUTH_SALT",
    "LOGGED_IN_SALT",
    "NONCE_SALT",
];

/// What goes into the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct WpConfig<'a> {
    /// The destination's database.
    pub database: &'a DatabaseTarget,
    /// Its password.
    pub password: &'a str,
    /// The table prefix at the destination.
    pub prefix: &'a str,
    /// The site's URL, without a slash at its end.
    pub home: &'a str,
    /// Where the source had its folders.
    pub layout: &'a Layout,
    /// The source's constants.
    pub(super) constants: &'a serde_json::Map<String, Value>,
}

/// The file, and the constants of the source that did not come along.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Its contents.
    pub php: String,
    /// Names of what was left out.
    pub left_out: Vec<String>,
}

impl WpConfig<'_> {
    /// The path in the tree at which WordPress finds it: beside WordPress itself or one folder above.
    pub(super) fn path(layout: &Layout) -> String {
        match layout.core() {
            core if core.contains('/') => join(core, "wp-config.php"),
            _ => "wp-config.php".to_owned(),
        }
    }

    /// Writes the file, with fresh keys and salts.
    pub(super) fn write(&self) -> Written {
        let mut php = String::from("<?php\n/** Written by Landfall when the site moved here. */\n\n");
        for (name, value) in [
            ("DB_NAME", self.database.name.as_str()),
            ("DB_USER", &self.database.user),
            ("DB_PASSWORD", self.password),
            ("DB_HOST", &db_host(self.database)),
            ("DB_CHARSET", "utf8mb4"),
            ("DB_COLLATE", ""),
        ] {
            push_define(&mut php, name, &php_string(value));
        }
        php.push('\n');
        for name in KEYS {
            push_define(&mut php, name, &php_string(&random_key()));
        }
        php.push_str(&format!("\n$table_prefix = {};\n\n", php_string(self.prefix)));
        let left_out = self.push_constants(&mut php);
        self.push_folders(&mut php);
        php.push_str(&self.end());
        Written { php, left_out }
    }

    fn push_constants(&self, php: &mut String) -> Vec<String> {
        let mut left_out = Vec::new();
        for (name, value) in self.constants {
            let would_harm = match name.as_str() {
                "FORCE_SSL_ADMIN" => !self.home.starts_with("https://"),
                "WP_DEBUG_LOG" => value.is_string(),
                _ => false,
            };
            let is_allowed = ALLOWED.contains(&name.as_str()) && !would_harm;
            match php_scalar(value).filter(|_| is_allowed) {
                Some(value) => push_define(php, name, &value),
                None => left_out.push(name.clone()),
            }
        }
        left_out.sort();
        left_out
    }

    /// Folders that are not where WordPress looks for them.
    fn push_folders(&self, php: &mut String) {
        let layout = self.layout;
        let folders = [
            ("content", "WP_CONTENT_DIR", "WP_CONTENT_URL"),
            ("plugins", "WP_PLUGIN_DIR", "WP_PLUGIN_URL"),
            ("mu_plugins", "WPMU_PLUGIN_DIR", "WPMU_PLUGIN_URL"),
        ];
        for (name, dir, url) in folders {
            let place = layout.place(name);
            if place != layout.usual_place(name) {
                push_define(
                    php,
                    dir,
                    &format!("__DIR__ . {}", php_string(&format!("/{}", self.seen_from_config(&place)))),
                );
                push_define(php, url, &php_string(&format!("{}/{place}", self.home)));
            }
        }
        let uploads = layout.place("uploads");
        if uploads != layout.usual_place("uploads")
            && let Some(relative) = below(&uploads, layout.core())
        {
            push_define(php, "UPLOADS", &php_string(relative));
        }
    }

    /// A path of the tree as seen from the folder that holds `wp-config.php`.
    fn seen_from_config(&self, place: &str) -> String {
        match WpConfig::path(self.layout).strip_suffix("/wp-config.php") {
            None => place.to_owned(),
            Some(folder) => match below(place, folder) {
                Some(relative) => relative.to_owned(),
                None => format!("{}{place}", "../".repeat(folder.split('/').count())),
            },
        }
    }

    fn end(&self) -> String {
        let core = match WpConfig::path(self.layout).strip_suffix("wp-config.php") {
            Some("") => self.layout.core(),
            _ => "",
        };
        let folder = if core.is_empty() { "/".to_owned() } else { format!("/{core}/") };
        format!(
            "\nif ( ! defined( 'ABSPATH' ) ) {{\n\tdefine( 'ABSPATH', __DIR__ . {} );\n}}\n\
             require_once ABSPATH . 'wp-settings.php';\n",
            php_string(&folder)
        )
    }
}

fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn db_host(database: &DatabaseTarget) -> String {
    match &database.host_from_php {
        Some(host) => host.clone(),
        None if database.port == 3306 => database.host.clone(),
        None => format!("{}:{}", database.host, database.port),
    }
}

fn push_define(php: &mut String, name: &str, value: &str) {
    php.push_str(&format!("define( '{name}', {value} );\n"));
}

/// A PHP string in single quotes: only the quote and the backslash mean anything in it.
pub(super) fn php_string(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn php_scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if text.len() <= 1024 && !text.contains('\0') => Some(php_string(text)),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 64 characters, as WordPress' own generator gives.
fn random_key() -> String {
    const ALPHABET: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#%^&*()-_[]{}<>~+=,.;:/?|";
    let mut rng = rand::rng();
    (0..64).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(layout: &Layout, constants: Value) -> Written {
        let database = DatabaseTarget {
            host: "db.internal".into(),
            port: 3307,
            user: "u".into(),
            name: "n".into(),
            host_from_php: None,
            table_prefix: None,
        };
        let Value::Object(constants) = constants else { panic!("an object") };
        WpConfig {
            database: &database,
            password: "it's \\ a $ecret",
            prefix: "wp_",
            home: "http://new.example",
            layout,
            constants: &constants,
        }
        .write()
    }

    #[test]
    fn credentials_are_the_destinations_and_constants_an_allowed_few() {
        let constants = serde_json::json!({
            "WP_MEMORY_LIMIT": "256M", "WP_DEBUG": false, "AUTOSAVE_INTERVAL": 60, "WP_HOME": "http://old.example",
            "FORCE_SSL_ADMIN": true, "WP_DEBUG_LOG": "/var/log/x", "AUTH_KEY": "old"
        });
        let written = written(&Layout::default(), constants);
        assert!(written.php.contains("define( 'DB_PASSWORD', 'it\\'s \\\\ a $ecret' );"));
        assert!(written.php.contains("define( 'DB_HOST', 'db.internal:3307' );"));
        assert!(written.php.contains("define( 'WP_MEMORY_LIMIT', '256M' );\n"));
        assert!(written.php.contains("define( 'WP_DEBUG', false );\n"));
        assert!(!written.php.contains("old"));
        assert_eq!(written.left_out, ["AUTH_KEY", "FORCE_SSL_ADMIN", "WP_DEBUG_LOG", "WP_HOME"]);
        assert!(written.php.contains("define( 'ABSPATH', __DIR__ . '/' );"));
    }

    #[test]
    fn relocated_folders_are_told_to_wordpress() {
        let mut layout = Layout { root: "/r".into(), abspath: "/r/wp".into(), ..Layout::default() };
        layout.places.insert("content".into(), "app".into());
        let written = written(&layout, serde_json::json!({}));
        assert!(written.php.contains("define( 'WP_CONTENT_DIR', __DIR__ . '/app' );"));
        assert!(written.php.contains("define( 'WP_CONTENT_URL', 'http://new.example/app' );"));
        assert!(!written.php.contains("WP_PLUGIN_DIR"));
        assert!(written.php.contains("define( 'ABSPATH', __DIR__ . '/wp/' );"));
        assert_eq!(WpConfig::path(&layout), "wp-config.php");
    }

    #[test]
    fn the_file_is_valid_php_and_keys_differ() {
        let one = written(&Layout::default(), serde_json::json!({ "WPLANG": "de'; echo 1; //" }));
        let other = written(&Layout::default(), serde_json::json!({}));
        assert_ne!(one.php, other.php);
        assert!(one.php.contains("'de\\'; echo 1; //'"));
    }
}
