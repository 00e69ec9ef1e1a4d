//! A source: the host that a site is to leave.

use std::sync::Arc;

use anyhow::Result;
use url::Url;

use super::account::Account;
use super::guardian::Guardian;
use super::mariadb::{MariaDb, MariaDbOptions};
use super::web::{WebHost, WebOptions};
use super::wordpress::{Plan, Profile, WordPressSite};

/// The source's host name. The destination's has another length, so that a wrong serialized length shows.
const HOST: &str = "old-shop.example.localhost";

/// What a source is made of.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// How much is in it.
    pub profile: Profile,
    /// The host name.
    pub host: String,
    /// The database server.
    pub mariadb: MariaDbOptions,
    /// The web server.
    pub web: WebOptions,
    /// More arguments for the seeder, such as `--big-file-mb 300` and `--big-table-mb 200`.
    pub seed_arguments: Vec<String>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Small,
            host: HOST.to_owned(),
            mariadb: MariaDbOptions::default(),
            web: WebOptions::default(),
            seed_arguments: Vec::new(),
        }
    }
}

/// A running source.
#[derive(Debug)]
pub struct Source {
    /// The seeded site.
    pub site: WordPressSite,
    /// Its web server.
    pub web: WebHost,
    /// Its database server.
    pub mariadb: MariaDb,
}

impl Source {
    pub(super) async fn start(guardian: &Arc<Guardian>, options: SourceOptions) -> Result<Self> {
        let docroot = guardian.folder().join("source/htdocs");
        let (mariadb, account) = tokio::try_join!(
            MariaDb::start(guardian, "source-mariadb", options.mariadb),
            Account::create(guardian)
        )?;
        let web = WebHost::start(guardian, "source-web", &docroot, &account, &options.web).await?;
        let plan = Plan {
            url: Url::parse(&format!("http://{}:{}", options.host, web.port()))?,
            docroot,
            database: mariadb.create_database("old_shop").await?,
            prefix: "wp_",
            account,
            tools: guardian.folder().join("tools"),
            profile: options.profile,
            seed_arguments: options.seed_arguments,
        };
        let site = WordPressSite::install(plan).await?;
        site.wait_answers().await?;
        Ok(Self { site, web, mariadb })
    }
}
