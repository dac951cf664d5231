//! What a pinfold.toml says, as plain validated values. Each `Default` is the documented default.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pinfold_policy::digest::Digest;
use pinfold_policy::host::Host;
use pinfold_policy::pin::Place;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::redact::Redaction;
use pinfold_policy::user::{Role, Users};
use pinfold_policy::vendor::Mode;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
/// How often the gateway tests itself unless the file says otherwise.
pub(crate) const CANARY_EVERY: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A whole configuration: one pinfold.toml and the pins files it names.
#[derive(Debug)]
pub struct Config {
    /// The pinfold.toml it was read from; `None` for one that is built into the binary.
    pub file: Option<PathBuf>,
    /// Where the proxy listens. Port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// Where keys, decisions, the ledger and bodies are kept.
    pub data_dir: PathBuf,
    /// The pins files, whether or not they exist yet. `pinfold pin add` writes to the first.
    pub pins_files: Vec<PathBuf>,
    /// The file's mode, which vendors take unless they name their own.
    pub mode: Mode,
    /// Who may use the proxy.
    pub clients: Vec<IpNet>,
    /// The users file, whether or not it was read. `pinfold user add` writes to it.
    pub users_file: Option<PathBuf>,
    /// Whose credentials the proxy asks for; `None` where it asks for none, or the file was not read.
    pub users: Option<Users>,
    /// How certificates are made.
    pub certs: Certs,
    /// Where the proxy may connect to.
    pub egress: Egress,
    /// PEM files with roots that are trusted besides the platform's.
    pub extra_roots: Vec<PathBuf>,
    /// What is too large or too slow.
    pub limits: Limits,
    /// What is kept of what was verified, here and in browsers.
    pub cache: Cache,
    /// How much is kept of what was refused.
    pub quarantine: Quarantine,
    /// How long the ledger goes back, and what it must not say.
    pub ledger: Ledger,
    /// How many people must agree before a digest is released (`review.approvers`).
    pub approvers: u32,
    /// How often the gateway tests itself; `None` where it does not.
    pub canary: Option<Duration>,
    /// Where and how health, metrics, `proxy.pac` and the review pages are served, if they are.
    pub console: Option<Console>,
    /// The file of those who may sign in at the console, whether or not it was read and is there: its own, else that of the
    /// proxy's users, else `reviewers.toml`. None where there is no console either.
    pub console_users_file: Option<PathBuf>,
    /// Whoever may sign in there is one of these; `None` where nobody may, or the file was not read.
    pub console_users: Option<Users>,
    /// Where events go.
    pub siem: Vec<SiemOutput>,
    /// Vendors, pins and revocations.
    pub rulebook: Rulebook,
    /// Where each `[[revoke]]` block stands.
    pub revoked_at: Vec<(Digest, Place)>,
}

impl Config {
    /// The first `[[revoke]]` block that names one of `digests`: which, and where it stands.
    #[must_use]
    pub fn revocation_of(&self, digests: &[Digest]) -> Option<&(Digest, Place)> {
        self.revoked_at.iter().find(|(revoked, _)| digests.contains(revoked))
    }
}

/// `[certs]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certs {
    /// Whether the issuing CA may sign for vendor hosts only.
    pub name_constraints: bool,
    /// How long a leaf is valid.
    pub leaf_lifetime: Duration,
    /// The root's key, where it is not kept in the data directory.
    pub root_key: Option<PathBuf>,
}

impl Default for Certs {
    fn default() -> Self {
        Self { name_constraints: true, leaf_lifetime: 7 * 24 * HOUR, root_key: None }
    }
}

/// `[egress]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Ports that CONNECT may name.
    pub connect_ports: Vec<u16>,
    /// Ports that an `http://` request may name.
    pub http_ports: Vec<u16>,
    /// Networks that may be reached although they are private, loopback, link-local or metadata.
    pub allow_private: Vec<IpNet>,
    /// Fixed addresses of hosts, exempt from `allow_private`.
    pub resolve: HashMap<Host, SocketAddr>,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            connect_ports: vec![443, 8443],
            http_ports: vec![80],
            allow_private: Vec::new(),
            resolve: HashMap::new(),
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest artifact, decoded, in bytes.
    pub max_body: u64,
    /// The largest installer, decoded, in bytes.
    pub max_installer: u64,
    /// The largest held body that is kept in memory, in bytes.
    pub memory_body: u64,
    /// Memory for all bodies held at one time, in bytes.
    pub held_memory: u64,
    /// Disk for all bodies held at one time, in bytes; at least `max_installer`.
    pub held_disk: u64,
    /// For one hold, in total.
    pub max_hold: Duration,
    /// How long a client waits for a hold before it is told to come back.
    pub patience: Duration,
    /// The largest decoded size, as a multiple of the encoded.
    pub max_ratio: u32,
    /// For a client to send its request head.
    pub header_timeout: Duration,
    /// For a vendor: to connect, to send its head, and between two reads.
    pub upstream_timeout: Duration,
    /// For a connection on which nothing happens.
    pub idle_timeout: Duration,
    /// Client connections open at one time.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 64 * MIB,
            max_installer: 2 * GIB,
            memory_body: MIB,
            held_memory: 256 * MIB,
            held_disk: 8 * GIB,
            max_hold: HOUR / 2,
            patience: Duration::from_secs(60),
            max_ratio: 200,
            header_timeout: Duration::from_secs(10),
            upstream_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            max_connections: 10_000,
        }
    }
}

