//! Which of several verified bodies a URL gets: see [`pinfold_policy::release`].

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::Revocations;
use pinfold_policy::digest::Digests;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::release::{Newest, Releases, Sightings};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{allows, releases_beside, releases_of};

use super::Shelf;
use super::variants::{Found, Served, Variants};
use crate::ask::Ask;

/// Why the shelf has no body for a request.
pub(crate) enum Missing {
    /// Two bodies are allowed and served in turns: the vendor alone knows which it is.
    Ambiguous,
    /// None is there.
    Nothing,
}

/// What was served to who asks like this, whatever their `Origin`.
struct SeenBy<'a> {
    variants: &'a Variants,
    ask: &'a Ask,
}

impl Sightings for SeenBy<'_> {
    fn newest(&self, url: &ArtifactUrl, is_one: &dyn Fn(&Digests) -> bool) -> Option<Newest> {
        self.variants.newest(self.ask, url, is_one)
    }
}

impl Shelf {
    /// Of what was served, the one to serve now.
    pub(crate) fn choose(
        &self,
        ask: &Ask,
        policy: &Policy,
        expected: &Expectation<'_>,
        found: Found,
        now: Timestamp,
        revoked: &Revocations,
    ) -> Result<Arc<Served>, Missing> {
        let seen = &SeenBy { variants: &self.variants, ask };
        let releases = Releases { policy, expected, now, revoked, seen };
        let mut chosen: Option<(Timestamp, Arc<Served>)> = None;
        let mut loose = 0;
        let is_loose = |one: &Served| releases_of(expected, &one.digests, now).is_empty();
        // All origins change over to a release together: a body of one need not have been seen here.
        let is_of_release =
            |one: &Arc<Served>| !is_loose(one) || !releases_beside(expected, &one.digests, now).is_empty();
        let found_all = found.served.into_iter().chain(found.elsewhere.into_iter().filter(is_of_release));
        for one in found_all.filter(|one| allows(expected, &one.digests, now, revoked)) {
            let since = releases.counts_since(&one.digests, one.seen);
            loose += usize::from(since.is_some() && is_loose(&one));
            let is_later = |since| chosen.as_ref().is_none_or(|(best, _)| since > *best);
            if let Some(since) = since.filter(|since| is_later(*since)) {
                chosen = Some((since, one));
            }
        }
        match chosen {
            Some(_) if found.takes_turns && loose > 1 => Err(Missing::Ambiguous),
            Some((_, served)) => Ok(served),
            None => Err(Missing::Nothing),
        }
    }
}
