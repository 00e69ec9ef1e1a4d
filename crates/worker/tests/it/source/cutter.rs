//! Proxies that spoil answers: one cuts connections off in the middle, one is a cache that keeps the first answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Forwards to an address, and cuts each of the first connections after some bytes of answer.
pub(super) struct Cutter {
    pub(super) address: SocketAddr,
    answered: Arc<AtomicU64>,
    cuts: Arc<AtomicU64>,
}

impl Cutter {
    /// Cuts the first `cuts` connections, each after `step` bytes more than the one before.
    pub(super) async fn start(target: SocketAddr, cuts: u64, step: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answered = Arc::new(AtomicU64::new(0));
        let made = Arc::new(AtomicU64::new(0));
        let (total, count) = (Arc::clone(&answered), Arc::clone(&made));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((client, _)) = listener.accept().await {
                connection += 1;
                let most = if connection <= cuts { connection * step } else { u64::MAX };
                tokio::spawn(forward(client, target, most, Arc::clone(&total), Arc::clone(&count)));
            }
        });
        Self { address, answered, cuts: made }
    }

    /// Bytes of answers that went through.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Connections that were cut.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn forward(
    mut client: TcpStream,
    target: SocketAddr,
    most: u64,
    total: Arc<AtomicU64>,
    cuts: Arc<AtomicU64>,
) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let upload = tokio::io::copy(&mut from_client, &mut to_server);
    let download = async {
        let mut left = most;
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            let count = from_server.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            let taken = count.min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= taken as u64;
            total.fetch_add(taken as u64, Ordering::SeqCst);
            if to_client.write_all(&buffer[..taken]).await.is_err() {
                return;
            }
        }
        cuts.fetch_add(1, Ordering::SeqCst);
    };
    tokio::select! {
        _ = upload => {}
        () = download => {}
    }
}

/// Forwards the first request to an address and gives its answer to all others too, as a broken page cache does.
pub(super) async fn start_cache(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let count = client.read(&mut request).await.unwrap_or(0);
            if kept.is_empty() {
                let mut server = TcpStream::connect(target).await.expect("the site");
                let text = String::from_utf8_lossy(&request[..count]).replacen(
                    "\r\n",
                    "\r\nConnection: close\r\n",
                    1,
                );
                server.write_all(text.as_bytes()).await.expect("the site listens");
                server.read_to_end(&mut kept).await.expect("the site answers");
            }
            let _ = client.write_all(&kept).await;
        }
    });
    address
}
