//! The swap of the files, with a crash before and after every act.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use landfall_worker::destination::files::swap::{FileSwap, MemoryJournal, SwapJournal};
use landfall_worker::destination::files::{
    DestPath, FilesDestination, FilesError, Listed, LocalFiles, Meta, Stat, SwapMode, Workspace,
    WorkspaceName,
};
use landfall_worker::slice::SliceError;

use crate::support::trees::{Node, tree};

const OLD: [(&str, &str); 7] = [
    ("index.php", "<?php // old index"),
    ("wp-load.php", "<?php // old load"),
    (".htaccess", "old rules"),
    ("wp-config.php", "old config"),
    ("wp-content/a.txt", "old content"),
    ("wp-content/shared.txt", "old shared"),
    ("only-old/x.txt", "x"),
];
const NEW: [(&str, &str); 6] = [
    ("index.php", "<?php // new index"),
    ("wp-load.php", "<?php // new load"),
    (".htaccess", "new rules"),
    ("wp-config.php", "new config"),
    ("wp-content/shared.txt", "new shared"),
    ("only-new/y.txt", "y"),
];

/// Fails at one act that changes something, before it or after it, and looks at the live root around every act.
#[derive(Debug)]
struct Crashing {
    inner: LocalFiles,
    root: PathBuf,
    acts: AtomicU64,
    crash_at: u64,
    is_after: bool,
}

impl Crashing {
    async fn act<T: Send>(
        &self,
        act: impl Future<Output = Result<T, FilesError>> + Send,
    ) -> Result<T, FilesError> {
        let number = self.acts.fetch_add(1, Ordering::SeqCst);
        let crash = || FilesError::Unreachable { why: "the test kills it here".to_owned() };
        if number == self.crash_at && !self.is_after {
            return Err(crash());
        }
        let result = act.await;
        look(&self.root);
        if number == self.crash_at { Err(crash()) } else { result }
    }
}

/// What a visitor's PHP meets: never a mixture, never nothing.
fn look(root: &Path) -> &'static str {
    let index =
        std::fs::read_to_string(root.join("index.php")).expect("there is an index.php at every moment");
    if index.contains("503") {
        return "closed";
    }
    let (name, site) = if index.contains("old") { ("old", &OLD[..]) } else { ("new", &NEW[..]) };
    for (path, contents) in site {
        let found = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let is_stub = found.contains("503") && *path == "wp-load.php";
        assert!(found == *contents || is_stub, "{path} does not fit the {name} index.php: {found:?}");
    }
    name
}

#[async_trait]
impl FilesDestination for Crashing {
    async fn stat(&self, path: &DestPath) -> Result<Option<Stat>, FilesError> {
        self.inner.stat(path).await
    }
    async fn list(&self, folder: &DestPath) -> Result<Vec<Listed>, FilesError> {
        self.inner.list(folder).await
    }
    async fn read(&self, path: &DestPath, offset: u64, length: usize) -> Result<Bytes, FilesError> {
        self.inner.read(path, offset, length).await
    }
    async fn write_file(&self, path: &DestPath, contents: Bytes, meta: Meta) -> Result<(), FilesError> {
        self.act(self.inner.write_file(path, contents, meta)).await
    }
    async fn write_chunk(&self, path: &DestPath, offset: u64, contents: Bytes) -> Result<(), FilesError> {
        self.act(self.inner.write_chunk(path, offset, contents)).await
    }
    async fn set_meta(&self, path: &DestPath, meta: Meta) -> Result<(), FilesError> {
        self.act(self.inner.set_meta(path, meta)).await
    }
    async fn make_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        self.act(self.inner.make_folder(path)).await
    }
    async fn make_link(&self, path: &DestPath, target: &[u8]) -> Result<(), FilesError> {
        self.act(self.inner.make_link(path, target)).await
    }
    async fn rename(&self, from: &DestPath, to: &DestPath) -> Result<(), FilesError> {
        self.act(self.inner.rename(from, to)).await
    }
    async fn exchange(&self, one: &DestPath, other: &DestPath) -> Result<bool, FilesError> {
        self.act(self.inner.exchange(one, other)).await
    }
    async fn hard_link(&self, from: &DestPath, to: &DestPath) -> Result<bool, FilesError> {
        self.act(self.inner.hard_link(from, to)).await
    }
    async fn remove_file(&self, path: &DestPath) -> Result<(), FilesError> {
        self.act(self.inner.remove_file(path)).await
    }
    async fn remove_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        self.act(self.inner.remove_folder(path)).await
    }
    async fn free_space(&self, path: &DestPath) -> Result<Option<u64>, FilesError> {
        self.inner.free_space(path).await
    }
    fn width(&self) -> usize {
        1
    }
}

