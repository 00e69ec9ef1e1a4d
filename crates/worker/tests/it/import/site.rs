//! A whole import: a WordPress source, a destination with an older site, and a snapshot and staged files as the phases
//! before would have left them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_common::migration::{Goal, Migration, Phase};
use landfall_common::site::{DatabaseTarget, DestinationSpec, FilesTarget, HostedSite, SiteCredentials};
use landfall_testkit::lab::{
    Check, CheckJob, DatabaseAccess, Destination, DestinationOptions, Lab, Pair, SftpLayout, Source, check,
    wait_until,
};
use landfall_worker::destination::database::Database;
use landfall_worker::destination::files::{self, SwapMode, Workspace, WorkspaceName};
use landfall_worker::phases::import::{ImportOptions, ImportPhase};
use landfall_worker::slice::{PhaseRun, PhaseRunner as _, Slice, SliceError};
use landfall_worker::snapshot_format::SourceFacts;

use super::copies;
use crate::support::trees::{Node, tree};
use crate::support::{FreeSlice, MemoryStaging, migration};

/// The database of a lab as the worker sees it.
pub(crate) fn database_of(access: &DatabaseAccess) -> Database {
    let credentials =
        SiteCredentials { database_password: access.password.clone(), ..SiteCredentials::default() };
    Database::new(&target_of(access, None), &credentials)
}

fn target_of(access: &DatabaseAccess, prefix: Option<&str>) -> DatabaseTarget {
    DatabaseTarget {
        host: access.host.clone(),
        port: access.port,
        user: access.user.clone(),
        name: access.database.clone(),
        host_from_php: None,
        table_prefix: prefix.map(str::to_owned),
    }
}

/// A lab with everything that an import needs.
pub(crate) struct ImportLab {
    pub(crate) lab: Lab,
    pub(crate) source: Source,
    pub(crate) destination: Destination,
    pub(crate) migration: Migration,
    pub(crate) staging: Arc<MemoryStaging>,
    pub(crate) lease: Arc<FreeSlice>,
    pub(crate) credentials: SiteCredentials,
    pub(crate) options: ImportOptions,
    token: AtomicU64,
}

/// A destination as it stands: its tables and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) database: Vec<String>,
    pub(crate) files: BTreeMap<Vec<u8>, Node>,
}

impl ImportLab {
    /// Starts the servers, takes the snapshot and stages the files, in a folder that the worker sees.
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    /// The same for a destination that is reached by SFTP.
    pub(crate) async fn over_sftp(layout: SftpLayout) -> Self {
        Self::with(Some(layout)).await
    }

    async fn with(layout: Option<SftpLayout>) -> Self {
        let lab = Lab::temporary().unwrap();
        let mut options = DestinationOptions::default();
        options.layout = layout.unwrap_or(options.layout);
        let (source, destination) = tokio::try_join!(
            lab.source_with(landfall_testkit::lab::SourceOptions {
                seed_arguments: vec!["--big-table-mb".into(), "180".into()],
                ..Default::default()
            }),
            lab.destination(options)
        )
        .unwrap();
        let site = &destination.site;
        let docroot = site.docroot.display().to_string();
        let files = match layout {
            None => FilesTarget::Local { root: docroot },
            Some(_) => FilesTarget::Sftp {
                host: "127.0.0.1".to_owned(),
                port: destination.sshd.port(),
                user: site.account.name.clone(),
                root: destination.sftp_docroot().to_owned(),
                host_key: destination.sshd.host_key().unwrap(),
            },
        };
        let hosted = HostedSite {
            url: site.url.clone(),
            files,
            database: target_of(&site.database, Some(&site.prefix)),
            // PHP says it itself.
            document_root: None,
        };
        let mut migration = migration(DestinationSpec::Hosted(Box::new(hosted)));
        migration.options.overwrite = true;
        let staging = Arc::new(MemoryStaging::default());
        let facts = SourceFacts {
            home: source.site.base_url().to_owned(),
            siteurl: source.site.base_url().to_owned(),
            table_prefix: source.site.prefix.clone(),
            paths: [("root".to_owned(), source.site.docroot.display().to_string())].into(),
            ..SourceFacts::default()
        };
        let manifest = copies::snapshot(&source.site.database, &staging, migration.id, facts, false).await;
        migration.outputs.insert(Phase::Snapshot, serde_json::json!({ "manifest": manifest }));
        let credentials = SiteCredentials {
            database_password: site.database.password.clone(),
            sftp_password: layout.map(|_| site.account.password.clone()),
            ..SiteCredentials::default()
        };
        let options = ImportOptions { alive_limit: Duration::from_secs(4), ..ImportOptions::default() };
        let lease = Arc::new(FreeSlice::default());
        let mut started = Self {
            lab,
            source,
            destination,
            migration,
            staging,
            lease,
            credentials,
            options,
            token: AtomicU64::new(100),
        };
        started.stage().await;
        started
    }

