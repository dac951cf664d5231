//! What one exchange leaves behind.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Authority;
use pinfold_policy::kind::Kinds;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use uuid::Uuid;

use crate::incident::Incident;

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The client's address and port as the gateway saw them.
    pub address: SocketAddr,
    /// The name that came with the right password, where the gateway asks for one.
    pub user: Option<Arc<str>>,
    /// The page that wanted it: `Referer`, without a fragment.
    pub page: Option<Arc<str>>,
    /// `User-Agent`.
    pub user_agent: Option<Arc<str>>,
}

/// How the bytes came: the delivery path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryPath {
    /// The address that was dialled.
    pub address: SocketAddr,
    /// `TLSv1.3`, `TLSv1.2`, or none for clear text.
    pub tls_version: Option<Arc<str>>,
    /// The cipher suite, by its IANA name.
    pub cipher: Option<Arc<str>>,
    /// Issuer of the vendor's certificate, as RFC 4514 text.
    pub issuer: Option<Arc<str>>,
    /// SHA-256 of the vendor's certificate (DER), in lower-case hex.
    pub fingerprint: Option<Arc<str>>,
    /// What the vendor spoke: `1.1` or `2`.
    pub http_version: Arc<str>,
}

/// A guarded exchange: one artifact, asked for once, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// UUIDv7; also the event's id.
    pub id: Uuid,
    /// When the request was read.
    pub at: Timestamp,
    /// How long until the verdict, in microseconds.
    pub took_us: u64,
    /// Who asked.
    pub asker: Asker,
    /// The request's method.
    pub method: Cow<'static, str>,
    /// The HTTP version that the client spoke: `1.0`, `1.1` or `2`.
    pub http_version: Cow<'static, str>,
    /// The match key.
    pub url: Arc<str>,
    /// The vendor that claims the host.
    pub vendor: Option<Arc<str>>,
    /// What the response could have acted as.
    pub kinds: Kinds,
    /// What was decided.
    pub outcome: Outcome,
    /// Why, unless it was verified.
    pub reason: Option<Reason>,
    /// The incident that the client was told.
    pub incident: Option<Incident>,
    /// The decoded body, if it could be measured.
    pub body: Option<BodyId>,
    /// Its decoded length, in bytes.
    pub body_len: Option<u64>,
    /// The media type that the vendor gave.
    pub media_type: Option<Box<str>>,
    /// The status that the vendor gave.
    pub vendor_status: Option<u16>,
    /// The status that the client got.
    pub status: u16,
    /// The pin or approval that decided: `pins.toml:14`, `approval 01…`.
    pub rule: Option<Arc<str>>,
    /// The version of the policy that decided.
    pub policy_version: u64,
    /// How the bytes came, if the vendor was reached.
    pub path: Option<DeliveryPath>,
    /// How the client's own TLS connection was made: version and server name. None for clear text.
    pub client_tls: Option<ClientTls>,
    /// What the client wanted it for, by `Sec-Fetch-Dest` and `Service-Worker`: `script`, `serviceworker`.
    pub destination: Option<Arc<str>>,
}

/// The client's side of an intercepted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: Arc<str>,
    /// The cipher suite, by its IANA name.
    pub cipher: Arc<str>,
    /// The server name that the client asked for.
    pub server_name: Option<Arc<str>>,
}

/// A tunnel to a host that is not intercepted, or the refusal of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// UUIDv7; also the event's id.
    pub id: Uuid,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub asker: Asker,
    /// Where to.
    pub authority: Authority,
    /// The server name of the TLS handshake inside, if there was one.
    pub server_name: Option<Arc<str>>,
    /// The address that was dialled, if one was.
    pub dialled: Option<IpAddr>,
    /// Why it was refused or ended, if it was.
    pub reason: Option<Reason>,
    /// The incident that the client was told, for a refusal.
    pub incident: Option<Incident>,
    /// The status that the client got.
    pub status: u16,
    /// The version of the policy that decided.
    pub policy_version: u64,
}

/// A request that a host answered which no vendor claims, in clear text or decrypted: nobody looked at what it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// When the request was read.
    pub at: Timestamp,
    /// The client's address.
    pub client: IpAddr,
    /// The name that the client proved, where the gateway asks for one.
    pub user: Option<Arc<str>>,
    /// Which host and port.
    pub authority: Authority,
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelEnd {
    /// Bytes from the client to the host.
    pub sent: u64,
    /// Bytes from the host to the client.
    pub received: u64,
    /// How long it was open, in milliseconds.
    pub open_ms: u64,
}

/// What could not be recorded while the ledger could not be written: a stated gap in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// UUIDv7; also the event's id.
    pub id: Uuid,
    /// When the first was that is missing.
    pub since: Timestamp,
    /// When the ledger could be written again, or the last was that is missing.
    pub until: Timestamp,
    /// Guarded exchanges that are missing. All of them were refused.
    pub exchanges: u64,
    /// Tunnels that are missing, and refusals of such. Tunnels flow also while nothing can be written.
    pub tunnels: u64,
}