struct Site {
    folder: tempfile::TempDir,
    name: WorkspaceName,
    journal: MemoryJournal,
    token: AtomicU64,
}

impl Site {
    async fn new(mode: SwapMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("htdocs");
        lay_out(&root, &OLD);
        let name = WorkspaceName { mode, root: root.to_str().unwrap().to_owned(), random: "0f".repeat(16) };
        let site = Self { folder, name, journal: MemoryJournal::default(), token: AtomicU64::new(1) };
        let (workspace, _) = site.claim(u64::MAX, false).await;
        let new = workspace.new_root().to_string();
        lay_out(Path::new(&new), &NEW);
        site
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("htdocs")
    }

    /// The next claim, which crashes at that act.
    async fn claim(&self, crash_at: u64, is_after: bool) -> (Workspace, Arc<Crashing>) {
        let root = self.root();
        let inner = LocalFiles::open(&DestPath::parse(&self.name.root).unwrap()).await.unwrap();
        let files = Arc::new(Crashing { inner, root, acts: AtomicU64::new(0), crash_at: u64::MAX, is_after });
        let token = self.token.fetch_add(1, Ordering::SeqCst);
        Workspace::open(Arc::clone(&files) as _, &self.name, token).await.unwrap();
        // The adoption itself is not what is under test here.
        let inner = files.inner.clone();
        let files =
            Arc::new(Crashing { inner, root: self.root(), acts: AtomicU64::new(0), crash_at, is_after });
        let workspace = Workspace::open(Arc::clone(&files) as _, &self.name, token).await;
        (workspace.unwrap(), files)
    }

    /// Everything of the live site, work folders aside.
    fn live(&self) -> BTreeMap<Vec<u8>, Node> {
        let mut live = tree(&self.root());
        live.retain(|path, _| !path.starts_with(b".landfall-0"));
        live
    }

    fn staged(&self) -> BTreeMap<Vec<u8>, Node> {
        let base =
            if self.name.mode == SwapMode::Entries { self.root() } else { self.folder.path().to_owned() };
        let work = std::fs::read_dir(base).unwrap().map(|e| e.unwrap().path());
        let mut work =
            work.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".landfall-0"));
        let work = work.next().unwrap();
        let mut staged = tree(&work.join("new"));
        // Where a try was taken back, the door's files are held aside until the next one.
        for name in ["index.php", "wp-load.php"] {
            let held = work.join("door").join(format!("new-{name}"));
            if held.exists() {
                let held = tree(held.parent().unwrap()).remove(format!("new-{name}").as_bytes());
                staged.insert(name.as_bytes().to_vec(), held.unwrap());
            }
        }
        staged.remove(b".maintenance".as_slice());
        staged
    }
}

fn lay_out(root: &Path, files: &[(&str, &str)]) {
    for (path, contents) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
    }
}

async fn cut_over(workspace: &Workspace, journal: &dyn SwapJournal) -> Result<(), SliceError> {
    let swap = FileSwap::new(workspace, journal);
    swap.close_door().await?;
    swap.swap().await?;
    swap.open_door().await
}

/// Acts of an undisturbed run, so that each can be made to fail.
async fn acts_of(mode: SwapMode, is_back: bool) -> u64 {
    let site = Site::new(mode).await;
    let (workspace, files) = site.claim(u64::MAX, false).await;
    cut_over(&workspace, &site.journal).await.unwrap();
    if !is_back {
        return files.acts.load(Ordering::SeqCst);
    }
    let (workspace, files) = site.claim(u64::MAX, false).await;
    FileSwap::new(&workspace, &site.journal).swap_back().await.unwrap();
    files.acts.load(Ordering::SeqCst)
}

const MODES: [SwapMode; 3] = [SwapMode::Root, SwapMode::Sibling, SwapMode::Entries];

