//! Which addresses a worker may connect to when a customer names the host: public ones, and what the operator allows.
//!
//! The policy is asked three times: for literal hosts of a URL (which no resolver ever sees), for each address that a
//! name resolves to at the moment of connecting (so that a name cannot be rebound between check and use), and again
//! for the target of each redirect.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Longest wait for the resolver.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The addresses that may be connected to.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    loopback_allowed: bool,
    allowed: Vec<IpNet>,
    known: HashMap<String, IpAddr>,
}

/// An address inside a network that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not a public address, and no allowed network holds it")]
pub struct AddressRefused {
    /// The address, or the name that stands for this machine.
    pub address: String,
}

/// Why a name has no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Every address of the name is refused by the policy.
    #[error("every address of the name is refused")]
    Refused(#[source] AddressRefused),
    /// The resolver knows no address.
    #[error("the name does not resolve")]
    NotFound(#[source] std::io::Error),
    /// The resolver did not answer in time.
    #[error("the resolver did not answer")]
    TimedOut,
}

impl AddressPolicy {
    /// Public addresses only.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Also this machine: for the demo, tests and single-machine installations.
    #[must_use]
    pub fn with_loopback(mut self) -> Self {
        self.loopback_allowed = true;
        self
    }

    /// Also these networks, which the operator vouches for.
    #[must_use]
    pub fn with_networks(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.allowed.extend(networks);
        self
    }

    /// Names that the operator knows the address of: they are not looked up. The address must be allowed like every other.
    #[must_use]
    pub fn with_names(mut self, names: impl IntoIterator<Item = (String, IpAddr)>) -> Self {
        self.known.extend(names.into_iter().map(|(name, address)| (name.to_ascii_lowercase(), address)));
        self
    }

    /// Refuses an address that is neither public nor allowed.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let address = embedded_v4(address);
        let is_allowed = (self.loopback_allowed && address.is_loopback())
            || self.allowed.iter().any(|network| network.contains(&address))
            || is_public(address);
        if is_allowed { Ok(()) } else { Err(AddressRefused { address: address.to_string() }) }
    }

    /// Refuses a URL whose host is a literal address that is not allowed, or a name of this machine. Other names are
    /// checked by the [resolver](Self::resolver) when they are connected to.
    pub fn check_url(&self, url: &Url) -> Result<(), AddressRefused> {
        match url.host() {
            None => Err(AddressRefused { address: "a URL without a host".to_owned() }),
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(name)) if is_loopback_name(name) && !self.loopback_allowed => {
                Err(AddressRefused { address: name.to_owned() })
            }
            Some(Host::Domain(_)) => Ok(()),
        }
    }

    /// A resolver for `reqwest::ClientBuilder::dns_resolver` that gives allowed addresses only. `pinned` names are not
    /// looked up; their addresses must be allowed like all others.
    pub fn resolver(&self, pinned: HashMap<String, SocketAddr>) -> Arc<PolicyResolver> {
        Arc::new(PolicyResolver { policy: self.clone(), pinned })
    }

    /// The allowed addresses of a host and port, for clients that connect by themselves.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            self.check(address).map_err(ResolveError::Refused)?;
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found: Vec<SocketAddr> = if let Some(address) = self.known.get(&host.to_ascii_lowercase()) {
            vec![SocketAddr::new(*address, port)]
        } else if is_loopback_name(host) {
            vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)]
        } else {
            tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port)))
                .await
                .map_err(|_| ResolveError::TimedOut)?
                .map_err(ResolveError::NotFound)?
                .collect()
        };
        self.keep_allowed(found)
    }

    fn keep_allowed(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ResolveError> {
        let mut refused = None;
        let mut kept = Vec::with_capacity(found.len());
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => kept.push(address),
                Err(error) => refused = Some(error),
            }
        }
        match (kept.is_empty(), refused) {
            (true, Some(error)) => Err(ResolveError::Refused(error)),
            (true, None) => Err(ResolveError::NotFound(std::io::Error::other("the name has no address"))),
            (false, _) => Ok(kept),
        }
    }
}

