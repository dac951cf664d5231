//! The judgement: what was expected, what came, and what follows. No clock, no files, no network.
//!
//! [`Cleared`] is the only thing that a client can be given as verified, and [`judge`] is the only place that makes
//! one. It is made out of a [`Held`], which owns the bytes it was measured over.

mod foreseen;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::foreseen::{Foreseen, Known, foresee};
use crate::decisions::{Approval, Revocations};
use crate::digest::{BodyId, Digests};
use crate::held::Held;
use crate::kept::Kept;
use crate::kind::Kind;
use crate::path::Arrival;
use crate::pin::{Pin, Place};
use crate::pins::Deciding;
use crate::policy::{Approved, Expectation};
use crate::reason::Reason;
use crate::vendor::{Mode, OnMismatch, OnPathChange, OtherScripts, Unpinned};

/// Why a body could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    /// Longer than allowed, or expanding more than allowed.
    #[error("body is too large")]
    TooLarge,
    /// An unknown or third coding, or bytes that are not what the coding says.
    #[error("content coding is invalid")]
    BadEncoding,
    /// The framing or the coding ended early.
    #[error("body is truncated")]
    Truncated,
    /// A 206.
    #[error("only a part of the body")]
    Partial,
}

impl Unmeasurable {
    /// The reason of the exchange that it ends.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::TooLarge => Reason::BodyTooLarge,
            Self::BadEncoding => Reason::BadEncoding,
            Self::Truncated => Reason::Truncated,
            Self::Partial => Reason::PartialContent,
        }
    }
}

/// What was decided about one artifact, as everyone names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The bytes match a pin or an approval.
    Verified,
    /// Other bytes were refused, and these went out in their place: they match a pin or an approval.
    Substituted,
    /// The bytes passed although nobody verified them.
    Observed,
    /// Refused.
    Blocked,
    /// Refused, and the body kept.
    Quarantined,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Verified, Self::Substituted, Self::Observed, Self::Blocked, Self::Quarantined];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Substituted => "substituted",
            Self::Observed => "observed",
            Self::Blocked => "blocked",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether the client got the artifact.
    #[must_use]
    pub fn is_release(self) -> bool {
        match self {
            Self::Verified | Self::Substituted | Self::Observed => true,
            Self::Blocked | Self::Quarantined => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`judge`] says.
#[derive(Debug)]
pub enum Verdict {
    /// These bytes may go out as verified.
    Allow(Cleared),
    /// A pattern's digest seen for the first time: the binding must be on record before anything is released. Judge
    /// again with a policy that holds it.
    Bind(Held, Binding),
    /// They may not.
    Withhold(Reason, Option<Held>),
}

/// That a pattern's digest belongs to one URL: without it, a wildcard would let a vendor swap two pinned files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The pattern, as [`crate::pin::PinUrl::to_text`] writes it.
    pub pattern: Box<str>,
    /// The body.
    pub digest: BodyId,
    /// The match key without its query.
    pub key: Box<str>,
}

/// What allows a body. It is named only for a body that goes out.
#[derive(Debug)]
enum Rule {
    Pin(Place),
    Approval(Arc<str>),
}

/// Proof that bytes match what a person, a reviewed file, or a rule that people wrote allowed, and the bytes.
#[derive(Debug)]
pub struct Cleared {
    held: Held,
    kind: Kind,
    rule: Rule,
    provisional: bool,
}

impl Cleared {
    /// The bytes that were measured, and no others.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        self.held.kept()
    }

    /// The body, for the shelf. It is judged anew each time that it is taken from there.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Their length.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.held.len()
    }

    /// Whether it is the empty body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Their digests.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        self.held.digests()
    }

    /// What the pin says they may act as.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The pin or approval that allows them: `pins.toml:14`, or `approval`, `cooldown` or `learned` and its record.
    #[must_use]
    pub fn rule(&self) -> Arc<str> {
        match &self.rule {
            Rule::Pin(place) => place.to_text(),
            Rule::Approval(named) => Arc::clone(named),
        }
    }

    /// Whether only a rule allows them, and no person and no reviewed file.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.provisional
    }

    fn by_pin(held: Held, pin: &Pin) -> Self {
        Self { held, kind: pin.kind, rule: Rule::Pin(pin.place.clone()), provisional: false }
    }

    fn by_approval(held: Held, approval: &Approval) -> Self {
        let provisional = approval.basis.is_provisional();
        Self { held, kind: approval.kind, rule: Rule::Approval(approval.rule()), provisional }
    }
}

