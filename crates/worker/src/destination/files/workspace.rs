//! The work folder: everything that Landfall writes at a destination before the cut-over, and what it keeps
//! after it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DestPath, FilesDestination, FilesError, Meta, StatKind, remove_tree};
use crate::model::SitePath;

/// How often a folder that moves away under our hands is looked for again.
const ADOPT_TRIES: u32 = 8;

/// Where the work folder is, and how the live root is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapMode {
    /// Beside the document root, which is exchanged for the staged folder in one act.
    Root,
    /// Beside the document root, whose entries are renamed one by one: the destination cannot exchange, and two
    /// renames would leave a moment without a document root, when PHP answers neither site nor 503.
    Sibling,
    /// Within the document root, under a name that nobody can guess; its entries are renamed one by one.
    Entries,
}

/// What later phases need to find the work folder again; part of the transfer's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceName {
    /// Where and how.
    pub mode: SwapMode,
    /// The document root.
    pub root: String,
    /// 32 hex digits drawn at random.
    pub random: String,
}

/// The work folder of one claim: `.landfall-<random>-<token>` with
///
/// | folder | what |
/// |---|---|
/// | `new/`  | the site to come |
/// | `old/`  | what was in the live root, after the swap |
/// | `door/` | stubs that answer 503, and the files that they stand in for |
/// | `out/`  | what was moved out of the live root to be thrown away |
/// | `tmp/`  | small files on their way into the live root |
#[derive(Debug, Clone)]
pub struct Workspace {
    files: Arc<dyn FilesDestination>,
    mode: SwapMode,
    root: DestPath,
    folder: DestPath,
}

impl WorkspaceName {
    /// The folder that the work folder is in.
    fn base(&self) -> Result<DestPath, FilesError> {
        let root = DestPath::parse(&self.root)?;
        match self.mode {
            SwapMode::Root | SwapMode::Sibling => {
                root.parent().ok_or_else(|| FilesError::BadRoot { path: self.root.clone() })
            }
            SwapMode::Entries => Ok(root),
        }
    }

    fn prefix(&self) -> String {
        format!(".landfall-{}-", self.random)
    }

    /// Twenty digits, so that names sort as tokens do.
    fn folder(&self, token: u64) -> String {
        format!("{}{token:020}", self.prefix())
    }

    fn token_of(&self, name: &[u8]) -> Option<u64> {
        let digits = name.strip_prefix(self.prefix().as_bytes())?;
        std::str::from_utf8(digits).ok().filter(|d| d.len() == 20)?.parse().ok()
    }
}

impl Workspace {
    /// Makes the work folder, or adopts the one of an earlier claim by renaming it: from then on no path that an earlier
    /// worker knows exists. A folder of a later claim means that this worker is the stale one: [`FilesError::Fenced`].
    pub async fn open(
        files: Arc<dyn FilesDestination>,
        name: &WorkspaceName,
        token: u64,
    ) -> Result<Self, FilesError> {
        match Self::adopt(Arc::clone(&files), name, token).await? {
            Some(workspace) => Ok(workspace),
            None => {
                let workspace = Self::at(files, name, token)?;
                workspace.files.make_folder(&workspace.folder).await?;
                workspace.deny_visitors().await?;
                Ok(workspace)
            }
        }
    }

