//! A document root behind an SFTP account.
//!
//! SFTP has no act that refuses to follow links above the last part of a path. What protects: the work folder
//! is made fresh under a name that carries the token, and links are made in it last, after every file.

mod client;
mod login;
mod wire;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use landfall_common::site::SiteCredentials;

use self::client::{Client, Sent, refusal, unreachable};
use self::wire::{Reply, Request, Status};
use super::{DestPath, FOLDER_ENTRIES_MAX, FilesDestination, FilesError, Listed, Meta, Stat, StatKind};

/// Small files under way at the same time: measured to be the best for 10 KB files.
const WIDTH: usize = 64;
/// Requests of one large file under way at the same time.
const PIECES: usize = 16;
const RENAME: &str = "posix-rename@openssh.com";
const LINK: &str = "hardlink@openssh.com";
const SPACE: &str = "statvfs@openssh.com";

/// An SFTP account.
pub struct SftpFiles {
    client: Client,
    /// Ends the connection when it is dropped.
    _handle: russh::client::Handle<login::Pinned>,
}

impl std::fmt::Debug for SftpFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SftpFiles { .. }")
    }
}

impl SftpFiles {
    /// Connects, checks the host key (OpenSSH's form) and logs in.
    pub async fn connect(
        host: &str,
        port: u16,
        user: &str,
        host_key: &str,
        credentials: &SiteCredentials,
    ) -> Result<Self, FilesError> {
        let handle = login::log_in(host, port, user, host_key, credentials).await?;
        let channel = handle.channel_open_session().await.map_err(unreachable)?;
        channel.request_subsystem(true, "sftp").await.map_err(unreachable)?;
        let client = Client::start(channel.into_stream()).await?;
        Ok(Self { client, _handle: handle })
    }

    async fn status(
        &self,
        kind: u8,
        act: &'static str,
        path: &DestPath,
        fill: impl FnOnce(Request) -> Request,
    ) -> Result<(), FilesError> {
        self.client.send(kind, fill).await?.ok(act, path).await
    }

    async fn open(&self, path: &DestPath, flags: u32, act: &'static str) -> Result<Bytes, FilesError> {
        let request = |r: Request| r.string(path.as_bytes()).u32(flags).attrs(Some(0o600), None);
        self.client.call(wire::OPEN, request).await?.into_handle(act, path)
    }

    /// Opens a new file. One that is there is removed first, so that what an older handle writes goes to the old one.
    async fn create(&self, path: &DestPath) -> Result<Bytes, FilesError> {
        let flags = wire::FLAG_WRITE | wire::FLAG_CREATE | wire::FLAG_EXCLUSIVE;
        match self.open(path, flags, "create").await {
            Err(FilesError::Server { .. }) => {
                if let Some(StatKind::Folder) = self.stat(path).await?.map(|stat| stat.kind) {
                    return Err(FilesError::Exists { path: path.to_string() });
                }
                self.remove_file(path).await?;
                let opened = self.open(path, flags, "create").await;
                self.full_or(path, opened).await
            }
            other => other,
        }
    }

    /// Sends the writes of all pieces, at most [`PIECES`] of them unanswered.
    async fn write_pieces(
        &self,
        handle: &Bytes,
        path: &DestPath,
        offset: u64,
        contents: &Bytes,
    ) -> Result<(), FilesError> {
        let mut unanswered = std::collections::VecDeque::with_capacity(PIECES);
        for (at, piece) in contents.chunks(self.client.write_bytes()).enumerate() {
            if unanswered.len() >= PIECES {
                let sent: Option<Sent> = unanswered.pop_front();
                answered(sent, path).await?;
            }
            let offset = offset + (at * self.client.write_bytes()) as u64;
            let request = |r: Request| r.string(handle).u64(offset).string(piece);
            unanswered.push_back(self.client.send(wire::WRITE, request).await?);
        }
        for sent in unanswered {
            answered(Some(sent), path).await?;
        }
        Ok(())
    }

    /// A write that fails for no reason given, where no space is left, failed for that.
    async fn full_or<T>(&self, path: &DestPath, result: Result<T, FilesError>) -> Result<T, FilesError> {
        let Err(error @ FilesError::Server { .. }) = result else { return result };
        let folder = path.parent().unwrap_or_else(|| path.clone());
        match self.free_space(&folder).await {
            Ok(Some(free)) if free < 1024 * 1024 => Err(FilesError::DiskFull { path: path.to_string() }),
            _unknown => Err(error),
        }
    }
}

async fn answered(sent: Option<Sent>, path: &DestPath) -> Result<(), FilesError> {
    match sent {
        Some(sent) => sent.ok("write", path).await,
        None => Ok(()),
    }
}