/// Judges one body against what its URL expects. `revoked` is read by the caller from the newest snapshot, whatever
/// snapshot `expected` is from.
#[must_use]
pub fn judge(
    expected: &Expectation<'_>,
    held: Result<Held, Unmeasurable>,
    now: Timestamp,
    revoked: &Revocations,
) -> Verdict {
    let held = match held {
        Ok(held) => held,
        Err(unmeasurable) => return Verdict::Withhold(unmeasurable.reason(), None),
    };
    let digests = *held.digests();
    match rule(expected, Known::Whole(&digests), now, revoked) {
        Ruling::Approved(approval) => Verdict::Allow(Cleared::by_approval(held, approval)),
        Ruling::Pinned(pin) => Verdict::Allow(Cleared::by_pin(held, pin)),
        Ruling::Bind(binding) => Verdict::Bind(held, binding),
        Ruling::Withhold(reason) => Verdict::Withhold(reason, Some(held)),
    }
}

/// What the rules say of a body. It proves nothing: only [`judge`], which has the bytes, makes proof of it.
enum Ruling<'p> {
    Approved(&'p Approval),
    Pinned(&'p Pin),
    Bind(Binding),
    Withhold(Reason),
}

fn rule<'p>(
    expected: &Expectation<'p>,
    body: Known<'_>,
    now: Timestamp,
    revoked: &Revocations,
) -> Ruling<'p> {
    if body.is_revoked(revoked) {
        return Ruling::Withhold(Reason::Revoked);
    }
    if expected.rejects(body.id(), now) {
        return Ruling::Withhold(Reason::Rejected);
    }
    // What people said comes first, then the files, then what a rule approved: so that only the last is provisional.
    match (expected.approved(body.id(), now), pinned(expected, body, now)) {
        (Approved::By(approval), _) if !approval.basis.is_provisional() => Ruling::Approved(approval),
        (_, Pinned::Active(pin)) => Ruling::Pinned(pin),
        (_, Pinned::Unbound(binding)) => Ruling::Bind(binding),
        (Approved::By(approval), Pinned::Expired | Pinned::No) => Ruling::Approved(approval),
        (Approved::Expired | Approved::No, Pinned::Expired) | (Approved::Expired, Pinned::No) => {
            Ruling::Withhold(Reason::ExpiredPin)
        }
        (Approved::No, Pinned::No) => Ruling::Withhold(expected.reason_without_match()),
    }
}

/// Judges the way by which a cleared body came. It matches, so what it does is known; who sent it may not be.
///
/// # Errors
/// The body, where it is to be withheld as [`Reason::PathChanged`].
#[expect(clippy::result_large_err, reason = "what is cleared is larger than what is held")]
pub fn judge_arrival(
    expected: &Expectation<'_>,
    cleared: Cleared,
    arrival: Arrival,
) -> Result<Cleared, Held> {
    match (arrival, expected.rules().on_path_change) {
        (Arrival::Changed, OnPathChange::Quarantine) => Err(cleared.held),
        (Arrival::Changed, OnPathChange::Report) | (Arrival::AsKnown, _) => Ok(cleared),
    }
}

/// Whether [`judge`] would allow a body with these digests: for who has to choose one before it is at hand. It clears
/// nothing.
#[must_use]
pub fn allows(expected: &Expectation<'_>, digests: &Digests, now: Timestamp, revoked: &Revocations) -> bool {
    if revoked.include(digests) || expected.rejects(digests.sha256, now) {
        return false;
    }
    let is_approved = match expected.approved(digests.sha256, now) {
        Approved::By(_) => true,
        Approved::Expired | Approved::No => false,
    };
    is_approved
        || match pinned(expected, Known::Whole(digests), now) {
            Pinned::Active(_) => true,
            Pinned::Unbound(_) | Pinned::Expired | Pinned::No => false,
        }
}

