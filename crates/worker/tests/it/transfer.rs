//! The transfer phase, into a folder and over SFTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use landfall_common::Phase;
use landfall_common::migration::Migration;
use landfall_common::site::{DatabaseTarget, DestinationSpec, FilesTarget, HostedSite, SiteCredentials};
use landfall_testkit::lab::Lab;
use landfall_worker::destination::files::{FilesError, SftpFiles, SwapMode, WorkspaceName};
use landfall_worker::phases::transfer::{TransferOutput, TransferPhase};
use landfall_worker::slice::{PhaseRun, PhaseRunner as _, SliceError};
use rand::{Rng as _, SeedableRng as _};

use crate::snapshot::copy;
use crate::support::made_up::{MadeUp, usual_site};
use crate::support::trees::{Node, tree};
use crate::support::{FreeSlice, MemoryStaging, kill_after};

struct Arrival {
    migration: Migration,
    staging: Arc<MemoryStaging>,
    credentials: SiteCredentials,
    lease: Arc<FreeSlice>,
}

impl Arrival {
    /// A snapshot of the site, and a migration of it to that place.
    async fn of(site: MadeUp, files: FilesTarget, credentials: SiteCredentials) -> Self {
        let (mut migration, staging, _, output) = copy(&Arc::new(site), None, 0).await;
        migration.outputs.insert(Phase::Snapshot, serde_json::to_value(output).unwrap());
        migration.destination = hosted(files);
        Self { migration, staging, credentials, lease: Arc::new(FreeSlice::default()) }
    }

    /// Runs the phase to its end, killing slices at random places where a seed is given.
    async fn run(&self, seed: Option<u64>) -> Result<TransferOutput, SliceError> {
        // Over a network each act takes a few polls, on a disk one.
        let is_far = matches!(&self.migration.destination, DestinationSpec::Hosted(site)
            if matches!(site.files, FilesTarget::Sftp { .. }));
        let polls_max = if is_far { 1200 } else { 40 };
        let polls_first = if is_far { 150 } else { 30 };
        let mut random = rand::rngs::StdRng::seed_from_u64(seed.unwrap_or(0));
        let mut kills = 0;
        for token in 100..3000 {
            let slice = self.lease.claim(&self.migration, &self.staging, self.credentials.clone(), token);
            let phase = TransferPhase;
            let most = if kills < 4 { polls_first } else { polls_max + kills * 3 };
            let polls = seed.map_or(u64::MAX, |_| random.random_range(1..most));
            match kill_after(polls, phase.run(&slice, self.lease.checkpoint())).await {
                Some(Ok(PhaseRun::Done { output, .. })) => {
                    assert!(seed.is_none() || kills >= 3, "only {kills} kills");
                    return Ok(serde_json::from_value(output).unwrap());
                }
                Some(Ok(PhaseRun::More)) => {}
                None => kills += 1,
                Some(Err(error)) => return Err(error),
            }
        }
        panic!("the transfer does not come to its end");
    }
}

fn hosted(files: FilesTarget) -> DestinationSpec {
    DestinationSpec::Hosted(Box::new(HostedSite {
        url: "http://new.localhost/".parse().unwrap(),
        files,
        document_root: None,
        database: DatabaseTarget {
            host: "127.0.0.1".to_owned(),
            port: 1,
            user: String::new(),
            name: String::new(),
            host_from_php: None,
            table_prefix: None,
        },
    }))
}

fn local(root: &Path) -> FilesTarget {
    FilesTarget::Local { root: root.to_str().unwrap().to_owned() }
}

