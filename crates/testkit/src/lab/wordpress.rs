//! A WordPress installation made from Debian's package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use url::Url;

use super::account::Account;
use super::browser::{Browser, Page};
use super::daemon::wait_until;
use super::mariadb::DatabaseAccess;
use super::{Tool, random_word, run};

const PACKAGED: &str = "/usr/share/wordpress";
/// The plugin's page in wp-admin.
const PLUGIN_PAGE: &str = "wp-admin/admin.php?page=landfall-migrate";

const FIRST_PAGE_LIMIT: Duration = Duration::from_secs(30);

/// How much the seeder puts into a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Two dozen posts and a sample of everything odd: for tests.
    Small,
    /// At least 5,000 files and 200 MB, with a row of 20 MB: for `make demo`.
    Demo,
    /// 13,000 files, 560 MB, a dump of 180 MB: for `make bench`.
    Medium,
    /// The older site of a destination: an installation with a few posts and one table of its own.
    Older,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Demo => "demo",
            Self::Medium => "medium",
            Self::Older => "older",
        }
    }
}

/// What the seeder made, for probes and expectations. Paths are relative to the site's URL.
#[derive(Clone, Debug, Deserialize)]
pub struct Seeded {
    /// A post that links to others and shows an image.
    pub post: String,
    /// The title of that post.
    pub post_title: String,
    /// A page.
    pub page: String,
    /// An image with thumbnails.
    pub image: String,
    /// Published posts.
    pub posts: u64,
    /// Attachments with thumbnails.
    pub images: u64,
    /// Tables in the database, views not counted.
    pub tables: u64,
    /// Regular files below the document root.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the database's tables, as its server estimates them.
    pub database_bytes: u64,
}

/// An installed WordPress site.
#[derive(Clone, Debug)]
pub struct WordPressSite {
    /// Its address, without a path.
    pub url: Url,
    /// Where its `index.php` lies.
    pub docroot: PathBuf,
    /// Its database.
    pub database: DatabaseAccess,
    /// Its tables' prefix.
    pub prefix: String,
    /// The system user that owns its files and runs its PHP.
    pub account: Account,
    /// The administrator's log-in name.
    pub admin_user: String,
    /// The administrator's password.
    pub admin_password: String,
    /// What the seeder put in.
    pub seeded: Seeded,
    tools: PathBuf,
}

/// What an installation is made of.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) url: Url,
    pub(super) docroot: PathBuf,
    pub(super) database: DatabaseAccess,
    pub(super) prefix: &'static str,
    pub(super) account: Account,
    pub(super) tools: PathBuf,
    pub(super) profile: Profile,
    /// More arguments for the seeder.
    pub(super) seed_arguments: Vec<String>,
}