/// The releases that a body belongs to, by the pins that allow it; none where one allows it outside of any release.
#[must_use]
pub fn releases_of<'p>(expected: &Expectation<'p>, digests: &Digests, now: Timestamp) -> Vec<&'p Arc<str>> {
    let pins = expected.deciding().pins().iter();
    let allowing =
        pins.filter(|pin| pin.is_active(now) && pin.digests.iter().any(|digest| digests.include(digest)));
    allowing.map(|pin| pin.release.as_ref()).collect::<Option<_>>().unwrap_or_default()
}

/// The releases beside which a body stands that no pin here allows: an approval is of one file, and of no release.
#[must_use]
pub fn releases_beside<'p>(
    expected: &Expectation<'p>,
    digests: &Digests,
    now: Timestamp,
) -> Vec<&'p Arc<str>> {
    let active = || expected.deciding().pins().iter().filter(|pin| pin.is_active(now));
    if active().any(|pin| pin.digests.iter().any(|digest| digests.include(digest))) {
        return Vec::new();
    }
    active().filter_map(|pin| pin.release.as_ref()).collect()
}

enum Pinned<'p> {
    Active(&'p Pin),
    Unbound(Binding),
    Expired,
    No,
}

fn pinned<'p>(expected: &Expectation<'p>, body: Known<'_>, now: Timestamp) -> Pinned<'p> {
    let mut expired = false;
    let mut unbound = None;
    for pin in expected.deciding().pins() {
        if !pin.digests.iter().any(|digest| body.include(digest)) {
            continue;
        }
        if !pin.is_active(now) {
            expired = true;
            continue;
        }
        match expected.deciding() {
            Deciding::Exact(_) => return Pinned::Active(pin),
            Deciding::Patterns(_) => match expected.bound(pin, body.id()) {
                Some(true) => return Pinned::Active(pin),
                Some(false) => {}
                None => unbound = unbound.or(Some(pin)),
            },
        }
    }
    match unbound {
        Some(pin) => Pinned::Unbound(Binding {
            pattern: pin.url.to_text().into(),
            digest: body.id(),
            key: expected.key_without_query().into(),
        }),
        None if expired => Pinned::Expired,
        None => Pinned::No,
    }
}

/// What follows from a reason, by the rules of the vendor and of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// It passes as observed.
    ObserveUnverified,
    /// It passes as observed, once it is on record that this is what the URL serves. Where it cannot be put on record,
    /// [`unless_learned`] says what follows.
    Learn,
    /// It is refused.
    Block,
    /// It is refused and kept.
    Quarantine,
}

/// What follows for content at an unpinned URL that cannot be learned: observe mode passes it, and nothing else does.
#[must_use]
pub fn unless_learned(expected: &Expectation<'_>) -> Consequence {
    match expected.rules().mode {
        Mode::Observe => Consequence::ObserveUnverified,
        Mode::Enforce => Consequence::Block,
    }
}

