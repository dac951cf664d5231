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
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use listener::Console;
pub use review::{
    Act, Day, Decision, Done, Evidence, FirstLink, Flow, Leaf, Overview, PinFilter, PinRow, Pins, Proof,
    Question, Review, Served, Setup, Source, Statement, StatementFile, Triage, VendorRules, VendorState,
    Verified, WrongPassword,
};

/// What can be shown of a gateway to everybody.
#[derive(Clone)]
pub struct Shown {
    /// Whether it can do its work now, check by check.
    pub ready: Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>,
    /// Its metrics, as OpenMetrics text.
    pub metrics: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
    /// Where it listens for clients.
    pub listeners: Arc<[SocketAddr]>,
}

/// One of the things that must hold for a gateway to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The word for it.
    pub name: &'static str,
    /// Why it does not hold, in words; none where it does.
    pub trouble: Option<String>,
}