impl WordPressSite {
    /// Copies the program, installs it and seeds it.
    pub(super) async fn install(plan: Plan) -> Result<Self> {
        ensure!(
            Path::new(PACKAGED).join("wp-load.php").exists(),
            "Debian's wordpress is missing: scripts/setup"
        );
        fs::create_dir_all(&plan.docroot)?;
        // The package's own files are links to other packages' folders.
        run(Tool::new("cp").args(["-rL", "--reflink=auto"]).arg(format!("{PACKAGED}/.")).arg(&plan.docroot))
            .await?;
        let config = plan.docroot.join("wp-config.php");
        fs::write(&config, wp_config(&plan))?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o640))?;
        for folder in ["wp-content/uploads", "wp-content/upgrade"] {
            fs::create_dir_all(plan.docroot.join(folder))?;
        }
        run(Tool::new("chown").args(["-R", "--no-dereference", &plan.account.owner()]).arg(&plan.docroot))
            .await?;
        let admin_password = random_word(16);
        let php =
            |script: &str| php_command(&plan.account, &plan.tools.join("seed").join(script), &plan.docroot);
        run(php("install.php").arg(&admin_password).arg(plan.url.as_str().trim_end_matches('/'))).await?;
        let seeded =
            run(php("seed.php").args(["--profile", plan.profile.name()]).args(&plan.seed_arguments)).await?;
        let last = seeded.lines().last().unwrap_or("");
        let seeded = serde_json::from_str(last).with_context(|| format!("the seeder printed {last:?}"))?;
        Ok(Self {
            url: plan.url,
            docroot: plan.docroot,
            database: plan.database,
            prefix: plan.prefix.to_owned(),
            account: plan.account,
            admin_user: "admin".to_owned(),
            admin_password,
            seeded,
            tools: plan.tools,
        })
    }

    /// The address without the slash at its end, as WordPress' `siteurl` has it.
    pub fn base_url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// A browser at this site, logged in nowhere.
    pub fn browser(&self) -> Result<Browser> {
        Browser::new(&self.url)
    }

    /// A browser with the administrator logged in.
    pub async fn admin(&self) -> Result<Browser> {
        let browser = self.browser()?;
        browser.log_in(&self.admin_user, &self.admin_password).await?;
        Ok(browser)
    }

    /// Waits until the site's own web server shows its home page.
    pub(super) async fn wait_answers(&self) -> Result<()> {
        let browser = self.browser()?;
        let last = std::sync::Mutex::new(String::new());
        let waited = wait_until("the site's home page", FIRST_PAGE_LIMIT, || async {
            let answer = browser.get("").await;
            let is_there = answer.as_ref().is_ok_and(|page| page.status == 200);
            *last.lock().unwrap_or_else(PoisonError::into_inner) = format!("{answer:?}");
            is_there
        })
        .await;
        let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
        waited.with_context(|| format!("the last answer was {last:.1000}"))
    }

    /// Evaluates PHP within the loaded site, as its account, and returns what it prints.
    pub async fn php(&self, code: &str) -> Result<String> {
        let script = self.tools.join("seed/evaluate.php");
        run(php_command(&self.account, &script, &self.docroot).arg(code)).await
    }

    /// Unpacks a plugin's zip and activates it by WordPress' own functions, which run its activation hook.
    pub async fn install_plugin(&self, zip: &Path) -> Result<()> {
        let readable = self.tools.join(format!("plugin-{}.zip", random_word(8)));
        fs::copy(zip, &readable).with_context(|| format!("{} cannot be read", zip.display()))?;
        fs::set_permissions(&readable, fs::Permissions::from_mode(0o644))?;
        let script = self.tools.join("seed/plugin.php");
        let installed = run(php_command(&self.account, &script, &self.docroot).arg(&readable)).await;
        fs::remove_file(&readable)?;
        installed.map(drop)
    }

    /// What a site owner does: logs in, opens the plugin's page, pastes the token and the site's name, and clicks
    /// Migrate; where an earlier migration is over, "Migrate again" before. Returns the page that the click leads to; its
    /// notices say what went wrong.
    pub async fn start_migration_through_plugin(&self, token: &str, site: &str) -> Result<Page> {
        let browser = self.admin().await?;
        let mut page = browser.get(PLUGIN_PAGE).await?;
        if page.form_with("landfall_token").is_err() {
            page = browser.submit(&page, &page.form_with("landfall_do")?).await?;
        }
        let mut form = page.form_with("landfall_token")?;
        form.fill("landfall_token", token);
        ensure!(form.fill("landfall_site", site), "the plugin's form has no field for the site's name");
        browser.submit(&page, &form).await
    }
}

/// PHP's command line as the site's account. The seeder needs more memory than a web request gets.
fn php_command(account: &Account, script: &Path, docroot: &Path) -> Tool {
    let mut tool = Tool::new("setpriv");
    tool.arg(format!("--reuid={}", account.name))
        .arg(format!("--regid={}", account.name))
        .arg("--clear-groups");
    tool.args([
        "php",
        "-d",
        "memory_limit=2G",
        "-d",
        "display_errors=stderr",
        "-d",
        "sendmail_path=/bin/true",
    ]);
    tool.args(["-d", "error_reporting=E_ALL"]).arg(script).arg(docroot).current_dir("/");
    tool
}

fn wp_config(plan: &Plan) -> String {
    let database = &plan.database;
    let mut salts = String::new();
    for name in ["AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"] {
        for kind in ["KEY", "SALT"] {
            salts.push_str(&format!("define( '{name}_{kind}', '{}' );\n", random_word(48)));
        }
    }
    format!(
        "<?php\n\
         define( 'DB_NAME', '{}' );\ndefine( 'DB_USER', '{}' );\ndefine( 'DB_PASSWORD', '{}' );\n\
         define( 'DB_HOST', '{}:{}' );\ndefine( 'DB_CHARSET', 'utf8mb4' );\ndefine( 'DB_COLLATE', '' );\n{salts}\
         $table_prefix = '{}';\n\
         // The lab changes a site only when it means to.\n\
         define( 'DISABLE_WP_CRON', true );\ndefine( 'AUTOMATIC_UPDATER_DISABLED', true );\n\
         define( 'WP_DEBUG', false );\ndefine( 'WP_HTTP_BLOCK_EXTERNAL', true );\n\
         define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1,localhost,*.localhost' );\n\
         if ( ! defined( 'ABSPATH' ) ) {{\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}}\n\
         require_once ABSPATH . 'wp-settings.php';\n",
        database.database, database.user, database.password, database.host, database.port, plan.prefix,
    )
}
