//! Where the gateway may connect to. A name is resolved once, and the address that was checked is the one dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pinfold_policy::host::{Authority, Host};
use pinfold_policy::reason::Reason;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
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
            let places = self.places(authority, own).await?;
            let mut last = None;
            // One address that swallows packets must not use up the time of the next.
            let each = limit / u32::try_from(places.len()).unwrap_or(1).max(1);
            for place in places {
                let connected = timeout(each, self.dial(place, own)).await;
                match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(Some(stream)) => return Ok(stream),
                    Ok(None) => last = Some(place.refused(&authority.host)),
                    Err(source) => last = Some(EgressError::Unreachable { address: place.address, source }),
                }
            }
            Err(last.unwrap_or_else(|| no_address(&authority.host)))
        };
        let late = |_| EgressError::Timeout { authority: authority.clone(), seconds: limit.as_secs() };
        timeout(limit, attempt).await.map_err(late)?
    }

    /// Where `authority` is. Each connection asks anew: what a name meant before is no promise.
    async fn places(&self, authority: &Authority, own: &[SocketAddr]) -> Result<Vec<Place>, EgressError> {
        let Authority { host, port } = authority;
        let found = match (self.resolve.get(host), host) {
            (Some(fixed), _) => vec![Place { address: *fixed, is_fixed: true }],
            (None, Host::Ip(ip)) => vec![Place::found(SocketAddr::new(*ip, *port))],
            (None, Host::Name(name)) => look_up(Arc::clone(name), *port)
                .await
                .map_err(|source| EgressError::Unresolved { host: host.clone(), source })?
                .map(Place::found)
                .collect(),
        };
        self.allowed(host, found, own)
    }

    /// Those of a host's addresses that may be reached. One that may not takes nothing from the others.
    fn allowed(&self, host: &Host, found: Vec<Place>, own: &[SocketAddr]) -> Result<Vec<Place>, EgressError> {
        let Some(first) = found.first().copied() else { return Err(no_address(host)) };
        let allowed: Vec<_> = found.into_iter().filter(|place| self.allows(*place, own)).collect();
        if allowed.is_empty() { Err(first.refused(host)) } else { Ok(allowed) }
    }

    fn allows(&self, place: Place, own: &[SocketAddr]) -> bool {
        let ip = place.address.ip().to_canonical();
        // To connect to the unspecified address is to connect to loopback.
        let is_here = ip.is_loopback() || ip.is_unspecified();
        !is_own(place.address, is_here, own) && (self.is_exempt(place) || !is_private(ip))
    }

    /// Whether the rule about private addresses does not hold here, because the configuration says so.
    fn is_exempt(&self, place: Place) -> bool {
        let ip = place.address.ip().to_canonical();
        place.is_fixed || self.allow_private.iter().any(|net| net.contains(&ip))
    }

    /// Connects. `None` where it turns out to be this machine, at an address that nobody named: a machine's public
    /// address is not private, and leads to its own services all the same.
    async fn dial(&self, place: Place, own: &[SocketAddr]) -> io::Result<Option<TcpStream>> {
        let stream = TcpStream::connect(place.address).await?;
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        if peer.ip().to_canonical() == local.ip().to_canonical()
            && (is_own(peer, true, own) || !self.is_exempt(place))
        {
            return Ok(None);
        }
        // Without it a response of a few segments waits 40 ms for a delayed acknowledgement.
        stream.set_nodelay(true)?;
        Ok(Some(stream))
    }
}

/// An address of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: SocketAddr,
    /// `egress.resolve` says so.
    is_fixed: bool,
}

impl Place {
    fn found(address: SocketAddr) -> Self {
        Self { address, is_fixed: false }
    }

    fn refused(self, host: &Host) -> EgressError {
        EgressError::Private { host: host.clone(), address: self.address.ip() }
    }
}

/// Lookups at one time: half of the runtime's threads that may block. Each takes one for as long as the resolver likes,
/// also when nobody waits any more, and disks and passwords need some too.
static LOOKUPS: Semaphore = Semaphore::const_new(256);

async fn look_up(name: Arc<str>, port: u16) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let turn = LOOKUPS.acquire().await.map_err(io::Error::other)?;
    let looking_up = spawn_blocking(move || {
        let _turn = turn;
        (&*name, port).to_socket_addrs()
    });
    looking_up.await.map_err(io::Error::other)?
}

