//! The same rules for a body that is not at hand, and of which only digests are on record. Nothing is cleared by it.

use jiff::Timestamp;

use super::{Binding, Ruling, rule};
use crate::decisions::Revocations;
use crate::digest::{BodyId, Digest, Digests};
use crate::policy::Expectation;
use crate::reason::Reason;

/// What is known of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'d> {
    /// All of its digests.
    Whole(&'d Digests),
    /// Its identity alone: whether a pin in another notation is of it cannot be told.
    Id(BodyId),
}

impl Known<'_> {
    pub(super) fn id(self) -> BodyId {
        match self {
            Self::Whole(digests) => digests.sha256,
            Self::Id(id) => id,
        }
    }

    pub(super) fn include(self, digest: &Digest) -> bool {
        match self {
            Self::Whole(digests) => digests.include(digest),
            Self::Id(id) => *digest == Digest::from(id),
        }
    }

    pub(super) fn is_revoked(self, revoked: &Revocations) -> bool {
        match self {
            Self::Whole(digests) => revoked.include(digests),
            Self::Id(id) => revoked.contain(&id.into()),
        }
    }

    /// Whether a pin here names a body in a notation in which this one is not known.
    fn could_be_pinned_here(self, expected: &Expectation<'_>) -> bool {
        match self {
            Self::Whole(_) => false,
            Self::Id(_) => {
                let mut digests = expected.deciding().pins().iter().flat_map(|pin| &pin.digests);
                digests.any(|digest| match digest {
                    Digest::Sha256(_) => false,
                    Digest::Sha384(_) | Digest::Sha512(_) => true,
                })
            }
        }
    }
}

/// What [`super::judge`] would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// It would be verified.
    Allow,
    /// It would be, once its pattern is bound here: judge again with a policy that holds the binding.
    Bind(Binding),
    /// It would not.
    Withhold(Reason),
    /// A pin in another notation may be of it, or may not.
    Open,
}

/// What [`super::judge`] would say of a body of which this is known. A revocation in a notation in which it is not known
/// is not seen.
#[must_use]
pub fn foresee(
    expected: &Expectation<'_>,
    body: Known<'_>,
    now: Timestamp,
    revoked: &Revocations,
) -> Foreseen {
    match rule(expected, body, now, revoked) {
        Ruling::Approved(_) | Ruling::Pinned(_) => Foreseen::Allow,
        Ruling::Bind(binding) => Foreseen::Bind(binding),
        Ruling::Withhold(reason @ (Reason::Revoked | Reason::Rejected)) => Foreseen::Withhold(reason),
        Ruling::Withhold(_) if body.could_be_pinned_here(expected) => Foreseen::Open,
        Ruling::Withhold(reason) => Foreseen::Withhold(reason),
    }
}
