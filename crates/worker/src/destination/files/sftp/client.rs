//! Requests and answers over one SFTP channel: any number of requests under way, answered in any order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::wire::{self, PACKET_MAX, Reply, Request, Status};
use crate::destination::files::{DestPath, FilesError};

/// A server that answers nothing for so long is gone.
const STALL: Duration = Duration::from_secs(60);
/// Requests that may wait to be sent.
const QUEUE: usize = 64;
/// Small requests are sent together up to this size, or each would be an SSH packet of its own.
const TOGETHER: usize = 32 * 1024;
/// Bytes in one write request where the server does not tell a limit; every server takes 32 KiB.
const WRITE_DEFAULT: usize = 32 * 1024;
/// Never more, whatever the server claims to take.
const WRITE_MAX: usize = 256 * 1024;

type Waiting = Arc<Mutex<Option<HashMap<u32, oneshot::Sender<Reply>>>>>;

/// One SFTP channel.
#[derive(Debug)]
pub(super) struct Client {
    out: mpsc::Sender<Bytes>,
    waiting: Waiting,
    next: AtomicU32,
    extensions: Vec<(Bytes, Bytes)>,
    write_bytes: usize,
    tasks: [JoinHandle<()>; 2],
}

/// A request that was sent; its answer can be awaited later.
pub(super) struct Sent {
    answer: oneshot::Receiver<Reply>,
}

impl Client {
    /// Greets the server and learns what it can do.
    pub(super) async fn start<S>(stream: S) -> Result<Self, FilesError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (mut input, mut output) = tokio::io::split(stream);
        let greeting = Request::new(wire::INIT, 3).finish();
        let greet = async {
            output.write_all(&greeting).await?;
            output.flush().await?;
            packet(&mut input).await
        };
        let answer = tokio::time::timeout(STALL, greet).await.map_err(unreachable)?.map_err(unreachable)?;
        let extensions = wire::version(answer).map_err(unreachable)?;
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (out, queue) = mpsc::channel(QUEUE);
        let tasks = [tokio::spawn(send(output, queue)), tokio::spawn(receive(input, Arc::clone(&waiting)))];
        let next = AtomicU32::new(1);
        let mut client = Self { out, waiting, next, extensions, write_bytes: WRITE_DEFAULT, tasks };
        client.learn_limits().await;
        Ok(client)
    }

    /// Bytes that one write request carries.
    pub(super) fn write_bytes(&self) -> usize {
        self.write_bytes
    }

    /// Whether the server named this extension.
    pub(super) fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|(name, _)| name == extension.as_bytes())
    }

    /// Sends a request and gives a way to await its answer: what is sent one after the other arrives so.
    pub(super) async fn send(
        &self,
        kind: u8,
        fill: impl FnOnce(Request) -> Request,
    ) -> Result<Sent, FilesError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().expect("no holder of this lock panics");
            let Some(waiting) = waiting.as_mut() else { return Err(unreachable("the connection is closed")) };
            waiting.insert(id, sender);
        }
        let request = fill(Request::new(kind, id)).finish();
        self.out.send(request).await.map_err(|_| unreachable("the connection is closed"))?;
        Ok(Sent { answer })
    }

    /// Sends a request and awaits its answer.
    pub(super) async fn call(
        &self,
        kind: u8,
        fill: impl FnOnce(Request) -> Request,
    ) -> Result<Reply, FilesError> {
        self.send(kind, fill).await?.reply().await
    }

    /// Some servers take more than 32 KiB in one write and say how much.
    async fn learn_limits(&mut self) {
        const LIMITS: &str = "limits@openssh.com";
        if !self.has(LIMITS) {
            return;
        }
        if let Ok(Reply::Extended(mut limits)) =
            self.call(wire::EXTENDED, |r| r.string(LIMITS.as_bytes())).await
        {
            let (_packet, _read) = (wire::u64_of(&mut limits), wire::u64_of(&mut limits));
            if let Some(write) = wire::u64_of(&mut limits).and_then(|write| usize::try_from(write).ok()) {
                self.write_bytes = if write == 0 { WRITE_MAX } else { write.clamp(4096, WRITE_MAX) };
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Sent {
    /// Its answer; an error where the connection ended or the server stalls.
    pub(super) async fn reply(self) -> Result<Reply, FilesError> {
        match tokio::time::timeout(STALL, self.answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(unreachable("the connection broke off")),
            Err(_) => Err(unreachable("no answer for a minute")),
        }
    }

    /// Awaits a plain yes; any other status is an error of this act on this path.
    pub(super) async fn ok(self, act: &'static str, path: &DestPath) -> Result<(), FilesError> {
        let reply = self.reply().await?;
        if matches!(reply, Reply::Status(Status::Ok)) { Ok(()) } else { Err(refusal(act, path, &reply)) }
    }
}

impl Reply {
    /// The handle that an open gives.
    pub(super) fn into_handle(self, act: &'static str, path: &DestPath) -> Result<Bytes, FilesError> {
        let Reply::Handle(handle) = self else { return Err(refusal(act, path, &self)) };
        Ok(handle)
    }
}

/// An answer that is not the one hoped for, as an error.
pub(super) fn refusal(act: &'static str, path: &DestPath, reply: &Reply) -> FilesError {
    let path = path.to_string();
    match reply {
        Reply::Status(Status::NoSuchFile) => FilesError::NotFound { path },
        Reply::Status(Status::PermissionDenied) => FilesError::PermissionDenied { act, path },
        Reply::Status(Status::ConnectionLost) => unreachable("the server lost its connection"),
        Reply::Status(
            status @ (Status::Ok | Status::Eof | Status::Failure | Status::Unsupported | Status::Other(_)),
        ) => FilesError::Server { act, path, cause: format!("the server answered {status:?}").into() },
        Reply::Handle(_) | Reply::Data(_) | Reply::Names(_) | Reply::Attrs(_) | Reply::Extended(_) => {
            FilesError::Server { act, path, cause: "the server's answer does not fit the request".into() }
        }
    }
}

pub(super) fn unreachable(why: impl std::fmt::Display) -> FilesError {
    FilesError::Unreachable { why: why.to_string() }
}

async fn send(mut output: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    let mut together = BytesMut::new();
    while let Some(request) = queue.recv().await {
        together.extend_from_slice(&request);
        while together.len() < TOGETHER {
            let Ok(request) = queue.try_recv() else { break };
            together.extend_from_slice(&request);
        }
        if output.write_all(&together).await.is_err() || output.flush().await.is_err() {
            return;
        }
        together.clear();
    }
}

/// Hands out answers until the connection ends; then everybody who still waits learns it.
async fn receive(mut input: impl AsyncRead + Unpin, waiting: Waiting) {
    while let Ok(bytes) = packet(&mut input).await {
        let Ok((id, reply)) = wire::reply(bytes) else { break };
        let mut waiting = waiting.lock().expect("no holder of this lock panics");
        let Some(sender) = waiting.as_mut().and_then(|waiting| waiting.remove(&id)) else { break };
        let _ = sender.send(reply);
    }
    waiting.lock().expect("no holder of this lock panics").take();
}

async fn packet(input: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Bytes> {
    let length = usize::try_from(input.read_u32().await?).unwrap_or(usize::MAX);
    if length == 0 || length > PACKET_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "a packet of an impossible length"));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).await?;
    Ok(bytes.into())
}
