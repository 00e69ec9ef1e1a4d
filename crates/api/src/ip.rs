//! Whose address a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderMap;

/// The peer of the connection, put into each request by [`crate::serve()`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The address that limits count: the peer's, or the one that the outermost trusted proxy saw.
///
/// Each proxy appends the address that it saw to `X-Forwarded-For`, so the entry that the outermost of `proxies`
/// trusted ones wrote is the `proxies`-th from the right. Whatever stands left of it was sent by the client.
pub(crate) fn client_address(peer: Option<Peer>, headers: &HeaderMap, proxies: usize) -> IpAddr {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address.ip());
    if proxies == 0 {
        return peer;
    }
    let seen: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    seen.iter().rev().nth(proxies - 1).and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
}

/// What shares a limit: an IPv4 address, or an IPv6 network of 64 bits, which one host can use in full.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Option<Peer> {
        Some(Peer("198.51.100.7:4000".parse().unwrap()))
    }

    fn forwarded(value: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_forged_header_does_not_change_the_address() {
        let headers = forwarded("203.0.113.1, 203.0.113.2");
        let plain = client_address(peer(), &headers, 0);
        assert_eq!(plain.to_string(), "198.51.100.7");
        assert_eq!(client_address(peer(), &headers, 1).to_string(), "203.0.113.2");
        assert_eq!(client_address(peer(), &headers, 3), plain, "fewer entries than proxies");
        assert_eq!(client_address(peer(), &forwarded("nonsense"), 1), plain);
    }

    #[test]
    fn an_ipv6_host_cannot_walk_through_its_network() {
        let one = network("2001:db8:1:2:3:4:5:6".parse().unwrap());
        assert_eq!(one, network("2001:db8:1:2:ffff::1".parse().unwrap()));
        assert_ne!(one, network("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }
}