/// Resolves names to allowed addresses only.
#[derive(Debug)]
pub struct PolicyResolver {
    policy: AddressPolicy,
    pinned: HashMap<String, SocketAddr>,
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        let pinned = self.pinned.get(name.as_str()).copied();
        Box::pin(async move {
            let addresses = match pinned {
                Some(address) => policy.keep_allowed(vec![address])?,
                None => policy.resolve(name.as_str(), 0).await?,
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether a name always stands for this machine (RFC 6761).
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether requests to the host of a URL stay on this machine.
pub fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => embedded_v4(address.into()).is_loopback(),
        Some(Host::Domain(name)) => is_loopback_name(name),
        None => false,
    }
}

/// The IPv4 address that an IPv6 address carries: mapped, compatible, NAT64 or 6to4. A packet to it ends there.
fn embedded_v4(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED {
        return address;
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::new(
            (high >> 8) as u8,
            (high & 0xff) as u8,
            (low >> 8) as u8,
            (low & 0xff) as u8,
        ))
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff | 0] | [0x64, 0xff9b, 0, 0, 0, 0] => v4(g, h),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// Whether an address is routed on the Internet, by the registries of special-purpose addresses (IANA).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !V4_SPECIAL.iter().any(|(network, bits)| in_v4(v4, *network, *bits)),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

const V4_SPECIAL: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::new(255, 255, 255, 255), 32),
];

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, bits: u32) -> bool {
    let mask = u32::MAX << (32 - bits);
    u32::from(address) & mask == u32::from(network) & mask
}

/// Global unicast is 2000::/3; of it, 2001::/23 (protocol assignments, Teredo), 2001:db8::/32 and 3fff::/20
/// (documentation) are not.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_special = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
    let is_documentation = first == 0x3fff && second < 0x1000;
    is_global && !is_special && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(policy: &AddressPolicy, address: &str) -> bool {
        policy.check(address.parse().unwrap()).is_err()
    }

    #[test]
    fn addresses_of_inner_networks_are_refused_however_they_are_written() {
        let policy = AddressPolicy::public_only();
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert!(refused(&policy, address), "{address}");
        }
        for address in ["93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "2002:5db8:d822::1"] {
            assert!(!refused(&policy, address), "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_loopback_and_networks() {
        let policy = AddressPolicy::public_only().with_loopback();
        assert!(
            !refused(&policy, "127.0.0.2")
                && !refused(&policy, "::1")
                && !refused(&policy, "::ffff:127.0.0.1")
        );
        assert!(refused(&policy, "10.0.0.1"));
        let policy = AddressPolicy::public_only().with_networks(["10.0.0.0/8".parse().unwrap()]);
        assert!(!refused(&policy, "10.9.9.9") && refused(&policy, "127.0.0.1"));
    }

    #[test]
    fn literal_hosts_in_odd_spellings_are_seen_as_what_they_are() {
        let policy = AddressPolicy::public_only();
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://localhost/",
            "http://a.localhost./",
        ] {
            assert!(policy.check_url(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        assert!(policy.check_url(&Url::parse("https://example.com/").unwrap()).is_ok());
    }

    #[tokio::test]
    async fn names_of_this_machine_resolve_without_dns_and_only_when_allowed() {
        let open = AddressPolicy::public_only().with_loopback();
        let found = open.resolve("old.example.localhost", 81).await.unwrap();
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 81))]);
        let closed = AddressPolicy::public_only().resolve("localhost", 81).await;
        assert!(matches!(closed, Err(ResolveError::Refused(_))));
    }

    #[tokio::test]
    async fn names_that_the_operator_knows_are_not_looked_up_and_their_addresses_still_checked() {
        let names = || [("Old.Example.test".to_owned(), "127.0.0.5".parse().unwrap())];
        let open = AddressPolicy::public_only().with_loopback().with_names(names());
        assert_eq!(
            open.resolve("old.example.TEST", 81).await.unwrap(),
            [SocketAddr::from(([127, 0, 0, 5], 81))]
        );
        let closed = AddressPolicy::public_only().with_names(names()).resolve("old.example.test", 81).await;
        assert!(matches!(closed, Err(ResolveError::Refused(_))));
    }
}
