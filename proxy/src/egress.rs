//! Where the gateway may connect to. A name is resolved once, and the address that was checked is the one dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use pinfold_policy::host::{Authority, Host};
use pinfold_policy::reason::Reason;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::Egress;

/// Why no connection was made.
#[derive(Debug, Error)]
pub enum EgressError {
    /// Every address of the host is one that may not be reached.
    #[error(
        "{host} is at {address}, which is private; name it in 'egress.resolve' or 'egress.allow_private' if it may be reached"
    )]
    Private {
        /// The host asked for.
        host: Host,
        /// One of its addresses.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("cannot resolve {host}: {source}")]
    Unresolved {
        /// The host asked for.
        host: Host,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address answered.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// The last address tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No address answered in time.
    #[error("no connection to {authority} within {seconds} s")]
    Timeout {
        /// Where to.
        authority: Authority,
        /// The limit.
        seconds: u64,
    },
}

impl EgressError {
    /// The reason that the client is given.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Private { .. } => Reason::PrivateAddress,
            Self::Unresolved { .. } | Self::Unreachable { .. } => Reason::UpstreamUnreachable,
            Self::Timeout { .. } => Reason::UpstreamTimeout,
        }
    }
}

impl Egress {
    /// Connects to `authority`, to an address that the rules allow. `own` are addresses of this gateway.
    ///
    /// # Errors
    /// [`EgressError`], saying which address or name it was.
    pub(crate) async fn connect(
        &self,
        authority: &Authority,
        own: &[SocketAddr],
        limit: Duration,
    ) -> Result<TcpStream, EgressError> {
        let attempt = async {
            let allowed = self.addresses(authority, own).await?;
            let mut last = None;
            // One address that swallows packets must not use up the time of the next.
            let each = limit / u32::try_from(allowed.len()).unwrap_or(1).max(1);
            for address in allowed {
                let connected = timeout(each, TcpStream::connect(address)).await;
                match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => {
                        // Without it a response of a few segments waits 40 ms for a delayed acknowledgement.
                        stream
                            .set_nodelay(true)
                            .map_err(|source| EgressError::Unreachable { address, source })?;
                        return Ok(stream);
                    }
                    Err(source) => last = Some(EgressError::Unreachable { address, source }),
                }
            }
            Err(last.unwrap_or_else(|| no_address(&authority.host)))
        };
        let late = |_| EgressError::Timeout { authority: authority.clone(), seconds: limit.as_secs() };
        timeout(limit, attempt).await.map_err(late)?
    }

    async fn addresses(
        &self,
        authority: &Authority,
        own: &[SocketAddr],
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let Authority { host, port } = authority;
        if let Some(fixed) = self.resolve.get(host) {
            return Ok(vec![*fixed]);
        }
        let found: Vec<SocketAddr> = match host {
            Host::Ip(ip) => vec![SocketAddr::new(*ip, *port)],
            Host::Name(name) => tokio::net::lookup_host((&**name, *port))
                .await
                .map_err(|source| EgressError::Unresolved { host: host.clone(), source })?
                .collect(),
        };
        let Some(first) = found.first().copied() else { return Err(no_address(host)) };
        let allowed: Vec<_> = found.into_iter().filter(|address| self.allows(*address, own)).collect();
        if allowed.is_empty() {
            return Err(EgressError::Private { host: host.clone(), address: first.ip() });
        }
        Ok(allowed)
    }

    fn allows(&self, address: SocketAddr, own: &[SocketAddr]) -> bool {
        let ip = address.ip().to_canonical();
        let is_own = own.iter().any(|own| {
            own.port() == address.port() && (own.ip().to_canonical() == ip || own.ip().is_unspecified())
        });
        let allowed = self.allow_private.iter().any(|net| net.contains(&ip));
        // With a wildcard listener only loopback is surely this machine; a private address may be too.
        let is_own = is_own && (ip.is_loopback() || is_private(ip) || own.iter().any(|own| own.ip() == ip));
        !is_own && (allowed || !is_private(ip))
    }
}

fn no_address(host: &Host) -> EgressError {
    EgressError::Unresolved { host: host.clone(), source: io::Error::other("the name has no address") }
}

/// Addresses that are not on the public internet: IANA's special-purpose registries (RFC 6890), multicast, and what
/// transition mechanisms embed.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| is_private_v6(v6), is_private_v4),
    }
}

fn within(ip: impl Into<IpAddr>, networks: &[&str]) -> bool {
    let ip = ip.into();
    networks.iter().any(|net| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip)))
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    const NETWORKS: [&str; 16] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ];
    // 168.63.129.16 is Azure's metadata and DNS service, on a public address.
    within(ip, &NETWORKS) || ip == Ipv4Addr::new(168, 63, 129, 16)
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    const NETWORKS: [&str; 11] = [
        "::/127",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];
    within(ip, &NETWORKS)
}

/// The IPv4 address that an IPv6 address leads to: IPv4-compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(v4(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        Egress::default().allows(address.parse().unwrap(), &["127.0.0.1:8080".parse().unwrap()])
    }

    #[test]
    fn no_private_address_is_dialled_in_any_notation() {
        for address in [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "169.254.169.254:80",
            "100.64.0.1:80",
            "192.168.1.1:80",
            "172.31.0.1:80",
            "0.0.0.0:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "168.63.129.16:80",
            "[::1]:80",
            "[::]:80",
            "[fe80::1]:80",
            "[fc00::1]:80",
            "[ff02::1]:80",
            "[::ffff:10.0.0.1]:80",
            "[::ffff:127.0.0.1]:80",
            "[64:ff9b::10.0.0.1]:80",
            "[64:ff9b::7f00:1]:80",
            "[2002:7f00:1::]:80",
            "[::127.0.0.1]:80",
            "[2001:0:1::1]:80",
        ] {
            assert!(!allows(address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are() {
        for address in
            ["93.184.215.14:443", "[2606:4700::1111]:443", "[64:ff9b::8.8.8.8]:443", "172.32.0.1:80"]
        {
            assert!(allows(address), "{address}");
        }
    }

    #[test]
    fn what_is_named_may_be_reached_and_the_gateway_itself_may_not() {
        let egress = Egress { allow_private: vec!["127.0.0.0/8".parse().unwrap()], ..Egress::default() };
        let own = ["127.0.0.1:8080".parse().unwrap(), "0.0.0.0:8081".parse().unwrap()];
        assert!(egress.allows("127.0.0.1:80".parse().unwrap(), &own));
        assert!(!egress.allows("127.0.0.1:8080".parse().unwrap(), &own));
        assert!(!egress.allows("127.0.0.2:8081".parse().unwrap(), &own));
        assert!(!egress.allows("10.0.0.1:80".parse().unwrap(), &own));
    }
}