/// Whether a listener of this gateway is at `address`. `is_here`: the address is known to be this machine's.
fn is_own(address: SocketAddr, is_here: bool, own: &[SocketAddr]) -> bool {
    own.iter().filter(|own| own.port() == address.port()).any(|own| {
        let own = own.ip().to_canonical();
        own == address.ip().to_canonical() || is_here && own.is_unspecified()
    })
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
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
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

/// The IPv4 address that an IPv6 address leads to: IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765),
/// NAT64 (RFC 6052), 6to4 (RFC 3056), and ISATAP under any prefix (RFC 5214 §6.1). What Teredo (RFC 4380) embeds is
/// refused with the block that it is in.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0 | 0xffff, 0) => Some(v4(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        (.., 0 | 0x200, 0x5efe) => Some(v4(g, h)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        let place = Place::found(address.parse().unwrap());
        Egress::default().allows(place, &["127.0.0.1:8080".parse().unwrap()])
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
            "[::ffff:0:10.0.0.1]:80",
            "[::ffff:0:169.254.169.254]:80",
            "[64:ff9b::169.254.169.254]:80",
            "[64:ff9b:1::8.8.8.8]:80",
            "[2002:a9fe:a9fe::1]:80",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]:80",
            "[2606:4700::5efe:10.0.0.1]:80",
            "[2606:4700::200:5efe:127.0.0.1]:80",
            "[fd00:ec2::254]:80",
            "[::2]:80",
            "[fec0::1]:80",
            "[100:0:0:1::1]:80",
            "100.100.100.200:80",
            "192.0.0.192:80",
            "169.254.170.2:80",
            "[64:ff9b::168.63.129.16]:80",
        ] {
            assert!(!allows(address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are() {
        for address in [
            "93.184.215.14:443",
            "[2606:4700::1111]:443",
            "[64:ff9b::8.8.8.8]:443",
            "[2606:4700::5efe:8.8.8.8]:443",
            "172.32.0.1:80",
        ] {
            assert!(allows(address), "{address}");
        }
    }

    #[test]
    fn what_is_named_may_be_reached_and_the_gateway_itself_may_not() {
        let egress = Egress { allow_private: vec!["0.0.0.0/0".parse().unwrap()], ..Egress::default() };
        let own: Vec<SocketAddr> = ["127.0.0.1:8080", "0.0.0.0:8081", "[::ffff:10.0.0.1]:8082", "[::]:8083"]
            .map(|address| address.parse().unwrap())
            .into();
        let allows = |address: &str, is_fixed| {
            egress.allows(Place { address: address.parse().unwrap(), is_fixed }, &own)
        };
        for is_fixed in [false, true] {
            for address in ["127.0.0.1:80", "10.0.0.1:8080", "10.0.0.2:8081", "10.0.0.2:8082"] {
                assert!(allows(address, is_fixed), "{address}");
            }
            for address in [
                "127.0.0.1:8080",
                "[::ffff:127.0.0.1]:8080",
                "127.0.0.2:8081",
                "0.0.0.0:8081",
                "10.0.0.1:8082",
                "127.0.0.1:8083",
                "[::1]:8083",
                "[::]:8083",
            ] {
                assert!(!allows(address, is_fixed), "{address}");
            }
        }
        assert!(allows("[::1]:80", true) && !allows("[::1]:80", false));
    }

    #[test]
    fn of_public_and_private_answers_only_the_public_ones_are_dialled() {
        let host = Host::parse("rebind.test").unwrap();
        let places = |addresses: &[&str]| {
            addresses.iter().map(|address| Place::found(address.parse().unwrap())).collect::<Vec<_>>()
        };
        let allowed = |addresses: &[&str]| Egress::default().allowed(&host, places(addresses), &[]);

        let mixed = ["127.0.0.1:443", "93.184.215.14:443", "[::ffff:10.0.0.1]:443", "[2606:4700::1111]:443"];
        assert_eq!(allowed(&mixed).unwrap(), places(&["93.184.215.14:443", "[2606:4700::1111]:443"]));
        let private = allowed(&["10.0.0.1:443", "[::1]:443"]).unwrap_err();
        assert_eq!(private.reason(), Reason::PrivateAddress);
        assert_eq!(allowed(&[]).unwrap_err().reason(), Reason::UpstreamUnreachable);
    }

    #[tokio::test]
    async fn what_turns_out_to_be_this_machine_is_reached_only_where_it_was_named() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // As if loopback were this machine's public address: nothing about the number itself is asked here.
        let dial =
            async |place, own: &[SocketAddr]| Egress::default().dial(place, own).await.unwrap().is_some();
        let fixed = Place { address, is_fixed: true };
        assert!(!dial(Place::found(address), &[]).await);
        assert!(dial(fixed, &[]).await);
        for own in [address, SocketAddr::from(([0, 0, 0, 0], address.port()))] {
            assert!(!dial(fixed, &[own]).await);
        }
    }
}
