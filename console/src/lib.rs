//! The console's listener: whether the gateway is well, what it has done, how browsers find it, and the review of what it kept.
//!
//! What is shown and done comes as plain closures from whoever runs the gateway ([`Shown`], [`Review`]); this crate knows nothing
//! of proxies. Health, metrics and `proxy.pac` ask nobody who they are, so they change nothing, and name no host, URL or
//! digest of the traffic. All else is for who has signed in, and is made of text by whoever attacks: every word of it goes
//! through `text::Text`.

pub mod api;
mod door;
mod host;
mod listener;
mod pac;
mod pages;
mod review;
mod shares;
mod text;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub use listener::{Console, Reach};
pub use review::{
    Act, AtAGlance, Day, Decision, Done, Evidence, FirstLink, Flow, Glance, IdentityProvider, Leaf,
    LearnedDecision, LearnedEvidence, Overview, PinFilter, PinRow, Pins, Programs, Proof, ProviderBegin,
    ProviderFinish, Question, Review, Served, Setup, SignedIn, Source, Statement, StatementFile, Texts,
    Triage, Urgency, VendorRules, VendorState, Verified, Vouched, Who, WrongPassword,
};
pub use tls::Tls;

/// What can be shown of a gateway to everybody.
#[derive(Clone)]
pub struct Shown {
    /// Whether it can do its work now, check by check.
    pub ready: Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>,
    /// Its metrics, as OpenMetrics text.
    pub metrics: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
    /// What share of the traffic it could judge.
    pub coverage: Arc<dyn Fn() -> Coverage + Send + Sync>,
    /// Where it listens for clients.
    pub listeners: Arc<[SocketAddr]>,
}

/// What share of the traffic could be judged, and what could not and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// From when on it was counted: the gateway's start.
    pub since: Timestamp,
    /// Guarded exchanges that were judged.
    pub judged: u64,
    /// Exchanges and tunnels that passed unjudged.
    pub unjudged: Vec<(Unjudged, u64)>,
}

/// Why something passed without a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// It could not act as anything that is guarded.
    Unguarded,
    /// A document, which runs its own inline code.
    Document,
    /// It came from a host that no vendor claims.
    OtherHost,
    /// A tunnel that was not decrypted.
    Tunnel,
    /// A WebSocket.
    Websocket,
}

impl Unjudged {
    /// The word for it, as metrics have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::Document => "document",
            Self::OtherHost => "other-host",
            Self::Tunnel => "tunnel",
            Self::Websocket => "websocket",
        }
    }
}

/// One of the things that must hold for a gateway to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The word for it.
    pub name: &'static str,
    /// Why it does not hold, in words; none where it does.
    pub trouble: Option<String>,
}