    /// Puts the source's files into a work folder.
    pub(crate) async fn stage(&mut self) {
        let DestinationSpec::Hosted(site) = &self.migration.destination else { unreachable!() };
        let random = uuid::Uuid::new_v4().simple().to_string();
        let root = files::document_root(&site.files).unwrap().to_string();
        let mode = match (&site.files, self.destination.layout) {
            (FilesTarget::Local { .. }, _) => SwapMode::Root,
            (FilesTarget::Sftp { .. }, SftpLayout::ParentWritable) => SwapMode::Sibling,
            (FilesTarget::Sftp { .. }, SftpLayout::DocrootOnly) => SwapMode::Entries,
        };
        let name = WorkspaceName { mode, root: root.clone(), random };
        let destination = files::connect(&site.files, &self.credentials).await.unwrap();
        let workspace = Workspace::open(destination, &name, 1).await.unwrap();
        // What the account sees lies somewhere below the lab's folder.
        let docroot = self.destination.site.docroot.display().to_string();
        let above = docroot.strip_suffix(&root).expect("the account sees the end of the path");
        let new = PathBuf::from(format!("{above}{}", workspace.new_root()));
        std::fs::create_dir_all(&new).unwrap();
        run(Command::new("cp").arg("-a").arg(format!("{}/.", self.source.site.docroot.display())).arg(&new));
        std::fs::remove_file(new.join("wp-config.php")).unwrap();
        let account = &self.destination.site.account.name;
        run(Command::new("chown")
            .args(["-R", "--no-dereference", &format!("{account}:{account}")])
            .arg(&new));
        let output = serde_json::json!({
            "workspace": name,
            "probe": { "mode": "root", "occupied_by": [], "free": null, "folds_case": false, "folds_forms": false,
                "takes_bytes": true, "takes_links": true, "name_bytes_max": 255 },
            "totals": { "files": 1, "folders": 1, "links": 0, "file_bytes": 1, "kept_bytes": 0, "not_placed": 0 },
            "not_placed": [],
        });
        self.migration.outputs.insert(Phase::Transfer, output);
    }

    /// A slice of the next claim.
    pub(crate) fn claim(&self) -> Slice {
        let token = self.token.fetch_add(1, Ordering::Relaxed);
        self.lease.claim(&self.migration, &self.staging, self.credentials.clone(), token)
    }

    /// The phase with the lab's options.
    pub(crate) fn phase(&self) -> ImportPhase {
        ImportPhase::new(self.options.clone())
    }

    /// Runs slices to the end.
    pub(crate) async fn run(&self) -> Result<PhaseRun, SliceError> {
        loop {
            let slice = self.claim();
            match self.phase().run(&slice, self.lease.checkpoint()).await? {
                PhaseRun::More => {}
                done @ PhaseRun::Done { .. } => return Ok(done),
            }
        }
    }

