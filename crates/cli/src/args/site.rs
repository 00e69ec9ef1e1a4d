//! Arguments of `landfall site`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::ListArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Create a site.
    Create(Box<CreateSiteArgs>),
    /// List sites, newest first.
    List(ListArgs),
    /// Show a site.
    Show {
        /// Its id or name.
        site: String,
    },
    /// Replace a site's credentials. A migration that waits for them goes on.
    Credentials(CredentialsArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("destination").required(true))]
#[command(group = ArgGroup::new("files").conflicts_with_all(["noop", "file"]))]
pub(crate) struct CreateSiteArgs {
    /// Its name, 2 to 63 of a-z, 0-9 and -: what its owner types into the plugin's page.
    pub(crate) name: String,
    /// A site without a destination, for health tests.
    #[arg(long, group = "destination")]
    pub(crate) noop: bool,
    /// The destination as JSON, as `POST /v1/sites` takes it; `-` for standard input.
    #[arg(long, group = "destination", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Where the site answers on the platform.
    #[arg(long, group = "destination", requires = "files", requires = "db_host")]
    pub(crate) url: Option<String>,
    /// Its files are in this folder, which workers see.
    #[arg(long, group = "files", value_name = "FOLDER")]
    pub(crate) local_root: Option<String>,
    /// Its files are reached by SFTP: user@host or user@host:port.
    #[arg(long, group = "files", value_name = "ACCOUNT", requires = "sftp_root", requires = "sftp_host_key")]
    pub(crate) sftp: Option<String>,
    /// The document root as the SFTP account sees it.
    #[arg(long, value_name = "FOLDER", requires = "sftp")]
    pub(crate) sftp_root: Option<String>,
    /// The SFTP host's public key in OpenSSH's form (`ssh-keyscan HOST`); any other is refused.
    #[arg(long, value_name = "KEY", requires = "sftp")]
    pub(crate) sftp_host_key: Option<String>,
    /// The database's host or host:port, as workers reach it.
    #[arg(long, value_name = "HOST", requires = "db_name", requires = "db_user")]
    pub(crate) db_host: Option<String>,
    /// The database.
    #[arg(long, value_name = "NAME", requires = "db_host")]
    pub(crate) db_name: Option<String>,
    /// The database's user.
    #[arg(long, value_name = "USER", requires = "db_host")]
    pub(crate) db_user: Option<String>,
    /// `DB_HOST` for the site's PHP, where it reaches the database by another name.
    #[arg(long, value_name = "HOST", requires = "db_host")]
    pub(crate) db_host_from_php: Option<String>,
    /// Table prefix at the destination; the source's where absent.
    #[arg(long, value_name = "PREFIX", requires = "db_host")]
    pub(crate) table_prefix: Option<String>,
    /// Its secrets as JSON, `{"database_password": …, "sftp_password" or "sftp_private_key": …}`; `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "noop")]
    pub(crate) credentials_file: Option<PathBuf>,
    /// For tokens that act for every organization: whose it is; org_…, or `new` to begin one.
    #[arg(long)]
    pub(crate) organization: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialsArgs {
    /// The site, by id or name.
    pub(crate) site: String,
    /// The secrets as JSON, `{"database_password": …, "sftp_password" or "sftp_private_key": …}`; `-` for standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
}
