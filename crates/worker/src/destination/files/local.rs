//! A document root in a folder that the worker sees.
//!
//! Every act walks down from `/` folder by folder. Above the document root links are followed, as the
//! operator configured them; from its parent on no link is ever followed, so nothing that a site put there leads a write
//! elsewhere.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RawMode, RenameFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::{DestPath, FOLDER_ENTRIES_MAX, FilesDestination, FilesError, Listed, Meta, Stat, StatKind};

/// Small acts under way at the same time: the disk is near, more threads only contend.
const WIDTH: usize = 4;

/// A folder that the worker sees.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The document root's parent, opened once; the anchor of every act.
    base: OwnedFd,
    base_path: DestPath,
    /// Who owns the document root, where the worker may give files away.
    owner: Option<(Uid, Gid)>,
}

impl LocalFiles {
    /// The document root must exist.
    pub async fn open(root: &DestPath) -> Result<Self, FilesError> {
        let root = root.clone();
        run(move || {
            let base_path = root.parent().unwrap_or_else(|| root.clone());
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let base = rustix::fs::open(as_path(&base_path), flags, Mode::empty())
                .map_err(|e| failed("open", &base_path, e))?;
            let stat = rustix::fs::stat(as_path(&root)).map_err(|e| failed("look at", &root, e))?;
            let mine = rustix::process::geteuid();
            let owner = (mine.is_root() && stat.st_uid != 0)
                .then(|| (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid)));
            Ok(Self { inner: Arc::new(Inner { base, base_path, owner }) })
        })
        .await
    }

    /// Runs an act on a thread where it may block.
    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Inner) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, FilesError> {
        let inner = Arc::clone(&self.inner);
        run(move || act(&inner)).await
    }
}

impl Inner {
    /// Opens the folder that a path is in, and gives the path's last part.
    fn parent<'p>(&self, path: &'p DestPath) -> Result<(OwnedFd, &'p OsStr), FilesError> {
        let name = path.name().ok_or_else(|| FilesError::BadRoot { path: path.to_string() })?;
        let folder = path.parent().ok_or_else(|| FilesError::BadRoot { path: path.to_string() })?;
        Ok((self.folder(&folder)?, OsStr::from_bytes(name)))
    }

    /// Opens a folder, following no link below the anchor but one: the document root itself may be a link.
    fn folder(&self, path: &DestPath) -> Result<OwnedFd, FilesError> {
        let outside = || FilesError::BadRoot { path: path.to_string() };
        let below = path.as_bytes().strip_prefix(self.base_path.as_bytes()).ok_or_else(outside)?;
        let below = if self.base_path.as_bytes() == b"/" { path.as_bytes() } else { below };
        let open = |at: &OwnedFd, part: &[u8], more: OFlags| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
            rustix::fs::openat(at, OsStr::from_bytes(part), flags, Mode::empty())
        };
        let mut at = open(&self.base, b".", OFlags::empty()).map_err(|e| failed("open", path, e))?;
        for (depth, part) in below.split(|b| *b == b'/').filter(|part| !part.is_empty()).enumerate() {
            let more = if depth == 0 { OFlags::empty() } else { OFlags::NOFOLLOW };
            at = open(&at, part, more).map_err(|e| failed("open", path, e))?;
        }
        Ok(at)
    }

    /// A new file under that name, whatever was there; what an older handle writes goes to the old file.
    fn create(&self, path: &DestPath) -> Result<OwnedFd, FilesError> {
        let (folder, name) = self.parent(path)?;
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed("replace", path, error)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| failed("create", path, e))?;
        self.give_away(&file, path)?;
        Ok(file)
    }

    fn give_away(&self, file: &OwnedFd, path: &DestPath) -> Result<(), FilesError> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        rustix::fs::fchown(file, Some(user), Some(group)).map_err(|e| failed("give away", path, e))
    }
}

