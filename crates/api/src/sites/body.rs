//! The bodies of requests about sites, and their checks.

use landfall_common::OrganizationId;
use landfall_common::site::{DatabaseTarget, DestinationSpec, FilesTarget, HostedSite, SiteCredentials};
use serde::Deserialize;

use crate::problem::Problem;
use crate::validate::{Faults, folder, organization, secret, site_name, site_url, text};

/// Longest secret, in bytes: room for a private key.
const SECRET_MAX: usize = 16 * 1024;
/// Longest host name.
const HOST_MAX: usize = 253;

/// A site to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSite)]
pub(crate) struct SiteBody {
    /// Its name, 2 to 63 of a-z, 0-9 and -; unique within the installation.
    #[schema(required, nullable = false, example = "my-site")]
    name: Option<String>,
    /// Where its files, database and pages are.
    #[schema(required, nullable = false)]
    destination: Option<DestinationBody>,
    /// The destination's secrets; they can be given later.
    credentials: Option<CredentialsBody>,
    /// For tokens that act for every organization: whose it is; the platform's own where absent.
    organization: Option<String>,
}

/// Where a migration goes to.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[schema(as = Destination)]
pub(crate) enum DestinationBody {
    /// A document root, a database and a URL.
    Hosted {
        /// Where the site answers on the platform.
        #[schema(required, nullable = false)]
        url: Option<String>,
        /// Its files.
        #[schema(required, nullable = false)]
        files: Option<FilesBody>,
        /// Its database.
        #[schema(required, nullable = false)]
        database: Option<Box<DatabaseBody>>,
        /// The document root as the site's PHP sees it, where that is not the files' root.
        document_root: Option<String>,
    },
    /// No destination. For health tests of a running installation.
    Noop {},
}

/// How the destination's files are reached.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[schema(as = Files)]
pub(crate) enum FilesBody {
    /// A folder that the worker sees.
    Local {
        /// Absolute path of the document root.
        #[schema(required, nullable = false)]
        root: Option<String>,
    },
    /// An SFTP account.
    Sftp {
        /// Host name or address.
        #[schema(required, nullable = false)]
        host: Option<String>,
        /// Port; 22 where absent.
        port: Option<u16>,
        /// Account.
        #[schema(required, nullable = false)]
        user: Option<String>,
        /// The document root as the account sees it.
        #[schema(required, nullable = false)]
        root: Option<String>,
        /// The host's public key in OpenSSH's form; any other is refused.
        #[schema(required, nullable = false, example = "ssh-ed25519 AAAA…")]
        host_key: Option<String>,
    },
}

/// The destination's MariaDB or MySQL database.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Database)]
pub(crate) struct DatabaseBody {
    /// Host name or address, as the worker reaches it.
    #[schema(required, nullable = false)]
    host: Option<String>,
    /// Port; 3306 where absent.
    port: Option<u16>,
    /// User.
    #[schema(required, nullable = false)]
    user: Option<String>,
    /// Database.
    #[schema(required, nullable = false)]
    name: Option<String>,
    /// `DB_HOST` in the written `wp-config.php`, where PHP reaches it by another name.
    host_from_php: Option<String>,
    /// Table prefix at the destination; the source's is kept where this is absent.
    table_prefix: Option<String>,
}

/// The secrets of a destination. They are sealed at once and never shown again.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credentials)]
pub(crate) struct CredentialsBody {
    /// The database user's password.
    #[schema(required, nullable = false, write_only)]
    database_password: Option<String>,
    /// The SFTP account's password.
    #[schema(write_only)]
    sftp_password: Option<String>,
    /// The SFTP account's private key in OpenSSH's form.
    #[schema(write_only)]
    sftp_private_key: Option<String>,
}

impl std::fmt::Debug for CredentialsBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialsBody { .. }")
    }
}

/// A site whose fields are valid.
#[derive(Debug)]
pub(crate) struct NewSite {
    pub(crate) name: String,
    pub(crate) destination: DestinationSpec,
    pub(crate) credentials: Option<SiteCredentials>,
    pub(crate) organization: Option<OrganizationId>,
}

impl NewSite {
    /// Whether its files lie in a folder of the worker's machine.
    pub(crate) fn has_local_root(&self) -> bool {
        match &self.destination {
            DestinationSpec::Hosted(site) => matches!(site.files, FilesTarget::Local { .. }),
            DestinationSpec::Noop => false,
        }
    }
}

impl SiteBody {
    /// Checks all fields; every fault is reported at once.
    pub(crate) fn check(self) -> Result<NewSite, Problem> {
        let mut faults = Faults::default();
        let name = faults.required("name", self.name, site_name);
        let destination = faults.required("destination", self.destination, Ok);
        let destination = destination.and_then(|body| check_destination(&mut faults, body));
        let credentials =
            self.credentials.and_then(|body| check_credentials(&mut faults, "credentials.", body));
        let organization = faults.optional("organization", self.organization, organization);
        let site = name.zip(destination).map(|(name, destination)| NewSite {
            name,
            destination,
            credentials,
            organization,
        });
        faults.finish(site)
    }
}