/// The one work folder in this folder.
fn work_folder(base: &Path) -> PathBuf {
    let entries = std::fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        entries.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(".landfall-")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Everything of the usual site but what belongs to the old host is there, byte for byte.
fn check_staged(new: &Path) {
    let site = usual_site();
    let staged = tree(new);
    let left_out: [&[u8]; 4] = [b"wp-content/object-cache.php", b".user.ini", b"escape", b"gone.bin"];
    for file in &site.files {
        let path = file.entry.path.as_bytes();
        if left_out.contains(&path) {
            assert!(!staged.contains_key(path), "{:?}", file.entry.path);
            continue;
        }
        let node = staged.get(path).unwrap_or_else(|| panic!("{:?} is missing", file.entry.path));
        match node {
            Node::File { mode, mtime, hash } => {
                assert_eq!(*hash, blake3::hash(&file.contents).to_hex().to_string(), "{:?}", file.entry.path);
                assert_eq!((*mode, *mtime), (file.entry.mode, file.entry.mtime), "{:?}", file.entry.path);
            }
            Node::Folder { mode } => assert_eq!(*mode, file.entry.mode),
            Node::Link { target } if path == b"absolute" => assert_eq!(target, b"wp-content/uploads"),
            Node::Link { target } => assert_eq!(target, b"uploads/file-1.jpg"),
        }
    }
    let folders = staged.values().filter(|node| matches!(node, Node::Folder { .. })).count();
    assert_eq!(staged.len(), site.files.len() - left_out.len(), "nothing else is there ({folders} folders)");
}

#[tokio::test]
async fn a_site_is_staged_beside_the_document_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("htdocs");
    std::fs::create_dir(&root).unwrap();
    let arrival = Arrival::of(usual_site(), local(&root), SiteCredentials::default()).await;
    let output = arrival.run(None).await.unwrap();
    assert_eq!(output.workspace.mode, SwapMode::Root);
    check_staged(&work_folder(folder.path()).join("new"));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "the live root is untouched");
    let whys: Vec<&str> = output.not_placed.iter().map(|entry| entry.why.as_str()).collect();
    assert_eq!(whys, ["drop_in", "user_ini", "link_outside"]);
    assert_eq!(output.totals.kept_bytes, 0);
}

#[tokio::test]
async fn a_transfer_killed_at_random_equals_an_undisturbed_one() {
    for seed in 1..=5 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("htdocs");
        std::fs::create_dir(&root).unwrap();
        let arrival = Arrival::of(usual_site(), local(&root), SiteCredentials::default()).await;
        let output = arrival.run(Some(seed)).await.unwrap();
        check_staged(&work_folder(folder.path()).join("new"));
        assert!(output.totals.files > 500, "{:?}", output.totals);
    }
}

#[tokio::test]
async fn a_transfer_cut_into_slices_ends_right() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("htdocs");
    std::fs::create_dir(&root).unwrap();
    let arrival = Arrival::of(usual_site(), local(&root), SiteCredentials::default()).await;
    arrival.lease.saves_max.store(1, Ordering::Relaxed);
    arrival.run(None).await.unwrap();
    check_staged(&work_folder(folder.path()).join("new"));
}

#[tokio::test]
async fn a_site_that_is_there_is_not_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("htdocs");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("index.php"), "old").unwrap();
    let mut arrival = Arrival::of(usual_site(), local(&root), SiteCredentials::default()).await;
    let Err(SliceError::Failed(failure)) = arrival.run(None).await else { panic!("it went on") };
    assert_eq!(failure.code.as_str(), "destination.not_empty");
    assert_eq!(tree(folder.path()).len(), 2, "nothing was left behind");
    arrival.migration.options.overwrite = true;
    arrival.run(None).await.unwrap();
    assert_eq!(std::fs::read(root.join("index.php")).unwrap(), b"old");
}

#[tokio::test]
async fn a_stale_claim_can_neither_write_nor_adopt() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("htdocs");
    std::fs::create_dir(&root).unwrap();
    let target = local(&root);
    let connect = async || {
        landfall_worker::destination::files::connect(&target, &SiteCredentials::default()).await.unwrap()
    };
    let name = WorkspaceName {
        mode: SwapMode::Root,
        root: root.to_str().unwrap().to_owned(),
        random: "ab".repeat(16),
    };
    let open = async |token| {
        landfall_worker::destination::files::Workspace::open(connect().await, &name, token).await
    };
    let stale = open(5).await.unwrap();
    stale.files().make_folder(&stale.new_root()).await.unwrap();
    let fresh = open(9).await.unwrap();
    assert!(fresh.files().stat(&fresh.new_root()).await.unwrap().is_some(), "what was staged is adopted");
    let path = landfall_worker::model::SitePath::new("a.txt").unwrap();
    let meta = landfall_worker::destination::files::Meta { mode: 0o644, mtime: 1 };
    assert!(stale.write_staged(&path, "late".into(), meta).await.is_err());
    assert!(stale.place_live(&path, "late".into(), meta).await.is_err());
    assert!(matches!(open(7).await, Err(FilesError::Fenced)));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

