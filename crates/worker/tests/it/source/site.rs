//! One seeded source for all tests of this folder; each takes it for itself while it runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_testkit::lab::{Lab, Profile, Source};
use landfall_worker::memory::MemoryBudget;
use landfall_worker::model::{EntryKind, FileEntry};
use landfall_worker::net::AddressPolicy;
use landfall_worker::source::{SourceClient, SourceEndpoint, SourceLimits, default_exclusions};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use url::Url;

pub(super) const MIGRATION: &str = "mig_test";
pub(super) const SECRET: [u8; 32] = [42; 32];

/// The source, the plugin active and holding the key of `MIGRATION`.
pub(super) struct Site {
    pub(super) source: Source,
    _lab: Lab,
}

static SITE: OnceCell<Mutex<Site>> = OnceCell::const_new();

/// The source, enrolled anew.
pub(super) async fn site() -> MutexGuard<'static, Site> {
    let site = SITE.get_or_init(|| async { Mutex::new(start().await) }).await.lock().await;
    site.enrol(&SECRET).await;
    site
}

async fn start() -> Site {
    let lab = Lab::temporary().expect("a lab");
    let source = lab.source(Profile::Small).await.expect("a source");
    let zip = plugin_zip(lab.folder(), "http://127.0.0.1:9");
    source.site.install_plugin(&zip).await.expect("the plugin is installed");
    Site { source, _lab: lab }
}

/// Builds the plugin for an API.
pub(super) fn plugin_zip(folder: &Path, api_url: &str) -> PathBuf {
    let zip = folder.join("landfall-migrate.zip");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/plugin-zip");
    let done = Command::new(script).args(["--api-url", api_url, "--output"]).arg(&zip).output().expect("php");
    assert!(done.status.success(), "{done:?}");
    zip
}

impl Site {
    /// Gives the plugin a key, as an enrolment does.
    pub(super) async fn enrol(&self, secret: &[u8]) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let code =
            format!("Landfall_Migrate_Credentials::store_key( '{MIGRATION}', hex2bin( '{hex}' ), 3600 );");
        self.source.site.php(&code).await.expect("the key is stored");
    }

    /// A client of the site.
    pub(super) fn client(&self) -> SourceClient {
        self.client_of(self.endpoint(&self.source.site.url, &SECRET))
    }

    /// The site under a URL.
    pub(super) fn endpoint(&self, url: &Url, secret: &[u8]) -> SourceEndpoint {
        SourceEndpoint::new(url.clone(), MIGRATION, secret.to_vec())
    }

    /// A client of an endpoint, with short waits.
    pub(super) fn client_of(&self, endpoint: SourceEndpoint) -> SourceClient {
        let limits =
            SourceLimits { backoff: std::time::Duration::from_millis(20), ..SourceLimits::default() };
        SourceClient::new(
            endpoint,
            AddressPolicy::public_only().with_loopback(),
            limits,
            MemoryBudget::default(),
        )
        .expect("a client")
    }

    /// The site under a name that is not one of this machine, as the Internet would see it.
    pub(super) fn far_client(&self, address: SocketAddr) -> SourceClient {
        let url = Url::parse(&format!("http://far.example.test:{}", address.port())).expect("a URL");
        self.client_of(self.endpoint(&url, &SECRET).with_address(address))
    }

    /// Where the web server listens.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.source.web.port()))
    }

    /// Lists everything.
    pub(super) async fn list(&self, client: &SourceClient) -> BTreeMap<Vec<u8>, FileEntry> {
        let mut lister = client.list_files(None, &default_exclusions());
        let mut entries = BTreeMap::new();
        while let Some(page) = lister.next_page().await.expect("a page") {
            for entry in page.entries {
                let twice = entries.insert(entry.path.as_bytes().to_vec(), entry);
                assert!(twice.is_none(), "{twice:?} came twice");
            }
        }
        entries
    }

    /// Runs SQL in the site's database.
    pub(super) async fn sql(&self, statements: &str) -> String {
        let database = &self.source.site.database.database;
        self.source.mariadb.sql(&format!("USE `{database}`; {statements}")).await.expect("SQL")
    }
}

/// Paths of the files among entries.
pub(super) fn files_of(entries: &BTreeMap<Vec<u8>, FileEntry>) -> Vec<&FileEntry> {
    entries.values().filter(|entry| matches!(entry.kind, EntryKind::File { .. })).collect()
}
