//! What was decided while the gateway ran: approvals, rejections, revocations, and the bindings that patterns made.
//!
//! They lie over the pins of the files. A new decision makes a new, small snapshot; the index of pins stays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::digest::{BodyId, Digest, Digests};
use crate::kind::Kind;

/// Who stands behind an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// People who reviewed it.
    Reviewed,
    /// The rule `cooldown`: it was served unchanged for long enough, and nobody rejected it.
    Cooldown,
    /// Nobody: it was what the URL served first.
    Learned,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reviewed, Self::Cooldown, Self::Learned];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed => "reviewed",
            Self::Cooldown => "cooldown",
            Self::Learned => "learned",
        }
    }

    /// Whether nobody has confirmed it yet: what it clears is released as provisional.
    #[must_use]
    pub fn is_provisional(self) -> bool {
        match self {
            Self::Reviewed => false,
            Self::Cooldown | Self::Learned => true,
        }
    }
}

/// A pin made at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The body that may be served.
    pub digest: BodyId,
    /// What it may act as.
    pub kind: Kind,
    /// Who stands behind it.
    pub basis: Basis,
    /// From when on it does not count any more.
    pub expires: Option<Timestamp>,
    /// What was reviewed, as it is shown: the incident, or the number of the decision where there is none.
    pub record: Arc<str>,
}

impl Approval {
    /// How the ledger names it: `approval`, `cooldown` or `learned`, and the record.
    #[must_use]
    pub fn rule(&self) -> Arc<str> {
        let word = match self.basis {
            Basis::Reviewed => "approval",
            Basis::Cooldown => "cooldown",
            Basis::Learned => "learned",
        };
        format!("{word} {}", self.record).into()
    }

    /// Whether it counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        is_before(now, self.expires)
    }
}

/// A digest that is not released for one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The body.
    pub digest: BodyId,
    /// From when on it does not count any more. Its URL stays known.
    pub expires: Option<Timestamp>,
}

fn is_before(now: Timestamp, expires: Option<Timestamp>) -> bool {
    expires.is_none_or(|expires| now < expires)
}

/// Digests that are never released again, in any notation.
///
/// Those of the files can be many, and a decision of people must not copy them: sets are laid over each other, and all
/// are looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    layers: Vec<Arc<HashSet<Digest>>>,
}

impl Revocations {
    /// These and `others`, of which none is copied.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        Self { layers: self.layers.iter().chain(&others.layers).cloned().collect() }
    }

    /// Whether one of the digests of a body is revoked.
    #[must_use]
    pub fn include(&self, digests: &Digests) -> bool {
        let mut filled = self.layers.iter().filter(|layer| !layer.is_empty());
        filled.any(|layer| digests.all().iter().any(|digest| layer.contains(digest)))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Digest> + '_ {
        self.layers.iter().enumerate().flat_map(move |(at, layer)| {
            let is_above =
                move |digest: &Digest| self.layers.iter().take(at).any(|above| above.contains(digest));
            layer.iter().copied().filter(move |digest| !is_above(digest))
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.is_empty())
    }
}

impl FromIterator<Digest> for Revocations {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        Self { layers: vec![Arc::new(digests.into_iter().collect())] }
    }
}

impl Extend<Digest> for Revocations {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, digests: I) {
        match self.layers.first_mut() {
            Some(top) => Arc::make_mut(top).extend(digests),
            None => *self = digests.into_iter().collect(),
        }
    }
}

/// All decisions, indexed for judging.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    version: u64,
    approvals: HashMap<Box<str>, Vec<Approval>>,
    rejections: HashMap<Box<str>, HashMap<BodyId, Option<Timestamp>>>,
    revocations: Revocations,
    bindings: HashMap<Box<str>, HashMap<BodyId, Box<str>>>,
}

impl Decisions {
    /// Indexes decisions. `version` is the number of the last one and counts up with each.
    #[must_use]
    pub fn new(
        version: u64,
        approvals: impl IntoIterator<Item = Approval>,
        rejections: impl IntoIterator<Item = Rejection>,
        revocations: Revocations,
        bindings: impl IntoIterator<Item = (Box<str>, BodyId, Box<str>)>,
    ) -> Self {
        let mut decisions = Self { version, revocations, ..Self::default() };
        for approval in approvals {
            decisions.approvals.entry(approval.subject.clone()).or_default().push(approval);
        }
        for Rejection { subject, digest, expires } in rejections {
            decisions.rejections.entry(subject).or_default().insert(digest, expires);
        }
        for (pattern, digest, key) in bindings {
            decisions.bindings.entry(pattern).or_default().insert(digest, key);
        }
        decisions
    }

    /// The number of the last decision.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Digests revoked at run time.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    pub(crate) fn approvals(&self, subject: &str) -> &[Approval] {
        self.approvals.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Whether any digest was ever rejected there.
    pub(crate) fn knows_rejections(&self, subject: &str) -> bool {
        self.rejections.contains_key(subject)
    }

    pub(crate) fn rejects(&self, subject: &str, digest: BodyId, now: Timestamp) -> bool {
        let rejected = self.rejections.get(subject).and_then(|rejected| rejected.get(&digest));
        rejected.is_some_and(|expires| is_before(now, *expires))
    }

    pub(crate) fn bound_to(&self, pattern: &str, digest: BodyId) -> Option<&str> {
        Some(self.bindings.get(pattern)?.get(&digest)?)
    }
}
