//! Vendors: named parties whose hosts serve code to our users, and the rules for each.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::host::{Host, HostPattern};
use crate::kind::Kinds;

/// Whether what cannot be verified is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Enforce,
    /// It passes, and is recorded. Revocations, and rules about the connection, still refuse.
    Observe,
}

/// What follows for a guarded artifact at a URL that no pin ever matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unpinned {
    /// Refuse.
    #[default]
    Block,
    /// Refuse, and keep the body.
    Quarantine,
    /// Release the first content of each URL as observed, and nothing else there from then on.
    Learn,
    /// Release as observed.
    Allow,
}

/// What follows when a pin exists and the digest is another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// Refuse.
    Block,
    /// Refuse, and keep the body.
    #[default]
    Quarantine,
}

/// What follows when a pinned host answers by another delivery path than before: another issuer of its certificate, another
/// range of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPathChange {
    /// It is told.
    #[default]
    Report,
    /// It is told, and what comes that way is refused and kept until somebody approves of it.
    Quarantine,
}

/// How often the vendor is asked what it serves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// On every request, and never in the background.
    Always,
    /// In the background, about once in this time.
    Every(Duration),
}

impl Default for Recheck {
    fn default() -> Self {
        Self::Every(Duration::from_secs(15 * 60))
    }
}

/// What a vendor's rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Kinds that must match a pin.
    pub guard: Kinds,
    /// Enforce or observe.
    pub mode: Mode,
    /// For URLs without a pin.
    pub unpinned: Unpinned,
    /// For other content than the pinned.
    pub on_mismatch: OnMismatch,
    /// Whether a reviewed body goes out in place of a refusal.
    pub substitute: bool,
    /// How often the vendor is asked what it serves now.
    pub recheck: Recheck,
    /// What the vendor has served unchanged for so long is approved by rule, if it is set.
    pub cooldown: Option<Duration>,
    /// For what comes by a changed delivery path.
    pub on_path_change: OnPathChange,
    /// Whether a browser that asks for a revoked service worker gets one that removes itself.
    pub revoke_worker: bool,
    /// Whether WebSockets to the vendor pass.
    pub websocket: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            guard: Kinds::GUARDED_BY_DEFAULT,
            mode: Mode::default(),
            unpinned: Unpinned::default(),
            on_mismatch: OnMismatch::default(),
            substitute: false,
            recheck: Recheck::default(),
            cooldown: None,
            on_path_change: OnPathChange::default(),
            revoke_worker: false,
            websocket: true,
        }
    }
}

/// A named party and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// As the configuration names it.
    pub name: Arc<str>,
    /// The hosts it claims.
    pub hosts: Vec<HostPattern>,
    /// Its rules.
    pub rules: Rules,
}

/// Whether connections to hosts that no vendor claims are decrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherTls {
    /// They are not.
    #[default]
    Tunnel,
    /// They are, and what comes through them is judged.
    Intercept,
}

/// What follows for artifacts from hosts that no vendor claims, where they can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherScripts {
    /// They are no concern.
    #[default]
    Allow,
    /// They pass and are recorded.
    Observe,
    /// Refuse.
    Block,
    /// Refuse, and keep the body.
    Quarantine,
}

/// Vendors by host. A host claimed twice belongs to the more specific claim. The maps have a fast hasher: only those who write
/// the configuration put hosts in.
#[derive(Clone, Debug, Default)]
pub struct Vendors {
    all: Vec<Arc<Vendor>>,
    exact: HashMap<Host, usize>,
    below: HashMap<Arc<str>, usize>,
}

impl Vendors {
    /// Indexes vendors. Of two that claim the same pattern the first has it; configuration refuses that earlier.
    #[must_use]
    pub fn new(vendors: Vec<Vendor>) -> Self {
        let mut index = Self::default();
        for vendor in vendors {
            let at = index.all.len();
            for pattern in &vendor.hosts {
                match pattern {
                    HostPattern::Exact(host) => index.exact.entry(host.clone()).or_insert(at),
                    HostPattern::Below(suffix) => index.below.entry(Arc::clone(suffix)).or_insert(at),
                };
            }
            index.all.push(Arc::new(vendor));
        }
        index
    }

    /// The vendor that claims `host`: an exact claim first, then the longest suffix.
    #[must_use]
    pub fn of(&self, host: &Host) -> Option<&Arc<Vendor>> {
        let at = self.exact.get(host).or_else(|| {
            let mut rest = host.name()?;
            loop {
                rest = rest.split_once('.')?.1;
                if let Some(at) = self.below.get(rest) {
                    return Some(at);
                }
            }
        })?;
        self.all.get(*at)
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn all(&self) -> &[Arc<Vendor>] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(name: &str, hosts: &[&str]) -> Vendor {
        Vendor {
            name: name.into(),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            rules: Rules::default(),
        }
    }

    #[test]
    fn the_most_specific_vendor_wins() {
        let vendors = Vendors::new(vec![
            vendor("wide", &["*.example.test"]),
            vendor("deep", &["*.cdn.example.test"]),
            vendor("one", &["a.cdn.example.test"]),
        ]);
        let name = |host: &str| vendors.of(&host.parse().unwrap()).map(|vendor| vendor.name.to_string());
        assert_eq!(name("x.example.test").as_deref(), Some("wide"));
        assert_eq!(name("b.cdn.example.test").as_deref(), Some("deep"));
        assert_eq!(name("A.CDN.example.test.").as_deref(), Some("one"));
        assert_eq!(name("cdn.example.test").as_deref(), Some("wide"));
        assert_eq!(name("example.test"), None);
        assert_eq!(name("notexample.test"), None);
    }
}
