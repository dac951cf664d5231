//! Which of several verified bodies a URL gets, so that files of different releases do not meet.
//!
//! Where a pin names its release, a body counts once every URL of that release has been seen with that release's content.
//! Of the releases that are whole, the one counts whose last file the vendor has served most recently. All URLs of them
//! see the same order, so they change over together, whichever of them is asked for first.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::Revocations;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::verdict::{allows, releases_of};

use super::Shelf;
use super::variants::{Found, Served};
use crate::ask::Ask;

/// Why the shelf has no body for a request.
pub(crate) enum Missing {
    /// Two bodies are allowed and served in turns: the vendor alone knows which it is.
    Ambiguous,
    /// None is there.
    Nothing,
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
        let mut chosen: Option<(Timestamp, Arc<Served>)> = None;
        let mut loose = 0;
        // All origins change over to a release together: a body of one need not have been seen here.
        let is_of_release = |one: &Arc<Served>| !releases_of(expected, &one.digests, now).is_empty();
        let found_all = found.served.into_iter().chain(found.elsewhere.into_iter().filter(is_of_release));
        for one in found_all.filter(|one| allows(expected, &one.digests, now, revoked)) {
            let releases = releases_of(expected, &one.digests, now);
            loose += usize::from(releases.is_empty());
            let since = if releases.is_empty() {
                Some(one.seen)
            } else {
                let whole =
                    |release: &&Arc<str>| self.whole_since(ask, policy, expected, release, now, revoked);
                releases.iter().filter_map(whole).max()
            };
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

    /// When the last of a release's URLs was seen with it that was not seen since; `None` while one is missing.
    fn whole_since(
        &self,
        ask: &Ask,
        policy: &Policy,
        expected: &Expectation<'_>,
        release: &str,
        now: Timestamp,
        revoked: &Revocations,
    ) -> Option<Timestamp> {
        let mut members: HashMap<&str, Option<Timestamp>> = HashMap::new();
        for (url, pin) in expected.release(release) {
            let there = policy.expect(url);
            let seen = self.variants.last_seen(ask, url, |digests| {
                pin.is_active(now)
                    && pin.digests.iter().any(|digest| digests.include(digest))
                    && allows(&there, digests, now, revoked)
            });
            let member = members.entry(url.key()).or_default();
            *member = seen.max(*member);
        }
        members.into_values().min().flatten()
    }
}
