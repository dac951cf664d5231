//! The canary: the gateway sends itself a tampered artifact, through its own listener and the whole path, and must refuse
//! it. A second one, which matches its pin, must pass: a gateway that refuses everything would look awake.
//!
//! Its vendor, its pins and its origin exist for it alone. The rules under which it is judged are in no snapshot of the
//! policy that clients get, so to them its host is one that cannot be resolved. The origin is at the other end of a pipe
//! in this process, and only what the canary asks for is sent there. Who is the canary is told by the address and port
//! that it connects from, which nobody else has while it holds them; that opens nothing but its own host.

mod origin;
mod test;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use pinfold_policy::decisions::{Decisions, Revocations};
use pinfold_policy::digest::{BodyId, Digest};
use pinfold_policy::host::{Host, HostPattern};
use pinfold_policy::pin::{Pin, PinUrl, Place};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::vendor::{Mode, OnMismatch, OtherTls, Recheck, Rules, Unpinned, Vendor, Vendors};

pub(crate) use self::origin::OwnOrigin;
use self::origin::{REVIEWED, REVIEWED_PATH, TAMPERED_PATH};
pub use self::test::{Canary, CanaryFault};

/// The host that the canary asks. No name server knows it (RFC 6761 §6.4).
pub const CANARY_HOST: &str = "canary.pinfold.invalid";
/// Any port will do: nobody listens on it.
const PORT: u16 = 443;
const VENDOR: &str = "(canary)";

/// What a gateway keeps for its canary.
pub(crate) struct Cage {
    pub(crate) rules: Arc<Rulebook>,
    /// Where it connects from, while it does.
    from: Mutex<Option<SocketAddr>>,
}

impl Cage {
    pub(crate) fn new() -> Self {
        Self { rules: Arc::new(rules()), from: Mutex::default() }
    }

    /// Whether a connection is the canary's.
    pub(crate) fn holds(&self, client: SocketAddr) -> bool {
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) == Some(canonical(client))
    }

    /// From now on, and until this is dropped, whoever connects from there is the canary.
    fn open(&self, from: SocketAddr) -> Outside<'_> {
        self.put(Some(canonical(from)));
        Outside(self)
    }

    fn put(&self, from: Option<SocketAddr>) {
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) = from;
    }
}

struct Outside<'c>(&'c Cage);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.put(None);
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The canary's host, as a pattern that an issuing CA may sign for.
#[must_use]
pub fn canary_hosts() -> Vec<HostPattern> {
    Host::parse(CANARY_HOST).map(HostPattern::Exact).into_iter().collect()
}

/// Always enforcing, whatever the files say.
fn rules() -> Rulebook {
    let rules = Rules {
        mode: Mode::Enforce,
        unpinned: Unpinned::Block,
        on_mismatch: OnMismatch::Block,
        recheck: Recheck::Always,
        websocket: false,
        ..Rules::default()
    };
    let vendor = Vendor { name: VENDOR.into(), hosts: canary_hosts(), rules };
    Rulebook {
        vendors: Vendors::new(vec![vendor]),
        other_tls: OtherTls::Tunnel,
        pins: PinIndex::new(pins()),
        ..Rulebook::default()
    }
}

/// Both artifacts are pinned to the same bytes, in TLS and in clear.
fn pins() -> Vec<Pin> {
    let digests: Box<[Digest]> = Box::new([BodyId::of(&[REVIEWED.into()]).into()]);
    let urls = [format!("https://{CANARY_HOST}"), format!("http://{CANARY_HOST}:{PORT}")]
        .into_iter()
        .flat_map(|origin| [REVIEWED_PATH, TAMPERED_PATH].map(|path| format!("{origin}{path}")));
    let place = Place { file: VENDOR.into(), line: 0 };
    urls.filter_map(|url| PinUrl::parse(&url).ok())
        .map(|url| Pin { digests: digests.clone(), ..Pin::bare(url, place.clone()) })
        .collect()
}

/// Nobody decides about the canary.
pub(crate) fn no_decisions(version: u64) -> Arc<Decisions> {
    Arc::new(Decisions::new(version, [], [], Revocations::default(), []))
}

#[cfg(test)]
mod tests {
    use pinfold_policy::url::ArtifactUrl;

    use super::*;

    #[test]
    fn all_that_the_canary_asks_for_is_pinned() {
        let rules = rules();
        assert_eq!(rules.pins.all().len(), 4);
        let url = ArtifactUrl::parse(&format!("https://{CANARY_HOST}{TAMPERED_PATH}")).unwrap();
        assert!(rules.vendors.of(url.host()).is_some());
    }

    #[test]
    fn only_who_connects_from_its_address_and_port_is_the_canary_and_only_while_it_is_out() {
        let cage = Cage::new();
        let from: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        assert!(!cage.holds(from));
        let outside = cage.open(from);
        assert!(cage.holds(from) && cage.holds("[::ffff:127.0.0.1]:4000".parse().unwrap()));
        assert!(!cage.holds("127.0.0.1:4001".parse().unwrap()));
        assert!(!cage.holds("127.0.0.2:4000".parse().unwrap()));
        drop(outside);
        assert!(!cage.holds(from));
    }
}
