//! What the network needs to know: plain values, already validated.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pinfold_policy::host::Host;
use pinfold_policy::redact::Redaction;
use pinfold_policy::user::Users;
use rustls::pki_types::CertificateDer;

use crate::clock::Clock;

/// Settings of one gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on. Port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// Networks whose hosts may use the proxy.
    pub clients: Vec<IpNet>,
    /// Whose name and password each client must give; `None` where the address is enough.
    pub users: Option<Arc<Users>>,
    /// Where the gateway itself may connect to.
    pub egress: Egress,
    /// Query parameters whose values are written nowhere.
    pub redaction: Redaction,
    /// Roots trusted for vendors besides the platform's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Bounds on time and memory.
    pub limits: Limits,
    /// Memory for verified bodies that are served without the vendor, in bytes.
    pub shelf_memory: u64,
    /// How long a client may keep what it was given.
    pub client_max_age: Duration,
    /// By which it judges and records.
    pub clock: Clock,
}

/// Where the gateway may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Ports that CONNECT may name.
    pub connect_ports: Vec<u16>,
    /// Ports that an absolute-form `http:` request may name.
    pub http_ports: Vec<u16>,
    /// Networks that may be reached although they are private.
    pub allow_private: Vec<IpNet>,
    /// Fixed addresses by host, exempt from the rule about private ones.
    pub resolve: HashMap<Host, SocketAddr>,
}

/// Bounds on time and memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest artifact, in decoded bytes.
    pub max_body: u64,
    /// The longest installer, in decoded bytes.
    pub max_installer: u64,
    /// A held body that is longer lies on disk.
    pub memory_body: u64,
    /// Memory that all held bodies may take, in bytes.
    pub held_memory: u64,
    /// Disk that all held bodies may take, in bytes; at least `max_installer`.
    pub held_disk: u64,
    /// For one hold, in total.
    pub max_hold: Duration,
    /// How long a client waits for a hold before it is told to come back.
    pub patience: Duration,
    /// The largest expansion, decoded over encoded.
    pub max_ratio: u64,
    /// For a request's head, and for a TLS handshake with a client.
    pub header_timeout: Duration,
    /// For connecting to a vendor, for the head of its answer, and for each gap between reads of it.
    pub upstream_timeout: Duration,
    /// For unused connections, to clients and to vendors.
    pub idle_timeout: Duration,
    /// Client connections at one time.
    pub max_connections: usize,
}
