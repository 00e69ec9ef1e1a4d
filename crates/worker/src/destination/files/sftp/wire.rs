//! The bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02), as OpenSSH speaks it.
//!
//! Written here because file names are bytes: the crates at hand take names as UTF-8 text, and an old host's
//! Latin-1 names would be lost.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::destination::files::{Stat, StatKind};

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const READ: u8 = 5;
pub(super) const WRITE: u8 = 6;
pub(super) const LSTAT: u8 = 7;
pub(super) const SETSTAT: u8 = 9;
pub(super) const FSETSTAT: u8 = 10;
pub(super) const OPENDIR: u8 = 11;
pub(super) const READDIR: u8 = 12;
pub(super) const REMOVE: u8 = 13;
pub(super) const MKDIR: u8 = 14;
pub(super) const RMDIR: u8 = 15;
pub(super) const RENAME: u8 = 18;
pub(super) const SYMLINK: u8 = 20;
pub(super) const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

pub(super) const FLAG_READ: u32 = 0x01;
pub(super) const FLAG_WRITE: u32 = 0x02;
pub(super) const FLAG_CREATE: u32 = 0x08;
pub(super) const FLAG_EXCLUSIVE: u32 = 0x20;

const ATTR_SIZE: u32 = 0x01;
const ATTR_OWNER: u32 = 0x02;
const ATTR_MODE: u32 = 0x04;
const ATTR_TIMES: u32 = 0x08;
const ATTR_EXTENDED: u32 = 0x8000_0000;

/// Largest packet taken from a server: it may answer a read with 256 KiB, a folder with some more.
pub(super) const PACKET_MAX: usize = 4 * 1024 * 1024;

/// A request that is being put together; its length is filled in at the end.
pub(super) struct Request(BytesMut);

impl Request {
    pub(super) fn new(kind: u8, id: u32) -> Self {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_u32(0);
        bytes.put_u8(kind);
        bytes.put_u32(id);
        Self(bytes)
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.put_u64(value);
        self
    }

    pub(super) fn string(mut self, value: &[u8]) -> Self {
        self.0.put_u32(u32::try_from(value.len()).expect("names and pieces are far smaller than 4 GiB"));
        self.0.put_slice(value);
        self
    }

    /// Attributes: permission bits, and times where a modification time is given.
    pub(super) fn attrs(self, mode: Option<u32>, mtime: Option<i64>) -> Self {
        let flags = mode.map_or(0, |_| ATTR_MODE) | mtime.map_or(0, |_| ATTR_TIMES);
        let mut out = self.u32(flags);
        if let Some(mode) = mode {
            out = out.u32(mode & 0o7777);
        }
        if let Some(mtime) = mtime {
            let seconds = u32::try_from(mtime.max(0)).unwrap_or(u32::MAX);
            out = out.u32(seconds).u32(seconds);
        }
        out
    }

    pub(super) fn finish(mut self) -> Bytes {
        let length = u32::try_from(self.0.len() - 4).expect("a request is far smaller than 4 GiB");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }
}

/// What a server answers.
#[derive(Debug)]
pub(super) enum Reply {
    Status(Status),
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<(Bytes, Attrs)>),
    Attrs(Attrs),
    Extended(Bytes),
}

/// The codes of a status that this client tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Eof,
    NoSuchFile,
    PermissionDenied,
    Failure,
    Unsupported,
    /// The server lost its own connection.
    ConnectionLost,
    Other(u32),
}

/// What a server says of a file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attrs {
    size: u64,
    mode: Option<u32>,
    mtime: u32,
}

impl Attrs {
    /// None where the server tells no type: every server in use does.
    pub(super) fn stat(&self) -> Option<Stat> {
        let mode = self.mode?;
        let kind = match mode & 0o170_000 {
            0o100_000 => StatKind::File,
            0o040_000 => StatKind::Folder,
            0o120_000 => StatKind::Link,
            _other => StatKind::Other,
        };
        Some(Stat { kind, size: self.size, mode: mode & 0o7777, mtime: i64::from(self.mtime) })
    }
}

/// A packet that does not follow the protocol.
#[derive(Debug, thiserror::Error)]
#[error("the server's packet of type {kind} cannot be read")]
pub(super) struct BadPacket {
    kind: u8,
}

