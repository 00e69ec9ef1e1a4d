//! Counts what goes over the wire: what the source's web server sends, by its log, and what the worker sends to the
//! destination, by relays in front of its SFTP and database servers.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use landfall_testkit::lab::{Destination, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 64 * 1024;
/// How PHP's client names itself in its first message. The migrated site's own queries are not the worker's.
const PHP_CLIENT: &[u8] = b"mysqlnd";

/// Bytes of each way, since the beginning or between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// From the source to the worker.
    pub source: i64,
    /// From the worker to the destination's SFTP server.
    pub files: i64,
    /// From the worker to the destination's database.
    pub rows: i64,
}

impl Bytes {
    /// What came since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            source: self.source - earlier.source,
            files: self.files - earlier.files,
            rows: self.rows - earlier.rows,
        }
    }

    /// The mean of so many.
    pub(super) fn over(self, count: Self) -> Self {
        let mean = |bytes: i64, count: i64| bytes / count.max(1);
        Self {
            source: mean(self.source, count.source),
            files: mean(self.files, count.files),
            rows: mean(self.rows, count.rows),
        }
    }
}

/// Meters of all three ways.
pub(super) struct Meters {
    access_log: PathBuf,
    files: Relay,
    rows: Relay,
}

impl Meters {
    pub(super) async fn start(source: &Source, destination: &Destination) -> Result<Self> {
        Ok(Self {
            access_log: source.web.access_log(),
            files: Relay::start(destination.sshd.port()).await?,
            rows: Relay::start(destination.site.database.port).await?,
        })
    }

    /// The port that stands for the SFTP server's.
    pub(super) fn sftp_port(&self) -> u16 {
        self.files.port
    }

    /// The port that stands for the database server's.
    pub(super) fn database_port(&self) -> u16 {
        self.rows.port
    }

    /// What was counted so far.
    pub(super) fn read(&self) -> Result<Bytes> {
        Ok(Bytes {
            source: sent(&fs::read_to_string(&self.access_log).context("the source's access log")?),
            files: self.files.sent.load(Ordering::Relaxed),
            rows: self.rows.sent.load(Ordering::Relaxed),
        })
    }
}

/// The sum of the bytes that an access log of nginx's ordinary format tells, cut answers included: the number behind
/// the status, which stands behind the quoted request.
fn sent(log: &str) -> i64 {
    let bytes = |line: &str| line.split('"').nth(2)?.split_whitespace().nth(1)?.parse::<i64>().ok();
    log.lines().filter_map(bytes).sum()
}

/// Passes connections on to a port of this machine, and counts what the clients send.
struct Relay {
    port: u16,
    sent: Arc<AtomicI64>,
    listener: JoinHandle<()>,
}

impl Relay {
    async fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let sent = Arc::new(AtomicI64::new(0));
        let count = Arc::clone(&sent);
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, to, Arc::clone(&count)));
            }
        });
        Ok(Self { port, sent, listener })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Ends with the first side that ends: a killed worker's connections end at once at the server too.
async fn relay(client: TcpStream, to: u16, sent: Arc<AtomicI64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, Some(&sent)) => {}
        () = pass(from_server, to_client, None) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Option<&AtomicI64>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut count = count;
    let mut is_first = true;
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        if is_first && buffer[..length].windows(PHP_CLIENT.len()).any(|part| part == PHP_CLIENT) {
            count = None;
        }
        is_first = false;
        if let (Some(count), Ok(length)) = (count, i64::try_from(length)) {
            count.fetch_add(length, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_access_log_are_summed_up() {
        let log = "127.0.0.1 - - [24/Nov/2025:10:00:00 +0000] \"POST /?x=1 HTTP/1.1\" 200 1048576 \"-\" \"L/1\"\n\
                   127.0.0.1 - - [24/Nov/2025:10:00:01 +0000] \"POST / HTTP/1.1\" 499 24 \"-\" \"L/1\"\nnonsense\n";
        assert_eq!(sent(log), 1_048_600);
    }

    #[tokio::test]
    async fn a_relay_counts_what_clients_send_but_not_php() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Relay::start(server.local_addr().unwrap().port()).await.unwrap();
        for (message, counted) in [(&b"rows and rows"[..], 13), (&b"I am mysqlnd"[..], 13)] {
            let mut client = TcpStream::connect(("127.0.0.1", relay.port)).await.unwrap();
            let (mut served, _) = server.accept().await.unwrap();
            client.write_all(message).await.unwrap();
            let mut got = vec![0; message.len()];
            served.read_exact(&mut got).await.unwrap();
            assert_eq!(got, message);
            served.write_all(b"ok").await.unwrap();
            client.read_exact(&mut got[..2]).await.unwrap();
            assert_eq!(relay.sent.load(Ordering::Relaxed), counted);
        }
    }
}