#[async_trait]
impl FilesDestination for SftpFiles {
    async fn stat(&self, path: &DestPath) -> Result<Option<Stat>, FilesError> {
        let reply = self.client.call(wire::LSTAT, |r| r.string(path.as_bytes())).await?;
        if matches!(reply, Reply::Status(Status::NoSuchFile)) {
            return Ok(None);
        }
        let Reply::Attrs(attrs) = reply else { return Err(refusal("look at", path, &reply)) };
        let untold = || FilesError::Server {
            act: "look at",
            path: path.to_string(),
            cause: "the server does not tell files from folders".into(),
        };
        attrs.stat().map(Some).ok_or_else(untold)
    }

    async fn list(&self, folder: &DestPath) -> Result<Vec<Listed>, FilesError> {
        let opened = self.client.call(wire::OPENDIR, |r| r.string(folder.as_bytes())).await?;
        let handle = opened.into_handle("list", folder)?;
        let mut out = Vec::new();
        let result = loop {
            let reply = self.client.call(wire::READDIR, |r| r.string(&handle)).await?;
            if matches!(reply, Reply::Status(Status::Eof)) {
                break Ok(());
            }
            let Reply::Names(names) = reply else { break Err(refusal("list", folder, &reply)) };
            let named = names.into_iter().filter(|(name, _)| name != "." && name != "..");
            let named = named.filter(|(name, _)| !name.is_empty() && !name.contains(&b'/'));
            let stats = |(name, attrs): (Bytes, wire::Attrs)| {
                attrs.stat().map(|stat| Listed { name: name.to_vec(), stat })
            };
            out.extend(named.filter_map(stats));
            if out.len() > FOLDER_ENTRIES_MAX {
                break Err(FilesError::BadName { path: folder.to_string() });
            }
        };
        self.client.send(wire::CLOSE, |r| r.string(&handle)).await?.reply().await?;
        result.map(|()| out)
    }

    async fn read(&self, path: &DestPath, offset: u64, length: usize) -> Result<Bytes, FilesError> {
        let handle = self.open(path, wire::FLAG_READ, "read").await?;
        let piece = 32 * 1024;
        let pieces = futures::stream::iter((0..length).step_by(piece).map(|start| {
            let (handle, want) = (handle.clone(), piece.min(length - start));
            async move {
                let mut got = Vec::new();
                while got.len() < want {
                    let at = offset + (start + got.len()) as u64;
                    let want = u32::try_from(want - got.len()).unwrap_or(u32::MAX);
                    let reply = self.client.call(wire::READ, |r| r.string(&handle).u64(at).u32(want)).await?;
                    if matches!(reply, Reply::Status(Status::Eof)) {
                        break;
                    }
                    let Reply::Data(data) = reply else { return Err(refusal("read", path, &reply)) };
                    if data.is_empty() {
                        break;
                    }
                    got.extend_from_slice(&data);
                }
                Ok((got.len() < want, got))
            }
        }));
        let mut pieces = pieces.buffered(PIECES);
        let mut out = Vec::new();
        while let Some((is_last, piece)) = pieces.try_next().await? {
            out.extend_from_slice(&piece);
            if is_last {
                break;
            }
        }
        drop(pieces);
        self.client.send(wire::CLOSE, |r| r.string(&handle)).await?.reply().await?;
        Ok(out.into())
    }

    async fn write_file(&self, path: &DestPath, contents: Bytes, meta: Meta) -> Result<(), FilesError> {
        let handle = self.create(path).await?;
        let written = self.write_pieces(&handle, path, 0, &contents).await;
        let meta = self
            .client
            .send(wire::FSETSTAT, |r| r.string(&handle).attrs(Some(meta.mode), Some(meta.mtime)))
            .await?;
        let closed = self.client.send(wire::CLOSE, |r| r.string(&handle)).await?;
        let set = meta.ok("set the mode of", path).await;
        let closed = closed.ok("close", path).await;
        self.full_or(path, written.and(closed)).await.and(set)
    }

    async fn write_chunk(&self, path: &DestPath, offset: u64, contents: Bytes) -> Result<(), FilesError> {
        let handle = if offset == 0 {
            self.create(path).await?
        } else {
            self.open(path, wire::FLAG_WRITE, "write").await?
        };
        let written = self.write_pieces(&handle, path, offset, &contents).await;
        let closed = self.status(wire::CLOSE, "close", path, |r| r.string(&handle)).await;
        self.full_or(path, written.and(closed)).await
    }

