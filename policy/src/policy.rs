//! The policy: one immutable snapshot of all rules, pins and decisions. It decides one exchange from end to end.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decisions::{Approval, Basis, Decisions, Revocations};
use crate::digest::{BodyId, Digest};
use crate::host::Host;
use crate::kind::Kinds;
use crate::pin::{Pin, PinUrl};
use crate::pins::{Deciding, PinIndex};
use crate::reason::Reason;
use crate::url::{ArtifactUrl, Scheme};
use crate::vendor::{Mode, OtherScripts, OtherTls, Rules, Vendor, Vendors};

/// What the configuration files say.
#[derive(Debug, Default)]
pub struct Rulebook {
    /// Vendors and their rules.
    pub vendors: Vendors,
    /// Whether connections to hosts of no vendor are decrypted.
    pub other_tls: OtherTls,
    /// What follows for artifacts of such hosts.
    pub other_scripts: OtherScripts,
    /// The rules for a pinned URL of such a host.
    pub other_rules: Rules,
    /// The pins of the reviewed lists.
    pub pins: PinIndex,
    /// The `[[revoke]]` blocks of the reviewed lists.
    pub revocations: Revocations,
}

/// The snapshot.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Arc<Rulebook>,
    decisions: Arc<Decisions>,
    revocations: Arc<Revocations>,
}

impl Policy {
    /// Lays decisions over a rulebook.
    #[must_use]
    pub fn new(rules: Arc<Rulebook>, decisions: Arc<Decisions>) -> Self {
        let revocations = Arc::new(decisions.revocations().over(&rules.revocations));
        Self { rules, decisions, revocations }
    }

    /// The same rulebook under newer decisions.
    #[must_use]
    pub fn with(&self, decisions: Arc<Decisions>) -> Self {
        Self::new(Arc::clone(&self.rules), decisions)
    }

    /// Counts up with each decision, and each time that other files are in force.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.decisions.version()
    }

    /// What the files say.
    #[must_use]
    pub fn rules(&self) -> &Rulebook {
        &self.rules
    }

    /// All revocations, of files and of people.
    #[must_use]
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// The vendor that claims `host`.
    #[must_use]
    pub fn vendor(&self, host: &Host) -> Option<&Arc<Vendor>> {
        self.rules.vendors.of(host)
    }

    /// Whose share of what is bounded `host` has: that of the vendor that claims it, or else its own.
    #[must_use]
    pub fn party(&self, host: &Host) -> Arc<str> {
        self.vendor(host).map_or_else(|| host.to_string().into(), |vendor| Arc::clone(&vendor.name))
    }

    /// Whether connections to `host` are decrypted and judged.
    #[must_use]
    pub fn intercepts(&self, host: &Host) -> bool {
        self.vendor(host).is_some() || self.rules.other_tls == OtherTls::Intercept
    }

    /// Whether a redirect to `url` leads to where scripts are judged: to a vendor, or to a host whose scripts are a
    /// concern and can be seen.
    #[must_use]
    pub fn judges_scripts_at(&self, url: &ArtifactUrl) -> bool {
        let is_seen = url.scheme() == Scheme::Http || self.rules.other_tls == OtherTls::Intercept;
        self.vendor(url.host()).is_some() || (is_seen && self.rules.other_scripts != OtherScripts::Allow)
    }

    /// What is expected of `url`.
    #[must_use]
    pub fn expect<'p>(&'p self, url: &'p ArtifactUrl) -> Expectation<'p> {
        let deciding = self.rules.pins.deciding(url);
        let subject = match &deciding {
            Deciding::Exact(pins) if pins.iter().any(|pin| pin.url.is_exactly(url.key())) => url.key(),
            Deciding::Exact(_) | Deciding::Patterns(_) => url.key_without_query(),
        };
        let is_decided = subject != url.key() && self.decisions.knows(url.key());
        Expectation {
            vendor: self.vendor(url.host()),
            subject,
            with_query: is_decided.then(|| url.key()),
            url,
            deciding,
            policy: self,
        }
    }
}

