//! Each recorded exchange before today's rules. The rules are those of [`pinfold_policy::verdict`]; what is here is what a
//! gateway would do around them: it binds patterns and learns as it goes, in the order in which things came.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::{Amendment, Approval, Basis, Decisions, Revocations};
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::kind::Kinds;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::{ArtifactUrl, Scheme};
use pinfold_policy::vendor::OnPathChange;
use pinfold_policy::verdict::{
    Binding, Consequence, Foreseen, Known, Outcome, consequence, foresee, may_substitute, unless_learned,
};
use pinfold_store::{Carried, Store};

use crate::failure::Failure;

/// What would become of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Now {
    /// It passes.
    Passes(Passing),
    /// It does not. A reviewed body might go out in its place where `or_substituted`.
    Refused { kept: bool, reason: Reason, or_substituted: bool },
    /// What refused it then is not in the pins: it was the request, the connection, the vendor's answer or the gateway.
    AsThen,
    /// It cannot be told.
    Untold(Untold),
}

/// How something passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Passing {
    /// It matches a pin or an approval.
    Verified,
    /// It differs, or nobody knows it, and passes all the same.
    Observed(Reason),
    /// It is the first content of its URL, and so it is learned.
    Learned,
    /// It is nothing that is guarded.
    Unguarded,
    /// Nobody looks into connections to its host.
    Tunnelled,
}

/// Why it cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Untold {
    /// The body was not measured then.
    NotMeasured,
    /// A pin is in a notation in which the body is not on record.
    OtherNotation,
}

/// What decided then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Pins and decisions: another body would have been another verdict.
    Bytes,
    /// What the vendor answered: guarded content is not released from it whatever its bytes.
    Answer,
    /// Something that no file of pins says.
    Other,
}

/// The rules, and what a gateway would have bound and learned by them so far.
pub(super) struct Judge<'s> {
    policy: Policy,
    decisions: Arc<Decisions>,
    store: &'s Store,
    now: Timestamp,
    whole: HashMap<BodyId, Option<Digests>>,
    /// Those of people and files, and the SHA-256 of those that are in another notation.
    revoked: Revocations,
    /// Revocations of which no SHA-256 is known.
    pub(super) unmatched_revocations: u64,
}

impl<'s> Judge<'s> {
    pub(super) async fn new(policy: Policy, store: &'s Store, now: Timestamp) -> Result<Self, Failure> {
        let decisions = Arc::clone(&store.decisions().borrow());
        let mut known = Vec::new();
        let mut unmatched_revocations = 0;
        for revoked in policy.revocations().iter() {
            match revoked {
                Digest::Sha256(_) => {}
                Digest::Sha384(_) | Digest::Sha512(_) => match store.digests_of(&revoked).await? {
                    Some(digests) => known.push(digests.sha256.into()),
                    None => unmatched_revocations += 1,
                },
            }
        }
        let revoked = policy.revocations().over(&known.into_iter().collect());
        let whole = HashMap::new();
        Ok(Self { policy, decisions, store, now, whole, revoked, unmatched_revocations })
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What would become of `carried`. To be asked in the order in which things came.
    pub(super) async fn judge(&mut self, carried: &Carried) -> Result<Now, Failure> {
        let Carried { body, kinds, outcome, reason, .. } = carried;
        let then = reason.map_or(Then::Bytes, Then::of);
        if then == Then::Other && !outcome.is_release() {
            return Ok(Now::AsThen);
        }
        let Ok(url) = ArtifactUrl::parse(&carried.url) else { return Ok(Now::AsThen) };
        if url.scheme() == Scheme::Https && !self.policy.intercepts(url.host()) {
            return Ok(Now::Passes(Passing::Tunnelled));
        }
        let expected = self.policy.expect(&url);
        if !expected.guards(*kinds) {
            return Ok(Now::Passes(Passing::Unguarded));
        }
        match (body, then, reason) {
            (Some(body), ..) => {
                let now = self.judge_body(&url, *body, *kinds).await?;
                let by_another_path = *reason == Some(Reason::PathChanged);
                Ok(if by_another_path { arrived(&self.policy.expect(&url), now) } else { now })
            }
            (None, Then::Answer, Some(reason)) => Ok(withheld(&expected, *reason, false)),
            // Whatever it was: nothing is allowed here by its digest.
            (None, Then::Bytes, _) if outcome.is_release() && !expected.is_pinned() => {
                Ok(withheld(&expected, expected.reason_without_match(), false))
            }
            (None, Then::Bytes | Then::Answer | Then::Other, _) => Ok(Now::Untold(Untold::NotMeasured)),
        }
    }

    async fn judge_body(&mut self, url: &ArtifactUrl, id: BodyId, kinds: Kinds) -> Result<Now, Failure> {
        loop {
            let foreseen = foresee(&self.policy.expect(url), Known::Id(id), self.now, &self.revoked);
            let foreseen = match foreseen {
                Foreseen::Open => match self.whole(id).await? {
                    Some(digests) => {
                        foresee(&self.policy.expect(url), Known::Whole(&digests), self.now, &self.revoked)
                    }
                    None => return Ok(Now::Untold(Untold::OtherNotation)),
                },
                other => other,
            };
            match foreseen {
                Foreseen::Allow => return Ok(Now::Passes(Passing::Verified)),
                Foreseen::Bind(binding) => self.bind(binding),
                Foreseen::Withhold(reason) => return self.withhold(url, id, kinds, reason).await,
                Foreseen::Open => return Ok(Now::Untold(Untold::OtherNotation)),
            }
        }
    }

    async fn withhold(
        &mut self,
        url: &ArtifactUrl,
        id: BodyId,
        kinds: Kinds,
        reason: Reason,
    ) -> Result<Now, Failure> {
        let expected = self.policy.expect(url);
        if consequence(&expected, reason) != Consequence::Learn {
            return Ok(withheld(&expected, reason, true));
        }
        let subject: Box<str> = expected.subject().into();
        let mut kinds = kinds.iter();
        // What could be two things is not learned, and neither is a URL that a pin judged once.
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Ok(withheld(&expected, reason, true));
        };
        if self.store.was_judged_by_a_pin(&subject).await? {
            return Ok(withheld(&expected, reason, true));
        }
        let approval = Approval {
            subject: subject.clone(),
            digest: id,
            kind,
            basis: Basis::Learned,
            expires: None,
            record: "replay".into(),
        };
        self.amend(Amendment { subjects: vec![subject], approvals: vec![approval], ..Amendment::default() });
        Ok(Now::Passes(Passing::Learned))
    }