impl CredentialsBody {
    /// Checks all fields; every fault is reported at once.
    pub(crate) fn check(self) -> Result<SiteCredentials, Problem> {
        let mut faults = Faults::default();
        let credentials = check_credentials(&mut faults, "", self);
        faults.finish(credentials)
    }
}

fn check_credentials(faults: &mut Faults, at: &str, body: CredentialsBody) -> Option<SiteCredentials> {
    let field = |name: &str| format!("{at}{name}");
    let password = faults.required(&field("database_password"), body.database_password, secret(SECRET_MAX));
    let sftp_password = faults.optional(&field("sftp_password"), body.sftp_password, secret(SECRET_MAX));
    let sftp_private_key = faults.optional(&field("sftp_private_key"), body.sftp_private_key, private_key);
    Some(SiteCredentials { database_password: password?, sftp_password, sftp_private_key })
}

fn private_key(text: String) -> Result<String, String> {
    let key = secret(SECRET_MAX)(text)?;
    if key.trim_start().starts_with("-----BEGIN ") { Ok(key) } else { Err("is not a PEM key".to_owned()) }
}

fn check_destination(faults: &mut Faults, body: DestinationBody) -> Option<DestinationSpec> {
    match body {
        DestinationBody::Noop {} => Some(DestinationSpec::Noop),
        DestinationBody::Hosted { url, files, database, document_root } => {
            let url = faults.required("destination.url", url, site_url);
            let files = faults.required("destination.files", files, Ok);
            let files = files.and_then(|files| check_files(faults, files));
            let database = faults.required("destination.database", database, Ok);
            let database = database.and_then(|database| check_database(faults, *database));
            let document_root = faults.optional("destination.document_root", document_root, folder);
            let site = HostedSite { url: url?, files: files?, database: database?, document_root };
            Some(DestinationSpec::Hosted(Box::new(site)))
        }
    }
}

fn check_files(faults: &mut Faults, body: FilesBody) -> Option<FilesTarget> {
    match body {
        FilesBody::Local { root } => {
            let root = faults.required("destination.files.root", root, folder)?;
            Some(FilesTarget::Local { root })
        }
        FilesBody::Sftp { host, port, user, root, host_key } => {
            let host = faults.required("destination.files.host", host, host_name);
            let port = faults.check("destination.files.port", port_number(port.unwrap_or(22)));
            let user = faults.required("destination.files.user", user, text(128));
            let root = faults.required("destination.files.root", root, folder);
            let host_key = faults.required("destination.files.host_key", host_key, public_key);
            Some(FilesTarget::Sftp {
                host: host?,
                port: port?,
                user: user?,
                root: root?,
                host_key: host_key?,
            })
        }
    }
}

fn check_database(faults: &mut Faults, body: DatabaseBody) -> Option<DatabaseTarget> {
    let host = faults.required("destination.database.host", body.host, host_name);
    let port = faults.check("destination.database.port", port_number(body.port.unwrap_or(3306)));
    let user = faults.required("destination.database.user", body.user, text(80));
    let name = faults.required("destination.database.name", body.name, text(64));
    let host_from_php =
        faults.optional("destination.database.host_from_php", body.host_from_php, text(HOST_MAX));
    let table_prefix = faults.optional("destination.database.table_prefix", body.table_prefix, table_prefix);
    Some(DatabaseTarget { host: host?, port: port?, user: user?, name: name?, host_from_php, table_prefix })
}

/// A host name or an address; whether it may be called is the worker's matter.
fn host_name(host: String) -> Result<String, String> {
    url::Host::parse(&host)
        .or_else(|_| url::Host::parse(&format!("[{host}]")))
        .map_err(|error| format!("is not a host: {error}"))?;
    if host.len() > HOST_MAX { Err(format!("has more than {HOST_MAX} characters")) } else { Ok(host) }
}

fn port_number(port: u16) -> Result<u16, String> {
    if port == 0 { Err("has to be 1 to 65535".to_owned()) } else { Ok(port) }
}

/// WordPress' own rule for prefixes, and a length that leaves room for the longest of its table names.
fn table_prefix(prefix: String) -> Result<String, String> {
    let is_good =
        (1..=40).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_good { Ok(prefix) } else { Err("has to be 1 to 40 letters, digits and _".to_owned()) }
}

/// `ssh-ed25519 AAAA… comment`: an algorithm and the key in base64.
fn public_key(key: String) -> Result<String, String> {
    use base64::Engine;
    let key = text(4096)(key)?;
    let mut parts = key.split(' ');
    let (algorithm, blob) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let names_itself = base64::engine::general_purpose::STANDARD
        .decode(blob)
        .is_ok_and(|blob| blob.get(4..).is_some_and(|rest| rest.starts_with(algorithm.as_bytes())));
    if names_itself && !algorithm.is_empty() {
        Ok(key)
    } else {
        Err("is not a public key in OpenSSH's form".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_key_has_to_be_what_it_says() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS host";
        assert!(public_key(key.to_owned()).is_ok());
        for bad in ["", "ssh-ed25519", "ssh-ed25519 hello", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1Hw"] {
            assert!(public_key(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["db.example.org", "127.0.0.1", "::1", "localhost"] {
            assert!(host_name(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "a b", "http://x", "host:3306", "a/b"] {
            assert!(host_name(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