#[async_trait]
impl FilesDestination for LocalFiles {
    async fn stat(&self, path: &DestPath) -> Result<Option<Stat>, FilesError> {
        let path = path.clone();
        self.act(move |inner| match inner.parent(&path) {
            Ok((folder, name)) => match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Ok(Some(as_stat(&stat))),
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(failed("look at", &path, error)),
            },
            Err(FilesError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn list(&self, folder: &DestPath) -> Result<Vec<Listed>, FilesError> {
        let path = folder.clone();
        self.act(move |inner| {
            let anchor = inner.folder(&path)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::openat(&anchor, ".", flags, Mode::empty())
                .map_err(|e| failed("list", &path, e))?;
            let mut out = Vec::new();
            for entry in rustix::fs::Dir::read_from(&folder).map_err(|e| failed("list", &path, e))? {
                let entry = entry.map_err(|e| failed("list", &path, e))?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                if out.len() >= FOLDER_ENTRIES_MAX {
                    return Err(FilesError::BadName { path: path.to_string() });
                }
                match rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => out.push(Listed { name: name.to_vec(), stat: as_stat(&stat) }),
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(failed("list", &path, error)),
                }
            }
            Ok(out)
        })
        .await
    }

    async fn read(&self, path: &DestPath, offset: u64, length: usize) -> Result<Bytes, FilesError> {
        use std::io::{Read as _, Seek as _};
        let path = path.clone();
        self.act(move |inner| {
            let (folder, name) = inner.parent(&path)?;
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&folder, name, flags, Mode::empty())
                .map_err(|e| failed("read", &path, e))?;
            let mut file = std::fs::File::from(file);
            let mut bytes = Vec::new();
            file.seek(std::io::SeekFrom::Start(offset))
                .and_then(|_| file.take(length as u64).read_to_end(&mut bytes))
                .map_err(|e| FilesError::io("read", &path, e))?;
            Ok(bytes.into())
        })
        .await
    }

    async fn write_file(&self, path: &DestPath, contents: Bytes, meta: Meta) -> Result<(), FilesError> {
        use std::io::Write as _;
        let path = path.clone();
        self.act(move |inner| {
            let mut file = std::fs::File::from(inner.create(&path)?);
            file.write_all(&contents).map_err(|e| FilesError::io("write", &path, e))?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode & 0o7777))
                .and_then(|()| rustix::fs::futimens(&file, &times(meta.mtime)))
                .map_err(|e| failed("set the mode of", &path, e))
        })
        .await
    }

    async fn write_chunk(&self, path: &DestPath, offset: u64, contents: Bytes) -> Result<(), FilesError> {
        use std::os::unix::fs::FileExt as _;
        let path = path.clone();
        self.act(move |inner| {
            let file = if offset == 0 {
                inner.create(&path)?
            } else {
                let (folder, name) = inner.parent(&path)?;
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                rustix::fs::openat(&folder, name, flags, Mode::empty())
                    .map_err(|e| failed("write", &path, e))?
            };
            let file = std::fs::File::from(file);
            file.write_all_at(&contents, offset).map_err(|e| FilesError::io("write", &path, e))
        })
        .await
    }

    async fn set_meta(&self, path: &DestPath, meta: Meta) -> Result<(), FilesError> {
        let path = path.clone();
        self.act(move |inner| {
            let (folder, name) = inner.parent(&path)?;
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&folder, name, flags, Mode::empty())
                .map_err(|e| failed("set the mode of", &path, e))?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode & 0o7777))
                .and_then(|()| rustix::fs::futimens(&file, &times(meta.mtime)))
                .map_err(|e| failed("set the mode of", &path, e))
        })
        .await
    }

    async fn make_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        let path = path.clone();
        self.act(move |inner| {
            let (folder, name) = inner.parent(&path)?;
            match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {}
                Err(Errno::EXIST) => {
                    let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                        .map_err(|e| failed("look at", &path, e))?;
                    return match as_stat(&stat).kind {
                        StatKind::Folder => Ok(()),
                        StatKind::File | StatKind::Link | StatKind::Other => {
                            Err(FilesError::Exists { path: path.to_string() })
                        }
                    };
                }
                Err(error) => return Err(failed("make the folder", &path, error)),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = rustix::fs::openat(&folder, name, flags, Mode::empty())
                .map_err(|e| failed("make the folder", &path, e))?;
            inner.give_away(&made, &path)
        })
        .await
    }

    async fn make_link(&self, path: &DestPath, target: &[u8]) -> Result<(), FilesError> {
        let (path, target) = (path.clone(), target.to_vec());
        self.act(move |inner| {
            let (folder, name) = inner.parent(&path)?;
            match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(failed("replace", &path, error)),
            }
            rustix::fs::symlinkat(OsStr::from_bytes(&target), &folder, name)
                .map_err(|e| failed("make the link", &path, e))?;
            let Some((user, group)) = inner.owner else { return Ok(()) };
            rustix::fs::chownat(&folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|e| failed("give away", &path, e))
        })
        .await
    }

    async fn rename(&self, from: &DestPath, to: &DestPath) -> Result<(), FilesError> {
        let (from, to) = (from.clone(), to.clone());
        self.act(move |inner| {
            let (from_folder, from_name) = inner.parent(&from)?;
            let (to_folder, to_name) = inner.parent(&to)?;
            rustix::fs::renameat(&from_folder, from_name, &to_folder, to_name)
                .map_err(|e| failed("rename", &from, e))
        })
        .await
    }

    async fn exchange(&self, one: &DestPath, other: &DestPath) -> Result<bool, FilesError> {
        let (one, other) = (one.clone(), other.clone());
        self.act(move |inner| {
            let (one_folder, one_name) = inner.parent(&one)?;
            let (other_folder, other_name) = inner.parent(&other)?;
            let flags = RenameFlags::EXCHANGE;
            match rustix::fs::renameat_with(&one_folder, one_name, &other_folder, other_name, flags) {
                Ok(()) => Ok(true),
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::XDEV) => Ok(false),
                Err(error) => Err(failed("exchange", &one, error)),
            }
        })
        .await
    }

    async fn hard_link(&self, from: &DestPath, to: &DestPath) -> Result<bool, FilesError> {
        let (from, to) = (from.clone(), to.clone());
        self.act(move |inner| {
            let (from_folder, from_name) = inner.parent(&from)?;
            let (to_folder, to_name) = inner.parent(&to)?;
            match rustix::fs::linkat(&from_folder, from_name, &to_folder, to_name, AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::XDEV | Errno::MLINK) => Ok(false),
                Err(Errno::EXIST) => Err(failed("link", &to, Errno::EXIST)),
                Err(error) => Err(failed("link", &from, error)),
            }
        })
        .await
    }

    async fn remove_file(&self, path: &DestPath) -> Result<(), FilesError> {
        self.unlink(path, AtFlags::empty()).await
    }

    async fn remove_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        self.unlink(path, AtFlags::REMOVEDIR).await
    }

    async fn free_space(&self, path: &DestPath) -> Result<Option<u64>, FilesError> {
        let path = path.clone();
        self.act(move |inner| {
            let folder = inner.folder(&path)?;
            let space = rustix::fs::fstatvfs(&folder).map_err(|e| failed("look at", &path, e))?;
            Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
        })
        .await
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

impl LocalFiles {
    async fn unlink(&self, path: &DestPath, flags: AtFlags) -> Result<(), FilesError> {
        let path = path.clone();
        self.act(move |inner| {
            let (folder, name) = match inner.parent(&path) {
                Err(FilesError::NotFound { .. }) => return Ok(()),
                other => other?,
            };
            match rustix::fs::unlinkat(&folder, name, flags) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(failed("remove", &path, error)),
            }
        })
        .await
    }
}