/// `[cache]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Memory for verified bodies, in each coding that clients ask for, in bytes.
    pub memory: u64,
    /// The longest that browsers may keep a released body.
    pub client_max_age: Duration,
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory: 256 * MIB, client_max_age: Duration::from_secs(10 * 60) }
    }
}

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// A month of it goes when its last moment is longer ago than this.
    pub retention: Duration,
    /// Query parameters whose values are masked before anything is written.
    pub redact: Redaction,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { retention: Duration::from_secs(400 * 24 * 60 * 60), redact: Redaction::default() }
    }
}

/// `[quarantine]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// All kept bodies together, in bytes.
    pub max: u64,
    /// Bodies kept for one URL.
    pub per_url: u32,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { max: 10 * GIB, per_url: 20 }
    }
}

/// `[console]`, but for its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where it listens. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Names by which browsers ask for it, besides addresses and `localhost`.
    pub names: Vec<Host>,
    /// How it speaks TLS; none where it does not.
    pub tls: Option<ConsoleTls>,
    /// Who vouches for people there, besides the users file.
    pub oidc: Option<Oidc>,
}

/// `[console.oidc]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The provider's identifier: an `https:` URL, or an `http:` one on loopback.
    pub issuer: String,
    /// As whom the provider knows us.
    pub client_id: String,
    /// The file with the secret that goes with it.
    pub client_secret_file: PathBuf,
    /// Certificates (PEM), of which one must have issued the provider's; none: the platform's roots.
    pub ca: Option<PathBuf>,
    /// What the provider is asked to tell.
    pub scopes: Vec<String>,
    /// The claim with a name to show.
    pub name: String,
    /// The claim with what gives people their roles.
    pub groups: String,
    /// Its values, with the role that each gives.
    pub roles: Vec<(String, Role)>,
}

/// Whose certificate the console shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleTls {
    /// One that the local root signs.
    LocalCa,
    /// One that somebody gave, in PEM.
    Files {
        /// The chain, the console's own certificate first.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// `[[siem]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiemOutput {
    /// How an event is written.
    pub format: SiemFormat,
    /// Where it goes.
    pub to: SiemTarget,
    /// What becomes of repeats within a minute.
    pub repeats: Repeats,
    /// How many bytes of the ledger may wait for it.
    pub max_backlog: u64,
    /// The file whose first line is the token, for receivers that want one.
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM), of which one must have issued the receiver's; none: the platform's roots.
    pub ca: Option<PathBuf>,
    /// The certificate chain (PEM) that pinfold shows to the receiver. There is a key with it, or neither.
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
}

impl SiemOutput {
    /// Where the file says nothing.
    pub const MAX_BACKLOG: u64 = 10 << 30;
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiemFormat {
    /// Elastic Common Schema, one JSON object a line.
    #[default]
    Ecs,
    /// Open Cybersecurity Schema Framework, one JSON object a line.
    Ocsf,
    /// Common Event Format.
    Cef,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiemTarget {
    /// Appended to a file.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// A syslog receiver: a host name or an address, and a port.
    Syslog(Syslog, String, u16),
    /// Posted to this URL.
    Https(String),
    /// Posted to the event collector of Splunk below this `https://` URL.
    Splunk(String),
}

/// How syslog messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syslog {
    /// A datagram each.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// A stream in TLS.
    Tls,
}

/// What a SIEM output gets of repeats within a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeats {
    /// One event with their count, when the minute is over.
    #[default]
    Counted,
    /// Each of them.
    All,
}

pub(crate) fn default_listen() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))]
}

pub(crate) fn default_clients() -> Vec<IpNet> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    vec![v4.into(), Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into()]
}
