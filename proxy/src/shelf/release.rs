//! Which of several verified bodies a URL gets, so that files of different releases do not meet.
//!
//! Where a pin names its release, a body counts once every URL of that release has been seen with that release's content.
//! Of the releases that are whole, the one counts whose last file the vendor has served most recently. All URLs of them
//! see the same order, so they change over together, whichever of them is asked for first.
//!
//! What an approval allows beside the pins of a release is of none, and could meet the others' old files. It counts once the
//! vendor has served something that is allowed at every URL of the release since: all of them approved, or unchanged.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::Revocations;
use pinfold_policy::digest::Digests;
use pinfold_policy::pin::Pin;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{allows, releases_beside, releases_of};

use super::variants::{Found, Newest, Served};
use super::{Shelf, is_same};
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
        let is_of_release = |one: &Arc<Served>| {
            !releases_of(expected, &one.digests, now).is_empty()
                || !releases_beside(expected, &one.digests, now).is_empty()
        };
        let found_all = found.served.into_iter().chain(found.elsewhere.into_iter().filter(is_of_release));
        for one in found_all.filter(|one| allows(expected, &one.digests, now, revoked)) {
            let releases = releases_of(expected, &one.digests, now);
            let since = if releases.is_empty() {
                let since = self.counts_since(ask, policy, expected, &one, now, revoked);
                loose += usize::from(since.is_some());
                since
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

    /// When a body that is of no release was seen last; `None` while files of a release beside which it stands could meet
    /// it.
    fn counts_since(
        &self,
        ask: &Ask,
        policy: &Policy,
        expected: &Expectation<'_>,
        one: &Served,
        now: Timestamp,
        revoked: &Revocations,
    ) -> Option<Timestamp> {
        let beside = releases_beside(expected, &one.digests, now);
        if beside.is_empty() {
            return Some(one.seen);
        }
        let meets = |url: &ArtifactUrl, pin: &Pin| {
            let there = policy.expect(url);
            let is_here = expected.deciding().pins().iter().any(|here| here.place == pin.place);
            let fits = |digests: &Digests| match is_here {
                true => is_same(digests, &one.digests),
                false => allows(&there, digests, now, revoked),
            };
            let newest = self.variants.newest(ask, url, fits)?;
            let is_beside = !releases_beside(&there, &newest.digests, now).is_empty();
            Some((newest, is_beside))
        };
        let together = |release: &&Arc<str>| {
            let members = expected.release(release).into_iter();
            together_since(&members.map(|(url, pin)| meets(url, pin)).collect::<Option<Vec<_>>>()?, one.seen)
        };
        beside.iter().filter_map(together).max()
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

/// When the last of the URLs of a release was seen with what it is to have; `None` while one was not seen since another has
/// something that is of no release.
fn together_since(members: &[(Newest, bool)], alone: Timestamp) -> Option<Timestamp> {
    let changed = members.iter().filter(|(_, is_beside)| *is_beside).map(|(newest, _)| newest.first).max();
    let since = members.iter().map(|(newest, _)| newest.last).min().unwrap_or(alone);
    (changed <= Some(since)).then_some(since)
}