    fn bind(&mut self, binding: Binding) {
        let Binding { pattern, digest, key } = binding;
        self.amend(Amendment { bindings: vec![(pattern, digest, key)], ..Amendment::default() });
    }

    fn amend(&mut self, amendment: Amendment) {
        let version = self.decisions.version() + 1;
        self.decisions = Arc::new(self.decisions.amended(Amendment { version, ..amendment }));
        self.policy = self.policy.with(Arc::clone(&self.decisions));
    }

    /// All digests of a body, where the store has them.
    async fn whole(&mut self, id: BodyId) -> Result<Option<Digests>, Failure> {
        if let Some(known) = self.whole.get(&id) {
            return Ok(*known);
        }
        let found = self.store.digests_of(&id.into()).await?;
        self.whole.insert(id, found);
        Ok(found)
    }
}

/// What follows for bytes that came by another path than ever before.
fn arrived(expected: &Expectation<'_>, now: Now) -> Now {
    match (now, expected.rules().on_path_change) {
        (Now::Passes(Passing::Verified), OnPathChange::Quarantine) => {
            withheld(expected, Reason::PathChanged, true)
        }
        (now, OnPathChange::Quarantine | OnPathChange::Report) => now,
    }
}

/// What follows where nothing is learned. What was not measured cannot be kept.
fn withheld(expected: &Expectation<'_>, reason: Reason, is_measured: bool) -> Now {
    let follows = match consequence(expected, reason) {
        Consequence::Learn => unless_learned(expected),
        other => other,
    };
    let or_substituted = may_substitute(expected, reason);
    match follows {
        Consequence::ObserveUnverified => Now::Passes(Passing::Observed(reason)),
        Consequence::Quarantine => Now::Refused { kept: is_measured, reason, or_substituted },
        Consequence::Block | Consequence::Learn => Now::Refused { kept: false, reason, or_substituted },
    }
}

impl Then {
    fn of(reason: Reason) -> Self {
        match reason {
            Reason::DigestMismatch
            | Reason::Unpinned
            | Reason::UnlistedHost
            | Reason::Revoked
            | Reason::Rejected
            | Reason::ExpiredPin
            | Reason::PathChanged => Self::Bytes,
            Reason::Redirect
            | Reason::UpstreamStatus
            | Reason::BodyTooLarge
            | Reason::BadEncoding
            | Reason::Truncated
            | Reason::PartialContent => Self::Answer,
            Reason::MalformedResponse
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
            | Reason::Internal => Self::Other,
        }
    }
}

impl Now {
    /// What one word says of it, and the code of its reason. The words are verdicts where there is a verdict.
    pub(super) fn words(self) -> (&'static str, Option<Reason>) {
        match self {
            Self::Passes(Passing::Verified) => (Outcome::Verified.as_str(), None),
            Self::Passes(Passing::Observed(reason)) => (Outcome::Observed.as_str(), Some(reason)),
            Self::Passes(Passing::Learned) => ("learned", Some(Reason::Unpinned)),
            Self::Passes(Passing::Unguarded) => ("unguarded", None),
            Self::Passes(Passing::Tunnelled) => ("tunnelled", None),
            Self::Refused { kept: true, reason, .. } => (Outcome::Quarantined.as_str(), Some(reason)),
            Self::Refused { kept: false, reason, .. } => (Outcome::Blocked.as_str(), Some(reason)),
            Self::AsThen => ("as then", None),
            Self::Untold(Untold::NotMeasured) => ("not measured", None),
            Self::Untold(Untold::OtherNotation) => ("another notation", None),
        }
    }
}