/// Reads an answer (without its length): the id of the request, and what it is.
pub(super) fn reply(mut packet: Bytes) -> Result<(u32, Reply), BadPacket> {
    let kind = packet.first().copied().unwrap_or(0);
    let bad = || BadPacket { kind };
    if packet.len() < 5 {
        return Err(bad());
    }
    packet.advance(1);
    let id = packet.get_u32();
    let reply = match kind {
        STATUS => Reply::Status(status(u32_of(&mut packet).ok_or_else(bad)?)),
        HANDLE => Reply::Handle(string_of(&mut packet).ok_or_else(bad)?),
        DATA => Reply::Data(string_of(&mut packet).ok_or_else(bad)?),
        ATTRS => Reply::Attrs(attrs_of(&mut packet).ok_or_else(bad)?),
        NAME => Reply::Names(names_of(&mut packet).ok_or_else(bad)?),
        EXTENDED_REPLY => Reply::Extended(packet),
        _other => return Err(bad()),
    };
    Ok((id, reply))
}

/// Reads the server's version packet: the extensions that it names, with their data.
pub(super) fn version(mut packet: Bytes) -> Result<Vec<(Bytes, Bytes)>, BadPacket> {
    let kind = packet.first().copied().unwrap_or(0);
    if kind != VERSION || packet.len() < 5 {
        return Err(BadPacket { kind });
    }
    packet.advance(5);
    let mut extensions = Vec::new();
    while !packet.is_empty() {
        let name = string_of(&mut packet).ok_or(BadPacket { kind })?;
        let value = string_of(&mut packet).ok_or(BadPacket { kind })?;
        extensions.push((name, value));
    }
    Ok(extensions)
}

fn status(code: u32) -> Status {
    match code {
        0 => Status::Ok,
        1 => Status::Eof,
        2 => Status::NoSuchFile,
        3 => Status::PermissionDenied,
        4 => Status::Failure,
        6 | 7 => Status::ConnectionLost,
        8 => Status::Unsupported,
        other => Status::Other(other),
    }
}

pub(super) fn u32_of(packet: &mut Bytes) -> Option<u32> {
    (packet.len() >= 4).then(|| packet.get_u32())
}

pub(super) fn u64_of(packet: &mut Bytes) -> Option<u64> {
    (packet.len() >= 8).then(|| packet.get_u64())
}

fn string_of(packet: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(u32_of(packet)?).ok()?;
    (packet.len() >= length).then(|| packet.split_to(length))
}

fn attrs_of(packet: &mut Bytes) -> Option<Attrs> {
    let flags = u32_of(packet)?;
    let mut attrs = Attrs::default();
    if flags & ATTR_SIZE != 0 {
        attrs.size = u64_of(packet)?;
    }
    if flags & ATTR_OWNER != 0 {
        u64_of(packet)?;
    }
    if flags & ATTR_MODE != 0 {
        attrs.mode = Some(u32_of(packet)?);
    }
    if flags & ATTR_TIMES != 0 {
        u32_of(packet)?;
        attrs.mtime = u32_of(packet)?;
    }
    if flags & ATTR_EXTENDED != 0 {
        for _ in 0..u32_of(packet)? {
            string_of(packet)?;
            string_of(packet)?;
        }
    }
    Some(attrs)
}

fn names_of(packet: &mut Bytes) -> Option<Vec<(Bytes, Attrs)>> {
    let count = u32_of(packet)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let name = string_of(packet)?;
        string_of(packet)?;
        names.push((name, attrs_of(packet)?));
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_or_lying_packet_is_refused_and_never_panics() {
        let mut names = BytesMut::new();
        names.put_u8(NAME);
        names.put_u32(7);
        names.put_u32(u32::MAX);
        names.put_u32(3);
        names.put_slice(b"abc");
        let whole = names.freeze();
        for length in 0..=whole.len() {
            assert!(reply(whole.slice(..length)).is_err());
        }
        for kind in 0..=255u8 {
            let _ = reply(Bytes::from(vec![kind, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
        }
    }

    #[test]
    fn a_request_begins_with_its_length() {
        let request = Request::new(LSTAT, 9).string(b"/a").finish();
        assert_eq!(&request[..], b"\0\0\0\x0b\x07\0\0\0\x09\0\0\0\x02/a");
    }
}
