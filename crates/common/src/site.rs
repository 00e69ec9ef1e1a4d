//! Sites of the platform, and where a migration comes from and goes to.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{OrganizationId, SiteId, StoreTime};

/// A site that an organization owns on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Document schema.
    pub schema: u16,
    /// Its id.
    pub id: SiteId,
    /// Its owner.
    pub organization: OrganizationId,
    /// Its name: unique within the installation, what the owner types into the plugin's page.
    pub name: String,
    /// Where its files, database and pages are. Secrets are kept apart, sealed.
    pub destination: DestinationSpec,
    /// When it was created.
    pub created_at: StoreTime,
}

/// Where a migration comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SourceSpec {
    /// A WordPress site with the Landfall plugin, which the owner installs and starts.
    Wordpress {
        /// The URL that the owner declared. Enrolment succeeds for no other.
        url: Url,
    },
    /// No source at all: counts units. For health tests of a running installation.
    Noop {
        /// Units in each phase, 1 to 100,000.
        units: u32,
        /// How long a unit takes, in milliseconds, at most 60,000.
        unit_ms: u32,
    },
}

/// Where a migration goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DestinationSpec {
    /// A document root, a database and a URL.
    Hosted(Box<HostedSite>),
    /// No destination at all. For health tests of a running installation.
    Noop,
}

/// A document root, a database, and the URL that serves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedSite {
    /// Where the site answers on the platform; probed before and after.
    pub url: Url,
    /// Its files.
    pub files: FilesTarget,
    /// Its database.
    pub database: DatabaseTarget,
    /// The document root as PHP at the destination sees it, where that is not `files`' root (a chrooted SFTP
    /// account sees another path). Server paths in the database are rewritten to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_root: Option<String>,
}

impl HostedSite {
    /// The document root as PHP at the destination sees it.
    pub fn document_root(&self) -> &str {
        match (&self.document_root, &self.files) {
            (Some(root), _) => root,
            (None, FilesTarget::Local { root } | FilesTarget::Sftp { root, .. }) => root,
        }
    }
}

/// How the destination's files are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FilesTarget {
    /// A folder that the worker sees.
    Local {
        /// Absolute path of the document root.
        root: String,
    },
    /// An SFTP account.
    Sftp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Account.
        user: String,
        /// The document root as the account sees it.
        root: String,
        /// The host's public key in OpenSSH's form (`ssh-ed25519 AAAA…`); any other is refused.
        host_key: String,
    },
}

/// The destination's MariaDB or MySQL database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseTarget {
    /// Host name or address, as the worker reaches it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Database.
    pub name: String,
    /// `DB_HOST` in the written `wp-config.php`, where PHP reaches it by another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_from_php: Option<String>,
    /// Table prefix at the destination; the source's is kept where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_prefix: Option<String>,
}

/// The secrets of a destination. Lives only sealed in the store and in a worker's memory.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteCredentials {
    /// The database user's password.
    #[serde(default)]
    pub database_password: String,
    /// The SFTP account's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp_password: Option<String>,
    /// The SFTP account's private key in OpenSSH's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp_private_key: Option<String>,
}

impl std::fmt::Debug for SiteCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SiteCredentials { .. }")
    }
}

impl SourceSpec {
    /// The host whose load a cap protects; none where there is no source.
    pub fn host(&self) -> Option<String> {
        match self {
            SourceSpec::Wordpress { url } => url.host_str().map(str::to_owned),
            SourceSpec::Noop { .. } => None,
        }
    }
}

impl DestinationSpec {
    /// The host whose load a cap protects: the database's; none where there is no destination.
    pub fn host(&self) -> Option<String> {
        match self {
            DestinationSpec::Hosted(site) => Some(format!("{}:{}", site.database.host, site.database.port)),
            DestinationSpec::Noop => None,
        }
    }
}

/// What a migration's source and the workers share. Lives only sealed in the store and in a worker's memory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSecret {
    /// Base64 of the 32 bytes that requests to the plugin are signed with.
    pub secret: String,
    /// The source's URL as the plugin gave it.
    pub url: Url,
    /// The source's wp-admin.
    #[serde(default)]
    pub admin_url: Option<String>,
    /// Hex of BLAKE3 of the token that the plugin's page asks for its status with.
    #[serde(default)]
    pub status_token_hash: String,
}

impl SourceSecret {
    /// The key's 32 bytes; none where the text is something else.
    pub fn key_bytes(&self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(&self.secret).ok()?;
        (bytes.len() == 32).then_some(bytes)
    }
}

impl std::fmt::Debug for SourceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceSecret").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}