async fn run<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(result) => result,
        Err(lost) => {
            Err(FilesError::Server { act: "reach", path: "the disk".to_owned(), cause: lost.into() })
        }
    }
}

fn as_path(path: &DestPath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a system has is neither file, folder nor link"
)]
fn as_stat(stat: &rustix::fs::Stat) -> Stat {
    let mode = stat.st_mode as RawMode;
    let kind = match rustix::fs::FileType::from_raw_mode(mode) {
        rustix::fs::FileType::RegularFile => StatKind::File,
        rustix::fs::FileType::Directory => StatKind::Folder,
        rustix::fs::FileType::Symlink => StatKind::Link,
        _other => StatKind::Other,
    };
    Stat { kind, size: u64::try_from(stat.st_size).unwrap_or(0), mode: mode & 0o7777, mtime: stat.st_mtime }
}

fn times(mtime: i64) -> Timestamps {
    let at = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: at, last_modification: at }
}

/// A link or a file where a folder should be is something in the way, not a fault of the disk.
fn failed(act: &'static str, path: &DestPath, error: Errno) -> FilesError {
    match error {
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR => FilesError::Exists { path: path.to_string() },
        Errno::NAMETOOLONG | Errno::ILSEQ => FilesError::BadName { path: path.to_string() },
        Errno::DQUOT => FilesError::DiskFull { path: path.to_string() },
        Errno::PERM => FilesError::PermissionDenied { act, path: path.to_string() },
        error => FilesError::io(act, path, error.into()),
    }
}