/// What a policy expects of one URL.
#[derive(Debug)]
pub struct Expectation<'p> {
    policy: &'p Policy,
    vendor: Option<&'p Arc<Vendor>>,
    deciding: Deciding<'p>,
    url: &'p ArtifactUrl,
    subject: &'p str,
    /// The match key with its query, if something was decided there under a pin that had it, and is gone.
    with_query: Option<&'p str>,
}

/// What the approvals of a URL say of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Approved<'p> {
    By(&'p Approval),
    /// It was approved until a time that has come.
    Expired,
    No,
}

impl<'p> Expectation<'p> {
    /// The vendor that claims the URL's host.
    #[must_use]
    pub fn vendor(&self) -> Option<&'p Arc<Vendor>> {
        self.vendor
    }

    /// Whose share of what is bounded this URL has: see [`Policy::party`].
    #[must_use]
    pub fn party(&self) -> Arc<str> {
        self.policy.party(self.url.host())
    }

    /// The rules that hold here.
    #[must_use]
    pub fn rules(&self) -> &'p Rules {
        self.vendor.map_or(&self.policy.rules.other_rules, |vendor| &vendor.rules)
    }

    /// What holds for artifacts of hosts that no vendor claims.
    #[must_use]
    pub fn other_scripts(&self) -> OtherScripts {
        self.policy.rules.other_scripts
    }

    /// What an approval or rejection made here would be about: the match key, without its query unless the deciding
    /// pin has one.
    #[must_use]
    pub fn subject(&self) -> &'p str {
        self.subject
    }

    /// All that an approval that counts here may be about: [`Expectation::subject`], and the match key with its query where
    /// something was decided under a pin that had it.
    pub fn subjects(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        std::iter::once(self.subject).chain(self.with_query)
    }

    /// Whether a pin or an approval, active or expired, is about this URL. It is guarded then whatever its kind.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        let is_approved = |subject| self.policy.decisions.knows_approvals(subject);
        !self.deciding.pins().is_empty() || self.subjects().any(is_approved)
    }

    /// A pin or an approval, active or expired, that is about this URL, as [`crate::verdict::Cleared::rule`] names it: what a
    /// body should have matched that cannot be measured.
    #[must_use]
    pub fn some_rule(&self) -> Option<Arc<str>> {
        let pinned = self.deciding.pins().first().map(|pin| pin.place.to_string().into());
        let approvals = || {
            self.subjects().find_map(|subject| {
                let decisions = &self.policy.decisions;
                decisions.approved(subject).find_map(|body| decisions.approval(subject, body))
            })
        };
        pinned.or_else(|| approvals().map(Approval::rule))
    }

    /// Whether a pin or an approval is about this very URL, and no pattern alone.
    #[must_use]
    pub fn is_pinned_by_name(&self) -> bool {
        match self.deciding {
            Deciding::Exact(_) => true,
            Deciding::Patterns(_) => {
                self.subjects().any(|subject| self.policy.decisions.knows_approvals(subject))
            }
        }
    }

    /// Whether something is allowed here now that a person has reviewed.
    #[must_use]
    pub fn has_reviewed_pin(&self, now: Timestamp) -> bool {
        self.deciding.pins().iter().any(|pin| pin.is_active(now))
            || self.subjects().any(|subject| self.policy.decisions.has_reviewed_approval(subject, now))
    }

    /// Whether what was verified here may be served without asking the vendor. Not where observe mode is to show how
    /// content changes that nobody has confirmed: clients would never get the change that it promises to let pass.
    #[must_use]
    pub fn may_be_shelved(&self) -> bool {
        let is_learned_alone = self.deciding.pins().is_empty()
            && self.subjects().any(|subject| self.policy.decisions.knows_learned_alone(subject));
        self.is_pinned() && !(is_learned_alone && self.rules().mode == Mode::Observe)
    }

    /// Whether a response that could act as `kinds` must match a pin.
    #[must_use]
    pub fn guards(&self, kinds: Kinds) -> bool {
        self.is_pinned() || (self.is_judged() && self.rules().guard.intersects(kinds))
    }

    /// Whether artifacts from here are a concern at all.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.vendor.is_some() || self.other_scripts() != OtherScripts::Allow
    }

    /// The pins that decide.
    #[must_use]
    pub fn deciding(&self) -> &Deciding<'p> {
        &self.deciding
    }

    /// The pins of exact URLs that belong to `release` and to whom this URL belongs to: a vendor, or else a host.
    #[must_use]
    pub fn release(&self, release: &str) -> Vec<(&'p ArtifactUrl, &'p Pin)> {
        let pins = self.policy.rules.pins.of_release(release).into_iter();
        let mine = |url: &ArtifactUrl| match (self.vendor, self.policy.vendor(url.host())) {
            (Some(vendor), Some(other)) => vendor.name == other.name,
            (None, None) => url.host() == self.url.host(),
            (Some(_), None) | (None, Some(_)) => false,
        };
        let exact = pins.filter_map(|pin| match &pin.url {
            PinUrl::Exact(url) => Some((url, pin)),
            PinUrl::Pattern(_) => None,
        });
        exact.filter(|(url, _)| mine(url)).collect()
    }

    pub(crate) fn key_without_query(&self) -> &'p str {
        self.url.key_without_query()
    }

    /// Whether an approval allows this body, and which.
    ///
    /// What was learned counts only as long as no file is about the URL: people have spoken then, and not of this body.
    pub(crate) fn approved(&self, id: BodyId, now: Timestamp) -> Approved<'p> {
        let is_pinned = !self.deciding.pins().is_empty();
        let approvals = self.subjects().filter_map(|subject| self.policy.decisions.approval(subject, id));
        let mut counting =
            approvals.filter(|approval| !(is_pinned && approval.basis == Basis::Learned)).peekable();
        let is_known = counting.peek().is_some();
        match counting.find(|approval| approval.is_active(now)) {
            Some(approval) => Approved::By(approval),
            None if is_known => Approved::Expired,
            None => Approved::No,
        }
    }

    /// Whether one of `revocations` is about something that a pin or an approval, active or expired, says may be served
    /// here.
    #[must_use]
    pub fn names_one_of(&self, revocations: &Revocations) -> bool {
        let is_bound_elsewhere = |pin: &Pin, digest: &Digest| match digest {
            Digest::Sha256(id) => self.bound(pin, BodyId(*id)) == Some(false),
            Digest::Sha384(_) | Digest::Sha512(_) => false,
        };
        let mut pinned =
            self.deciding.pins().iter().flat_map(|pin| pin.digests.iter().map(move |it| (*pin, it)));
        let mut approved = self.subjects().flat_map(|subject| self.policy.decisions.approved(subject));
        pinned.any(|(pin, digest)| revocations.contain(digest) && !is_bound_elsewhere(pin, digest))
            || approved.any(|body| revocations.contain(&body.into()))
    }

    /// Whether people have rejected this body here. A rejection of a URL with any query is one of each: a pin with a query
    /// that came later takes none back.
    pub(crate) fn rejects(&self, id: BodyId, now: Timestamp) -> bool {
        let mut subjects = self.subjects().chain([self.key_without_query()]);
        subjects.any(|subject| self.policy.decisions.rejects(subject, id, now))
    }

    /// Whether a pattern's digest is bound here (`true`), elsewhere (`false`), or nowhere yet.
    pub(crate) fn bound(&self, pin: &Pin, id: BodyId) -> Option<bool> {
        let key = self.policy.decisions.bound_to(&pin.url.to_text(), id)?;
        Some(*key == *self.key_without_query())
    }

    /// Why a guarded body is not released here that no pin, approval or rejection is about.
    #[must_use]
    pub fn reason_without_match(&self) -> Reason {
        let is_rejected = |subject| self.policy.decisions.knows_rejections(subject);
        let known = self.is_pinned() || self.subjects().any(is_rejected);
        match (known, self.vendor) {
            (true, _) => Reason::DigestMismatch,
            (false, Some(_)) => Reason::Unpinned,
            (false, None) => Reason::UnlistedHost,
        }
    }
}
