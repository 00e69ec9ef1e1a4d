//! Free ports and answering ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Below the kernel's range for outgoing connections, so that none of those takes the port before the server does.
const RANGE: Range<u16> = 20_000..32_000;
const ATTEMPTS_MAX: usize = 200;

/// A port on 127.0.0.1 that nothing listens on.
pub fn free_port() -> Result<u16> {
    for _ in 0..ATTEMPTS_MAX {
        let port = rand::random_range(RANGE);
        if TcpListener::bind(address(port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1 in {RANGE:?}")
}

/// 127.0.0.1 with this port.
pub fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Whether something accepts connections there.
pub(super) async fn accepts(port: u16) -> bool {
    let connected = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address(port))).await;
    matches!(connected, Ok(Ok(_)))
}

/// Whether what listens there greets with `banner`, as MariaDB and SSH do.
pub(super) async fn greets(port: u16, banner: &[u8]) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address(port)).await.ok()?;
        let mut greeting = vec![0; banner.len()];
        stream.read_exact(&mut greeting).await.ok()?;
        Some(greeting == banner)
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), exchange).await, Ok(Some(true)))
}