    /// From here on the migration works towards something else.
    pub(crate) fn aim(&mut self, goal: Goal) {
        self.migration.goal = goal;
        self.lease = Arc::new(FreeSlice::default());
    }

    /// The destination as it stands. Ours is in it as well, so that nothing of it is overlooked.
    pub(crate) async fn standing(&self) -> Standing {
        let folder = self.destination.site.docroot.parent().unwrap();
        Standing { database: copies::dump(&self.destination.site.database).await, files: tree(folder) }
    }

    /// The destination once WordPress has finished what visits made it do.
    pub(crate) async fn settled_standing(&self) -> Standing {
        let mut last = self.standing().await;
        for _ in 0..20 {
            let now = self.standing().await;
            if now == last {
                return now;
            }
            last = now;
        }
        panic!("the destination never comes to rest");
    }

    /// The destination as it stands before anything of ours was there: without the work folder.
    pub(crate) async fn standing_without_ours(&self) -> Standing {
        let mut standing = self.standing().await;
        let is_ours = |path: &[u8]| path.split(|b| *b == b'/').any(|part| part.starts_with(b".landfall-"));
        standing.files.retain(|path, _| !is_ours(path));
        standing
    }

    /// Compares source and destination by the lab's own checker.
    pub(crate) async fn check(&self) -> Check {
        let (from, to) = (&self.source.site, &self.destination.site);
        let pair = |from: &str, to: &str| Pair { from: from.to_owned(), to: to.to_owned() };
        let job = CheckJob {
            source_database: from.database.clone(),
            destination_database: to.database.clone(),
            source_root: from.docroot.display().to_string(),
            destination_root: to.docroot.display().to_string(),
            source_prefix: from.prefix.clone(),
            destination_prefix: to.prefix.clone(),
            urls: vec![pair(from.base_url(), to.base_url())],
            paths: vec![pair(&from.docroot.display().to_string(), &to.docroot.display().to_string())],
            exclude_paths: vec!["wp-config.php".to_owned(), ".landfall-*".to_owned()],
            exclude_tables: vec!["=lf_*".to_owned()],
            exclude_options: vec![
                "_transient_*".to_owned(),
                "_site_transient_*".to_owned(),
                "cron".to_owned(),
            ],
            modes: false,
            no_extra_tables: true,
        };
        check(&self.lab, &job).await.unwrap()
    }

    /// The status and body of a page of the destination, once PHP's cache holds nothing of the closed door any more.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let browser = self.destination.site.browser().unwrap();
        let seen = std::sync::Mutex::new((0, String::new()));
        let is_open = async || {
            let page = browser.get(path).await.unwrap();
            let is_open = page.status != 503;
            *seen.lock().unwrap() = (page.status, page.body);
            is_open
        };
        wait_until("the open door", Duration::from_secs(10), is_open).await.unwrap();
        seen.into_inner().unwrap()
    }
}

/// Fails with what differs, not with all of both.
pub(crate) fn assert_same(now: &Standing, before: &Standing, when: &str) {
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).map(|line| line.chars().take(300).collect()).collect()
    };
    let rows = (only(&now.database, &before.database), only(&before.database, &now.database));
    assert_eq!(rows, (Vec::new(), Vec::new()), "{when}: the databases differ");
    let changed: Vec<String> = now
        .files
        .iter()
        .filter(|(path, node)| before.files.get(*path) != Some(node))
        .chain(before.files.iter().filter(|(path, _)| !now.files.contains_key(*path)))
        .map(|(path, node)| format!("{} {node:?}", String::from_utf8_lossy(path)))
        .collect();
    assert_eq!(changed, Vec::<String>::new(), "{when}: the files differ");
}

/// Runs a tool that must succeed.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Everything below a folder whose name begins like this.
pub(crate) fn named_like(folder: &Path, part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![folder.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().contains(part) {
                found.push(path.clone());
            }
            if path.is_dir() && !path.is_symlink() {
                stack.push(path);
            }
        }
    }
    found
}