/// What a notice is about. A closed list, which ledger, events and docs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Changed files are in force.
    PolicyReloaded,
    /// Changed files cannot be used, and those before them stay in force.
    ReloadFailed,
    /// A month of the ledger is older than what is kept, and was dropped.
    LedgerDropped,
    /// An output was away for too long, and will never get some events.
    FeedOverflow,
    /// The receiver of an output refuses an event for good, and will never get it.
    EventRefused,
    /// A gateway runs.
    Started,
    /// It stops, in order.
    Stopped,
    /// The gateway's root is another than before.
    RootChanged,
    /// Its issuing CA is another than before.
    IssuerChanged,
    /// The issuing CA signed a certificate for a host.
    LeafSigned,
    /// Credentials for the proxy or the console were wrong.
    LoginFailed,
    /// Somebody signed in at the console.
    SignedIn,
    /// A recheck saw a body where something else is expected, for the first time.
    Drift,
    /// A URL serves something else each time: further drifts there are only counted.
    UrlVolatile,
    /// A body is refused at a subject for the first time, and is up for review.
    Quarantined,
    /// A client asked for a host that imitates one that is expected.
    LookalikeHost,
    /// A pinned host answers by another delivery path than ever before.
    PathChanged,
    /// The gateway's test of itself failed, and had not before.
    CanaryFailed,
    /// It passed again.
    CanaryRecovered,
    /// A digest may be served at a subject.
    Approved,
    /// Someone approved of that, and more people must.
    ApprovalPending,
    /// A digest is not released at a subject.
    Rejected,
    /// A digest is never released again, anywhere.
    Revoked,
    /// A digest is not revoked any more.
    Reinstated,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::PolicyReloaded,
        Self::ReloadFailed,
        Self::LedgerDropped,
        Self::FeedOverflow,
        Self::EventRefused,
        Self::Started,
        Self::Stopped,
        Self::RootChanged,
        Self::IssuerChanged,
        Self::LeafSigned,
        Self::LoginFailed,
        Self::SignedIn,
        Self::Drift,
        Self::UrlVolatile,
        Self::Quarantined,
        Self::LookalikeHost,
        Self::PathChanged,
        Self::CanaryFailed,
        Self::CanaryRecovered,
        Self::Approved,
        Self::ApprovalPending,
        Self::Rejected,
        Self::Revoked,
        Self::Reinstated,
    ];

    /// Its name, in the ledger and as `event.action`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyReloaded => "policy-reloaded",
            Self::ReloadFailed => "reload-failed",
            Self::LedgerDropped => "ledger-dropped",
            Self::FeedOverflow => "feed-overflow",
            Self::EventRefused => "event-refused",
            Self::Started => "gateway-started",
            Self::Stopped => "gateway-stopped",
            Self::RootChanged => "root-changed",
            Self::IssuerChanged => "issuer-changed",
            Self::LeafSigned => "leaf-signed",
            Self::LoginFailed => "login-failed",
            Self::SignedIn => "signed-in",
            Self::Drift => "drift",
            Self::UrlVolatile => "url-volatile",
            Self::Quarantined => "digest-quarantined",
            Self::LookalikeHost => "lookalike-host",
            Self::PathChanged => "path-changed",
            Self::CanaryFailed => "canary-failed",
            Self::CanaryRecovered => "canary-recovered",
            Self::Approved => "digest-approved",
            Self::ApprovalPending => "approval-pending",
            Self::Rejected => "digest-rejected",
            Self::Revoked => "digest-revoked",
            Self::Reinstated => "digest-reinstated",
        }
    }
}

/// Something that happened beside the traffic, and that whoever reads the events has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// UUIDv7; also the event's id.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Who did it; none where the gateway did.
    pub who: Option<Arc<str>>,
    /// What it is about: a file, a URL, a host, a client.
    pub subject: Option<Box<str>>,
    /// The body that it is about.
    pub digest: Option<BodyId>,
    /// The incident that it is about.
    pub incident: Option<Incident>,
    /// The evidence, in words. What goes beyond [`Notice::LONGEST_TEXT`] is not kept.
    pub text: Box<str>,
    /// The version of the policy that holds since, or still.
    pub policy_version: u64,
}

impl Notice {
    /// Bytes of [`Notice::text`] that are kept.
    pub const LONGEST_TEXT: usize = 4096;

    /// What happened without a person, and is about no body.
    #[must_use]
    pub fn of_gateway(what: What, at: Timestamp, text: impl Into<Box<str>>, policy_version: u64) -> Self {
        Self {
            id: Uuid::now_v7(),
            at,
            what,
            who: None,
            subject: None,
            digest: None,
            incident: None,
            text: text.into(),
            policy_version,
        }
    }

    /// The same, about this.
    #[must_use]
    pub fn about(self, subject: impl Into<Box<str>>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// One event of the feed: a ledger row that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most events are exchanges, and they live in short lists")]
pub enum Event {
    /// A guarded exchange, and how many exchanges the row stands for.
    Exchange {
        /// The first of them.
        exchange: Exchange,
        /// How many.
        count: u64,
        /// How many of them were delivered whole. None where the event went out before that could be known.
        whole: Option<u64>,
        /// When the last of them was.
        last: Timestamp,
    },
    /// A tunnel that has closed, or was refused.
    Tunnel {
        /// How it was opened.
        tunnel: Tunnel,
        /// How it ended; none if it never opened, or the gateway died while it was open.
        end: Option<TunnelEnd>,
    },
    /// What is not in the ledger.
    Gap(Gap),
    /// What happened beside the traffic.
    Notice(Notice),
}

impl Event {
    /// Of its row, and the same whenever it is given out.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Exchange { exchange, .. } => exchange.id,
            Self::Tunnel { tunnel, .. } => tunnel.id,
            Self::Gap(gap) => gap.id,
            Self::Notice(notice) => notice.id,
        }
    }
}
