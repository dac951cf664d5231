//! Yardsticks of our own, in processes of their own: a bare relay, the least that a checking proxy can do, the hash service
//! that Squid asks, what makes a vendor far away, and what sends bare bytes.

mod delay;
mod icap;
mod libraries;
mod minimal;
mod relay;
mod source;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Child;

use super::{Kind, Proxy};
use crate::keys;
use crate::origin::{DOMAIN, Origin, free_address};
use crate::running::{spawn_self, wait_for};

pub(crate) use self::delay::delay;
pub(crate) use self::icap::icap;
pub(crate) use self::libraries::libraries;
pub(crate) use self::minimal::minimal;
pub(crate) use self::relay::relay;
pub(crate) use self::source::{byte, source};

/// The largest body that is held.
const LARGEST: usize = 64 << 20;
/// The longest CONNECT.
const LONGEST: usize = 16 << 10;

pub(super) async fn start_relay(dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    let process = spawn_self("relay", listen, &[&origin.hosts.display().to_string()], dir);
    Proxy::of(Kind::Relay, listen, origin.root.clone(), vec![process]).await
}

/// A loop of ours with TLS on both sides.
pub(super) async fn start_loop(kind: Kind, dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    // One leaf for all names, made once: this makes no certificates.
    let root = keys::root(dir, "Minimal root");
    keys::leaf(dir, &[&format!("*.{DOMAIN}")]);
    let given = [&origin.hosts, &origin.root, &origin.pins].map(|path| path.display().to_string());
    let process = spawn_self(kind.name(), listen, &given.each_ref().map(String::as_str), dir);
    Proxy::of(kind, listen, root, vec![process]).await
}

/// The hash service. It undoes no coding: what is sent as gzip is pinned as that.
pub(super) async fn start_icap(dir: &Path, origin: &Origin) -> (SocketAddr, Child) {
    let listen = free_address();
    let dir = dir.join("icap");
    std::fs::create_dir_all(&dir).expect("a folder");
    let pins: String =
        origin.bodies.iter().map(|body| format!("{}\n{}\n", body.sri, body.gzip_sri)).collect();
    std::fs::write(dir.join("pins"), pins).expect("a list of digests");
    let process = spawn_self("icap", listen, &["pins"], &dir);
    wait_for(listen, "the ICAP service").await;
    (listen, process)
}

/// Addresses of names, from a file like /etc/hosts.
struct Hosts(HashMap<String, IpAddr>);

impl Hosts {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a list of hosts");
        let host = |line: &str| {
            let (address, name) = line.split_once(' ').expect("an address and a name");
            (name.to_owned(), address.parse().expect("an address"))
        };
        Self(text.lines().map(host).collect())
    }
}

/// What may be released.
struct Pins(HashSet<String>);

impl Pins {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a list of digests");
        Self(text.lines().map(str::to_owned).collect())
    }

    fn has(&self, digest: &[u8; 32]) -> bool {
        use base64::Engine as _;

        self.0.contains(&format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest)))
    }
}

/// Who is asked for, and where that is.
struct Target {
    host: String,
    address: SocketAddr,
}

/// Reads a CONNECT, and agrees to it. Nothing follows it before that.
async fn connected(client: &mut TcpStream, hosts: &Hosts) -> io::Result<Target> {
    let mut head = Vec::with_capacity(1 << 10);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST || client.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let target = target(&head, hosts).ok_or(io::ErrorKind::InvalidData)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    Ok(target)
}

fn target(head: &[u8], hosts: &Hosts) -> Option<Target> {
    let line = std::str::from_utf8(head).ok()?.strip_prefix("CONNECT ")?;
    let (host, port) = line.split_once(' ')?.0.split_once(':')?;
    let address = SocketAddr::new(*hosts.0.get(host)?, port.parse().ok()?);
    Some(Target { host: host.to_owned(), address })
}
