//! What a source says of itself before anything is read. Unknown facts of newer plugins are passed over; missing ones
//! have the default of their type.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::protocol;
use super::error::SourceError;

/// Everything that preflight found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preflight {
    /// WordPress.
    pub wordpress: WordPressFacts,
    /// PHP.
    pub php: PhpFacts,
    /// The database.
    pub database: DatabaseFacts,
    /// Where things are.
    pub paths: PathFacts,
    /// What lies at the root.
    pub root: RootFacts,
    /// Which host the site is on.
    pub host: HostFacts,
    /// Plugins, must-use plugins and drop-ins.
    pub extensions: ExtensionFacts,
    /// Constants that the site may bring along, by name.
    pub constants: serde_json::Map<String, Value>,
    /// A count of the files, as far as half of a request's time reached.
    pub files: FileFacts,
    /// Whether the site reaches itself.
    pub health: HealthFacts,
}

/// Facts of WordPress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WordPressFacts {
    /// Its version.
    pub version: String,
    /// The version of its database layout.
    pub db_version: u64,
    /// Whether it is a site network.
    pub multisite: bool,
    /// The home URL, as the option has it.
    pub home: String,
    /// The URL of WordPress itself.
    pub siteurl: String,
    /// The URL of the content folder.
    pub content_url: String,
    /// The URL of the uploads.
    pub uploads_url: String,
    /// The URL of wp-admin.
    pub admin_url: String,
    /// Whether home and siteurl differ.
    pub is_split: bool,
    /// The site's locale.
    pub locale: String,
    /// The structure of permalinks; empty for plain ones.
    pub permalinks: String,
    /// The theme.
    pub stylesheet: String,
    /// Its parent theme, or itself.
    pub template: String,
    /// The site's title.
    pub title: String,
    /// Whether a drop-in keeps the object cache elsewhere.
    pub object_cache: bool,
}

/// Facts of PHP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhpFacts {
    /// Its version.
    pub version: String,
    /// How it runs.
    pub sapi: String,
    /// 32 or 64.
    pub int_bits: u32,
    /// Loaded extensions.
    pub extensions: Vec<String>,
    /// Functions that the host disabled.
    pub disabled_functions: Vec<String>,
    /// The memory limit; 0 for none.
    pub memory_limit_bytes: u64,
    /// Effective settings by name.
    pub ini: std::collections::BTreeMap<String, Option<String>>,
    /// The web server.
    pub server: String,
}

/// Facts of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseFacts {
    /// `mysql` or `mariadb`.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// Prefix of the site's tables.
    pub prefix: String,
    /// Character set of the database.
    pub charset: String,
    /// Collation of the database.
    pub collation: String,
    /// Largest packet.
    pub max_allowed_packet: u64,
    /// 0 where names keep their case.
    pub lower_case_table_names: u32,
    /// The server's SQL mode.
    pub sql_mode: String,
    /// Data and indexes of all tables, by the server's estimate.
    pub bytes: u64,
    /// All tables of the database.
    pub tables: Vec<TableFacts>,
}

/// Facts of a table. Sizes are estimates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableFacts {
    /// Its name.
    pub name: String,
    /// `base table`, `view`, …
    #[serde(rename = "type")]
    pub table_type: String,
    /// Its engine.
    pub engine: String,
    /// Rows.
    pub rows: u64,
    /// Data and indexes.
    pub bytes: u64,
    /// Its default collation.
    pub collation: Option<String>,
}

/// Where things are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PathFacts {
    /// Real path of the root of the tree: the folder that the home URL shows.
    pub root: String,
    /// Real path of WordPress itself.
    pub abspath: String,
    /// Real path of `wp-config.php`; empty if unknown.
    pub wp_config: String,
    /// Where WordPress' folders are in the tree: `content`, `plugins`, `mu_plugins`, `themes`, `uploads`.
    pub places: std::collections::BTreeMap<String, String>,
    /// Which folders of the tree lie elsewhere on disk.
    pub mounts: Vec<MountFacts>,
    /// Folders of WordPress that cannot be read where they are.
    pub unusable: Vec<String>,
}

/// A folder of the tree and where it is on disk. The root is at the empty path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountFacts {
    /// Path in the tree.
    pub at: String,
    /// Real path.
    pub path: String,
}

/// What lies at the root: names of version control, composer and server configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFacts {
    /// Found in the root.
    pub found: Vec<String>,
    /// Found in the folder above it.
    pub above: Vec<String>,
}

/// Which host the site is on, named only when all of its signs were found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// Its short name.
    pub signature: Option<String>,
    /// The signs.
    pub signs: Vec<String>,
}

/// What extends WordPress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtensionFacts {
    /// Plugins.
    pub plugins: Vec<PluginFacts>,
    /// Names in the folder of must-use plugins.
    pub must_use: Vec<String>,
    /// Names of drop-ins.
    pub drop_ins: Vec<String>,
}

/// A plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginFacts {
    /// Its main file, relative to the folder of plugins.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it is active.
    pub active: bool,
}

/// A count of files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileFacts {
    /// Files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Links.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of the largest.
    pub largest: u64,
    /// Whether everything was counted.
    pub complete: bool,
}

/// Whether the site reaches itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthFacts {
    /// A request to itself was answered.
    pub loopback: bool,
    /// REST answers.
    pub rest: bool,
    /// What went wrong.
    pub error: Option<String>,
}

impl Preflight {
    /// Puts the parts together.
    pub(super) fn from_parts(parts: Vec<Value>) -> Result<Self, SourceError> {
        let mut whole = serde_json::Map::new();
        for mut part in parts {
            if let (Some(name), facts) = (part["part"].as_str().map(str::to_owned), part["facts"].take()) {
                whole.insert(name, facts);
            }
        }
        serde_json::from_value(Value::Object(whole)).map_err(|error| protocol(&format!("preflight: {error}")))
    }
}