/// What follows from `reason` here. Only this function and [`unless_learned`] know what observe mode changes.
#[must_use]
pub fn consequence(expected: &Expectation<'_>, reason: Reason) -> Consequence {
    let rules = expected.rules();
    if reason == Reason::Unpinned && rules.unpinned == Unpinned::Learn {
        return Consequence::Learn;
    }
    if rules.mode == Mode::Observe && reason.yields_to_observe_mode() {
        return Consequence::ObserveUnverified;
    }
    match reason {
        Reason::Unpinned => match rules.unpinned {
            Unpinned::Allow => Consequence::ObserveUnverified,
            Unpinned::Learn => Consequence::Learn,
            Unpinned::Block => Consequence::Block,
            Unpinned::Quarantine => Consequence::Quarantine,
        },
        Reason::DigestMismatch => match rules.on_mismatch {
            OnMismatch::Block => Consequence::Block,
            OnMismatch::Quarantine => Consequence::Quarantine,
        },
        Reason::UnlistedHost => match expected.other_scripts() {
            OtherScripts::Allow | OtherScripts::Observe => Consequence::ObserveUnverified,
            OtherScripts::Block => Consequence::Block,
            OtherScripts::Quarantine => Consequence::Quarantine,
        },
        Reason::PathChanged => Consequence::Quarantine,
        Reason::Revoked
        | Reason::Rejected
        | Reason::ExpiredPin
        | Reason::Redirect
        | Reason::UpstreamStatus
        | Reason::BodyTooLarge
        | Reason::BadEncoding
        | Reason::Truncated
        | Reason::PartialContent
        | Reason::MalformedResponse
        | Reason::PrivateAddress
        | Reason::PortNotAllowed
        | Reason::ClientNotAllowed
        | Reason::WebsocketBlocked
        | Reason::CredentialsRequired
        | Reason::HostMismatch
        | Reason::MethodNotAllowed
        | Reason::SniMismatch
        | Reason::NotHttp
        | Reason::MalformedRequest
        | Reason::HeadersTooLarge
        | Reason::RequestTimeout
        | Reason::UpstreamTls
        | Reason::UpstreamUnreachable
        | Reason::UpstreamTimeout
        | Reason::Loop
        | Reason::Overloaded
        | Reason::Held
        | Reason::StoreUnavailable
        | Reason::Internal => Consequence::Block,
    }
}

/// Whether a reviewed body may go out in place of what was refused for `reason` here.
#[must_use]
pub fn may_substitute(expected: &Expectation<'_>, reason: Reason) -> bool {
    expected.rules().substitute && expected.is_pinned() && is_of_the_vendor(reason)
}

/// Whether a browser is to lose the service worker that it has, now that its script is refused for `reason` here.
/// `may_be_revoked` says whether that worker may be one that has been revoked since: a vendor that is gone, or serves
/// something else now, would keep it alive.
#[must_use]
pub fn may_unregister(
    expected: &Expectation<'_>,
    reason: Reason,
    may_be_revoked: impl FnOnce() -> bool,
) -> bool {
    // The vendor says also where its name leads, and can use up the room that it has here. A pin may go with its revocation.
    let is_of_the_vendor = is_of_the_vendor(reason)
        || matches!(reason, Reason::PrivateAddress | Reason::Overloaded | Reason::Unpinned);
    expected.rules().revoke_worker && (reason == Reason::Revoked || (is_of_the_vendor && may_be_revoked()))
}

/// Whether something is refused for what the vendor serves, and not for the request or for what the gateway cannot do.
fn is_of_the_vendor(reason: Reason) -> bool {
    match reason {
        Reason::DigestMismatch
        | Reason::Revoked
        | Reason::Rejected
        | Reason::ExpiredPin
        | Reason::PathChanged
        | Reason::Redirect
        | Reason::UpstreamStatus
        | Reason::BodyTooLarge
        | Reason::BadEncoding
        | Reason::Truncated
        | Reason::PartialContent
        | Reason::MalformedResponse
        | Reason::UpstreamTls
        | Reason::UpstreamUnreachable
        | Reason::UpstreamTimeout
        // It is slow, for all that the client was ready to wait.
        | Reason::Held => true,
        Reason::Unpinned
        | Reason::UnlistedHost
        | Reason::PrivateAddress
        | Reason::PortNotAllowed
        | Reason::ClientNotAllowed
        | Reason::WebsocketBlocked
        | Reason::CredentialsRequired
        | Reason::HostMismatch
        | Reason::MethodNotAllowed
        | Reason::SniMismatch
        | Reason::NotHttp
        | Reason::MalformedRequest
        | Reason::HeadersTooLarge
        | Reason::RequestTimeout
        | Reason::Loop
        | Reason::Overloaded
        | Reason::StoreUnavailable
        | Reason::Internal => false,
    }
}

#[cfg(test)]
mod tests;