struct Account {
    _lab: Lab,
    sshd: landfall_testkit::lab::Sshd,
    target: FilesTarget,
    chroot: PathBuf,
    password: String,
}

/// An SFTP account whose document root is `/htdocs` in its chroot; its parent can be written to where asked for.
async fn account(parent_is_writable: bool) -> Account {
    let lab = Lab::temporary().unwrap();
    let user = lab.account().await.unwrap();
    let chroot = lab.folder().join("chroot");
    let site = chroot.join("site");
    std::fs::create_dir_all(site.join("htdocs")).unwrap();
    let sshd = lab.sshd("sftp", &chroot, &user).await.unwrap();
    let owned = if parent_is_writable { site.clone() } else { site.join("htdocs") };
    let run = std::process::Command::new("chown").arg("-R").arg(&user.name).arg(&owned).status().unwrap();
    assert!(run.success());
    let target = FilesTarget::Sftp {
        host: "127.0.0.1".to_owned(),
        port: sshd.port(),
        user: user.name.clone(),
        root: "/site/htdocs".to_owned(),
        host_key: sshd.host_key().unwrap(),
    };
    Account { _lab: lab, sshd, target, chroot, password: user.password.clone() }
}

impl Account {
    fn credentials(&self) -> SiteCredentials {
        SiteCredentials { sftp_password: Some(self.password.clone()), ..SiteCredentials::default() }
    }
}

#[tokio::test]
async fn an_account_confined_to_its_document_root_gets_a_hidden_folder_in_it() {
    let account = account(false).await;
    let arrival = Arrival::of(usual_site(), account.target.clone(), account.credentials()).await;
    let output = arrival.run(None).await.unwrap();
    assert_eq!(output.workspace.mode, SwapMode::Entries);
    let work = work_folder(&account.chroot.join("site/htdocs"));
    check_staged(&work.join("new"));
    assert!(work.join(".htaccess").exists() && work.join("index.php").exists());
    assert!(!work.join("new/wp-config.php").exists());
}

#[tokio::test]
async fn a_transfer_over_sftp_killed_at_random_ends_right() {
    let account = account(true).await;
    let key = std::fs::read_to_string(account.sshd.client_key()).unwrap();
    let credentials = SiteCredentials { sftp_private_key: Some(key), ..SiteCredentials::default() };
    let arrival = Arrival::of(usual_site(), account.target.clone(), credentials).await;
    let output = arrival.run(Some(1)).await.unwrap();
    assert_eq!(output.workspace.mode, SwapMode::Sibling);
    check_staged(&work_folder(&account.chroot.join("site")).join("new"));
}

#[tokio::test]
async fn wrong_keys_and_passwords_have_codes_of_their_own() {
    let account = account(true).await;
    let FilesTarget::Sftp { host, port, user, host_key, .. } = &account.target else { unreachable!() };
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let good = account.credentials();
    let code = async |port: u16, key: &str, credentials: &SiteCredentials| {
        let error = SftpFiles::connect(host, port, user, key, credentials).await.unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(code(*port, other, &good).await.0, "destination.host_key_mismatch");
    let wrong = SiteCredentials { sftp_password: Some("wrong-secret".into()), ..SiteCredentials::default() };
    let (denied, text) = code(*port, host_key, &wrong).await;
    assert_eq!(denied, "destination.access_denied");
    assert!(!text.contains("wrong-secret"));
    assert_eq!(code(*port, host_key, &SiteCredentials::default()).await.0, "destination.access_denied");
    assert_eq!(code(1, host_key, &good).await.0, "destination.unreachable");
}