fn is_new(site: &Site) -> bool {
    let live = site.live();
    let files = live.values().filter(|node| matches!(node, Node::File { .. })).count();
    look(&site.root()) == "new" && files == NEW.len()
}

#[tokio::test]
async fn a_cut_over_killed_at_any_act_goes_on_to_the_new_site() {
    for mode in MODES {
        let acts = acts_of(mode, false).await;
        assert!(acts > 15, "{mode:?}: {acts} acts");
        for crash_at in 0..acts {
            for is_after in [false, true] {
                let site = Site::new(mode).await;
                let (workspace, _) = site.claim(crash_at, is_after).await;
                assert!(cut_over(&workspace, &site.journal).await.is_err());
                look(&site.root());
                let (workspace, _) = site.claim(u64::MAX, false).await;
                cut_over(&workspace, &site.journal).await.unwrap();
                assert!(is_new(&site), "{mode:?} act {crash_at} after {is_after}: {:?}", site.live());
                FileSwap::new(&workspace, &site.journal).clean_up().await.unwrap();
                assert!(is_new(&site));
                assert_eq!(std::fs::read_dir(site.folder.path()).unwrap().count(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_way_back_killed_at_any_act_restores_the_old_site_byte_for_byte() {
    for mode in MODES {
        let acts = acts_of(mode, true).await;
        for crash_at in 0..acts {
            for is_after in [false, true] {
                let site = Site::new(mode).await;
                let (old, staged) = (site.live(), site.staged());
                let (workspace, _) = site.claim(u64::MAX, false).await;
                cut_over(&workspace, &site.journal).await.unwrap();
                let (workspace, _) = site.claim(crash_at, is_after).await;
                assert!(FileSwap::new(&workspace, &site.journal).swap_back().await.is_err());
                look(&site.root());
                let (workspace, _) = site.claim(u64::MAX, false).await;
                FileSwap::new(&workspace, &site.journal).swap_back().await.unwrap();
                assert_eq!(site.live(), old, "{mode:?} act {crash_at} after {is_after}");
                assert_eq!(site.staged(), staged, "{mode:?} act {crash_at} after {is_after}");
                cut_over(&workspace, &site.journal).await.unwrap();
                assert!(is_new(&site), "{mode:?} act {crash_at}: it can be tried again");
            }
        }
    }
}

#[tokio::test]
async fn a_cut_over_killed_at_any_act_can_be_taken_back() {
    for mode in MODES {
        for crash_at in 0..acts_of(mode, false).await {
            for is_after in [false, true] {
                let site = Site::new(mode).await;
                let (old, staged) = (site.live(), site.staged());
                let (workspace, _) = site.claim(crash_at, is_after).await;
                assert!(cut_over(&workspace, &site.journal).await.is_err());
                let (workspace, _) = site.claim(u64::MAX, false).await;
                FileSwap::new(&workspace, &site.journal).swap_back().await.unwrap();
                assert_eq!(site.live(), old, "{mode:?} act {crash_at} after {is_after}");
                assert_eq!(site.staged(), staged, "{mode:?} act {crash_at} after {is_after}");
            }
        }
    }
}

#[tokio::test]
async fn a_root_without_wordpress_becomes_empty_again() {
    for mode in MODES {
        let site = Site::new(mode).await;
        for name in ["index.php", "wp-load.php"] {
            std::fs::remove_file(site.root().join(name)).unwrap();
        }
        let old = site.live();
        let inner = LocalFiles::open(&DestPath::parse(&site.name.root).unwrap()).await.unwrap();
        let workspace = Workspace::open(Arc::new(inner), &site.name, 99).await.unwrap();
        cut_over(&workspace, &site.journal).await.unwrap();
        assert!(is_new(&site));
        FileSwap::new(&workspace, &site.journal).swap_back().await.unwrap();
        assert_eq!(site.live(), old, "{mode:?}");
    }
}

#[tokio::test]
async fn a_stale_swap_changes_nothing() {
    for mode in MODES {
        let site = Site::new(mode).await;
        let (stale, _) = site.claim(u64::MAX, false).await;
        FileSwap::new(&stale, &site.journal).close_door().await.unwrap();
        let before = site.live();
        let (_fresh, _) = site.claim(u64::MAX, false).await;
        let _ = FileSwap::new(&stale, &site.journal).swap().await.unwrap_err();
        assert_eq!(site.live(), before, "{mode:?}");
    }
}