    /// Adopts the work folder of an earlier claim wherever it is: for cleaning up after a transfer that left no output.
    pub async fn find(
        files: Arc<dyn FilesDestination>,
        root: &str,
        random: &str,
        token: u64,
    ) -> Result<Option<Self>, FilesError> {
        for mode in [SwapMode::Sibling, SwapMode::Entries] {
            let name = WorkspaceName { mode, root: root.to_owned(), random: random.to_owned() };
            match Self::adopt(Arc::clone(&files), &name, token).await {
                Ok(None)
                | Err(
                    FilesError::BadRoot { .. }
                    | FilesError::PermissionDenied { .. }
                    | FilesError::NotFound { .. },
                ) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    /// Adopts the work folder of an earlier claim; none where there is none.
    pub async fn adopt(
        files: Arc<dyn FilesDestination>,
        name: &WorkspaceName,
        token: u64,
    ) -> Result<Option<Self>, FilesError> {
        let workspace = Self::at(files, name, token)?;
        let base = name.base()?;
        for _ in 0..ADOPT_TRIES {
            let listed = workspace.files.list(&base).await?;
            let mut tokens: Vec<u64> = listed.iter().filter_map(|entry| name.token_of(&entry.name)).collect();
            tokens.sort_unstable();
            let Some(newest) = tokens.pop() else { return Ok(None) };
            if newest > token {
                return Err(FilesError::Fenced);
            }
            if newest < token {
                match workspace.files.rename(&base.child(name.folder(newest)), &workspace.folder).await {
                    Ok(()) => {}
                    Err(FilesError::NotFound { .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            for stale in tokens {
                remove_tree(workspace.files.as_ref(), &base.child(name.folder(stale))).await?;
            }
            workspace.deny_visitors().await?;
            return Ok(Some(workspace));
        }
        Err(FilesError::Fenced)
    }

    fn at(files: Arc<dyn FilesDestination>, name: &WorkspaceName, token: u64) -> Result<Self, FilesError> {
        let root = DestPath::parse(&name.root)?;
        let folder = name.base()?.child(name.folder(token));
        Ok(Self { files, mode: name.mode, root, folder })
    }

    /// The destination that it is at.
    pub fn files(&self) -> &dyn FilesDestination {
        self.files.as_ref()
    }

    /// Where it is, and how the live root is replaced.
    pub fn mode(&self) -> SwapMode {
        self.mode
    }

    /// The live document root.
    pub fn root(&self) -> &DestPath {
        &self.root
    }

    /// The work folder.
    pub fn folder(&self) -> &DestPath {
        &self.folder
    }

    /// The site to come.
    pub fn new_root(&self) -> DestPath {
        self.folder.child("new")
    }

    /// What was in the live root, after the swap.
    pub fn old_root(&self) -> DestPath {
        self.folder.child("old")
    }

    /// A path of the site to come.
    pub fn staged(&self, path: &SitePath) -> DestPath {
        self.new_root().join(path)
    }

    /// A path of the live site.
    pub fn live(&self, path: &SitePath) -> DestPath {
        self.root.join(path)
    }

    /// Writes a file of the site to come, with the folders above it.
    pub async fn write_staged(&self, path: &SitePath, contents: Bytes, meta: Meta) -> Result<(), FilesError> {
        let target = self.staged(path);
        self.make_parents(path).await?;
        self.files.write_file(&target, contents, meta).await
    }

    /// Puts a file into the live site: written in the work folder, then renamed. Its folder must be there.
    pub async fn place_live(&self, path: &SitePath, contents: Bytes, meta: Meta) -> Result<(), FilesError> {
        let tmp = self.folder.child("tmp");
        self.files.make_folder(&tmp).await?;
        let written = tmp.child(blake3::hash(path.as_bytes()).to_hex().as_str());
        self.files.write_file(&written, contents, meta).await?;
        self.files.rename(&written, &self.live(path)).await
    }

    /// Takes a file or folder out of the live site by renaming it into the work folder; nothing there is no error.
    pub async fn remove_live(&self, path: &SitePath) -> Result<(), FilesError> {
        self.move_out(&self.live(path)).await
    }

    /// Removes the work folder with all that was kept in it.
    pub async fn remove(&self) -> Result<(), FilesError> {
        remove_tree(self.files.as_ref(), &self.folder).await
    }

    /// Moves what is at a path into `out/` under a name that is free.
    pub(super) async fn move_out(&self, path: &DestPath) -> Result<(), FilesError> {
        if self.files.stat(path).await?.is_none() {
            return Ok(());
        }
        let out = self.folder.child("out");
        self.files.make_folder(&out).await?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        match self.files.rename(path, &out.child(name)).await {
            Err(FilesError::NotFound { .. }) if self.files.stat(&out).await?.is_some() => Ok(()),
            other => other,
        }
    }

    async fn make_parents(&self, path: &SitePath) -> Result<(), FilesError> {
        let mut at = self.new_root();
        let parts: Vec<&[u8]> = path.as_bytes().split(|b| *b == b'/').collect();
        for part in &parts[..parts.len() - 1] {
            at = at.child(part);
            match self.files.stat(&at).await?.map(|stat| stat.kind) {
                Some(StatKind::Folder) => {}
                None => self.files.make_folder(&at).await?,
                Some(StatKind::File | StatKind::Link | StatKind::Other) => {
                    return Err(FilesError::Exists { path: at.to_string() });
                }
            }
        }
        Ok(())
    }

    /// Servers that read `.htaccess` refuse every visit; others (nginx) do not know the name, which has 128 random bits, and
    /// find no listing.
    async fn deny_visitors(&self) -> Result<(), FilesError> {
        let meta = Meta { mode: 0o644, mtime: 0 };
        let htaccess = self.folder.child(".htaccess");
        if self.files.stat(&htaccess).await?.is_none() {
            self.files.write_file(&htaccess, Bytes::from_static(DENY_HTACCESS), meta).await?;
            self.files
                .write_file(&self.folder.child("index.php"), Bytes::from_static(DENY_INDEX), meta)
                .await?;
        }
        Ok(())
    }
}

const DENY_HTACCESS: &[u8] = b"<IfModule mod_authz_core.c>\n\tRequire all denied\n</IfModule>\n\
<IfModule !mod_authz_core.c>\n\tOrder deny,allow\n\tDeny from all\n</IfModule>\n";

const DENY_INDEX: &[u8] = b"<?php\nhttp_response_code( 404 );\n";
