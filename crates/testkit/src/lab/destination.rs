//! A destination: the account at the host that a site is to move to.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use url::Url;

use super::account::Account;
use super::guardian::Guardian;
use super::mariadb::{MariaDb, MariaDbOptions};
use super::sshd::Sshd;
use super::web::{WebHost, WebOptions};
use super::wordpress::{Plan, Profile, WordPressSite};
use super::{Tool, run};

const HOST: &str = "new.example.localhost";

/// What the account may write to over SFTP, which decides how the document root can be swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SftpLayout {
    /// The document root is `/home/public_html`, and the account may write to `/home`: a sibling folder can be made.
    ParentWritable,
    /// The document root is `/public_html` in a chroot that is root's: only what is in it can be renamed.
    DocrootOnly,
}

/// What a destination is made of.
#[derive(Clone, Debug)]
pub struct DestinationOptions {
    /// Where the account may write.
    pub layout: SftpLayout,
    /// The host name, of another length than the source's.
    pub host: String,
    /// The tables' prefix, another than the source's.
    pub prefix: &'static str,
    /// The older site's seed.
    pub profile: Profile,
    /// The database server.
    pub mariadb: MariaDbOptions,
    /// The web server.
    pub web: WebOptions,
}

impl Default for DestinationOptions {
    fn default() -> Self {
        Self {
            layout: SftpLayout::ParentWritable,
            host: HOST.to_owned(),
            prefix: "site_",
            profile: Profile::Older,
            mariadb: MariaDbOptions::default(),
            web: WebOptions::default(),
        }
    }
}

/// A running destination with an older site in it.
#[derive(Debug)]
pub struct Destination {
    /// The older site, which a migration replaces. Its database, docroot, account and URL are the destination's.
    pub site: WordPressSite,
    /// The web server.
    pub web: WebHost,
    /// The SFTP server.
    pub sshd: Sshd,
    /// The database server.
    pub mariadb: MariaDb,
    /// Where the account may write.
    pub layout: SftpLayout,
}

impl Destination {
    pub(super) async fn start(guardian: &Arc<Guardian>, options: DestinationOptions) -> Result<Self> {
        let chroot = guardian.folder().join("destination/chroot");
        fs::create_dir_all(&chroot)?;
        let (mariadb, account) = tokio::try_join!(
            MariaDb::start(guardian, "destination-mariadb", options.mariadb),
            Account::create(guardian)
        )?;
        let docroot = match options.layout {
            SftpLayout::ParentWritable => {
                let home = chroot.join("home");
                fs::create_dir_all(&home)?;
                run(Tool::new("chown").arg(account.owner()).arg(&home)).await?;
                home.join("public_html")
            }
            SftpLayout::DocrootOnly => chroot.join("public_html"),
        };
        let (sshd, web) = tokio::try_join!(
            Sshd::start(guardian, "destination-sshd", &chroot, &account),
            WebHost::start(guardian, "destination-web", &docroot, &account, &options.web)
        )?;
        let plan = Plan {
            url: Url::parse(&format!("http://{}:{}", options.host, web.port()))?,
            docroot,
            database: mariadb.create_database("new_home").await?,
            prefix: options.prefix,
            account,
            tools: guardian.folder().join("tools"),
            profile: options.profile,
            seed_arguments: Vec::new(),
        };
        let site = WordPressSite::install(plan).await?;
        site.wait_answers().await?;
        Ok(Self { site, web, sshd, mariadb, layout: options.layout })
    }

    /// The document root as the SFTP session sees it.
    pub fn sftp_docroot(&self) -> &'static str {
        match self.layout {
            SftpLayout::ParentWritable => "/home/public_html",
            SftpLayout::DocrootOnly => "/public_html",
        }
    }

    /// Empties the document root and drops every table: a destination that was never used.
    pub async fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.site.docroot)? {
            let path: PathBuf = entry?.path();
            run(Tool::new("rm").args(["-rf", "--"]).arg(path)).await?;
        }
        let name = &self.site.database.database;
        self.mariadb
            .sql(&format!("DROP DATABASE `{name}`; CREATE DATABASE `{name}` CHARACTER SET utf8mb4"))
            .await?;
        Ok(())
    }
}