    async fn set_meta(&self, path: &DestPath, meta: Meta) -> Result<(), FilesError> {
        if let Some(StatKind::Link | StatKind::Other) = self.stat(path).await?.map(|stat| stat.kind) {
            return Err(FilesError::Exists { path: path.to_string() });
        }
        let request = |r: Request| r.string(path.as_bytes()).attrs(Some(meta.mode), Some(meta.mtime));
        self.status(wire::SETSTAT, "set the mode of", path, request).await
    }

    async fn make_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        let request = |r: Request| r.string(path.as_bytes()).attrs(Some(0o755), None);
        match self.status(wire::MKDIR, "make the folder", path, request).await {
            Err(error @ FilesError::Server { .. }) => match self.stat(path).await?.map(|stat| stat.kind) {
                Some(StatKind::Folder) => Ok(()),
                Some(StatKind::File | StatKind::Link | StatKind::Other) => {
                    Err(FilesError::Exists { path: path.to_string() })
                }
                None => self.full_or(path, Err(error)).await,
            },
            other => other,
        }
    }

    async fn make_link(&self, path: &DestPath, target: &[u8]) -> Result<(), FilesError> {
        // OpenSSH takes the target first, against the draft; other servers follow it.
        let link = async || {
            let request = |r: Request| r.string(target).string(path.as_bytes());
            self.status(wire::SYMLINK, "make the link", path, request).await
        };
        match link().await {
            Err(FilesError::Server { .. }) => {
                self.remove_file(path).await?;
                link().await
            }
            other => other,
        }
    }

    async fn rename(&self, from: &DestPath, to: &DestPath) -> Result<(), FilesError> {
        let result = if self.client.has(RENAME) {
            let request =
                |r: Request| r.string(RENAME.as_bytes()).string(from.as_bytes()).string(to.as_bytes());
            self.status(wire::EXTENDED, "rename", from, request).await
        } else {
            self.plain_rename(from, to).await
        };
        match result {
            Err(error @ FilesError::Server { .. }) => match self.stat(to).await?.map(|stat| stat.kind) {
                Some(_) => Err(FilesError::Exists { path: to.to_string() }),
                None => Err(error),
            },
            other => other,
        }
    }

    async fn exchange(&self, _one: &DestPath, _other: &DestPath) -> Result<bool, FilesError> {
        Ok(false)
    }

    async fn hard_link(&self, from: &DestPath, to: &DestPath) -> Result<bool, FilesError> {
        if !self.client.has(LINK) {
            return Ok(false);
        }
        let request = |r: Request| r.string(LINK.as_bytes()).string(from.as_bytes()).string(to.as_bytes());
        match self.status(wire::EXTENDED, "link", from, request).await {
            Ok(()) => Ok(true),
            Err(FilesError::Server { .. } | FilesError::PermissionDenied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remove_file(&self, path: &DestPath) -> Result<(), FilesError> {
        absent_is_fine(self.status(wire::REMOVE, "remove", path, |r| r.string(path.as_bytes())).await)
    }

    async fn remove_folder(&self, path: &DestPath) -> Result<(), FilesError> {
        absent_is_fine(self.status(wire::RMDIR, "remove", path, |r| r.string(path.as_bytes())).await)
    }

    async fn free_space(&self, path: &DestPath) -> Result<Option<u64>, FilesError> {
        if !self.client.has(SPACE) {
            return Ok(None);
        }
        let request = |r: Request| r.string(SPACE.as_bytes()).string(path.as_bytes());
        let Reply::Extended(mut space) = self.client.call(wire::EXTENDED, request).await? else {
            return Ok(None);
        };
        // Block size, fragment size, blocks, free blocks, blocks free to us, …
        let mut next = || wire::u64_of(&mut space);
        let (_block, fragment, _blocks, _free) = (next(), next(), next(), next());
        Ok(fragment.zip(next()).map(|(fragment, available)| fragment.saturating_mul(available)))
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

impl SftpFiles {
    /// Version 3 knows no rename onto a file; without the extension there is a moment with neither.
    async fn plain_rename(&self, from: &DestPath, to: &DestPath) -> Result<(), FilesError> {
        let rename = async || {
            let request = |r: Request| r.string(from.as_bytes()).string(to.as_bytes());
            self.status(wire::RENAME, "rename", from, request).await
        };
        match rename().await {
            Err(error @ FilesError::Server { .. }) => match self.stat(to).await?.map(|stat| stat.kind) {
                Some(StatKind::File | StatKind::Link) if self.stat(from).await?.is_some() => {
                    self.remove_file(to).await?;
                    rename().await
                }
                Some(_) | None => Err(error),
            },
            other => other,
        }
    }
}

fn absent_is_fine(result: Result<(), FilesError>) -> Result<(), FilesError> {
    match result {
        Err(FilesError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
