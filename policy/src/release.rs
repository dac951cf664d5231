//! Which of several allowed bodies counts at a URL, so that files of different releases do not meet.
//!
//! Where a pin names its release, a body counts once every URL of that release has been seen with that release's content.
//! Of the releases that are whole, the one counts whose last file the vendor has served most recently. All URLs of them
//! see the same order, so they change over together, whichever of them is asked for first.
//!
//! What an approval allows beside the pins of a release is of none, and could meet the others' old files. It counts once the
//! vendor has served something that is allowed at every URL of the release since: all of them approved, or unchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decisions::Revocations;
use crate::digest::Digests;
use crate::pin::Pin;
use crate::policy::{Expectation, Policy};
use crate::url::ArtifactUrl;
use crate::verdict::{allows, releases_beside, releases_of};

/// The body that a vendor served last.
#[derive(Clone, Copy, Debug)]
pub struct Newest {
    /// The body.
    pub digests: Digests,
    /// From when on.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
}

/// What is known of what a vendor served where.
pub trait Sightings {
    /// Of some bodies, the one that was served last at a URL.
    fn newest(&self, url: &ArtifactUrl, is_one: &dyn Fn(&Digests) -> bool) -> Option<Newest>;
}

/// What may be served at one URL at one moment, and what was seen by then.
pub struct Releases<'a, S> {
    /// The rules and the decisions.
    pub policy: &'a Policy,
    /// What they expect of the URL.
    pub expected: &'a Expectation<'a>,
    /// The moment.
    pub now: Timestamp,
    /// The newest revocations.
    pub revoked: &'a Revocations,
    /// What was seen.
    pub seen: &'a S,
}

/// What a body waits for before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The release that it is of, or beside which it stands.
    pub release: Arc<str>,
    /// Those of its URLs at which the vendor was not seen to serve what goes with it.
    pub urls: Vec<Box<str>>,
}

impl<S: Sightings> Releases<'_, S> {
    /// Since when a body of the URL counts that was seen last at `seen`: the later, the more it does. `None` while files of
    /// another release could meet it.
    pub fn counts_since(&self, digests: &Digests, seen: Timestamp) -> Option<Timestamp> {
        let releases = releases_of(self.expected, digests, self.now);
        if !releases.is_empty() {
            return releases.into_iter().filter_map(|release| whole_since(&self.with_pinned(release))).max();
        }
        let beside = releases_beside(self.expected, digests, self.now);
        if beside.is_empty() {
            return Some(seen);
        }
        beside
            .into_iter()
            .filter_map(|release| together_since(&self.with_allowed(release, digests), seen))
            .max()
    }

    /// What a body waits for that does not count; of several releases it is the first.
    pub fn waits_for(&self, digests: &Digests) -> Option<Waiting> {
        if self.counts_since(digests, Timestamp::MIN).is_some() {
            return None;
        }
        let of = releases_of(self.expected, digests, self.now).into_iter();
        let of = of.map(|release| (release, self.with_pinned(release)));
        let beside = releases_beside(self.expected, digests, self.now).into_iter();
        let (release, members) =
            of.chain(beside.map(|release| (release, self.with_allowed(release, digests)))).next()?;
        let changed = last_change(members.values());
        let is_awaited = |member: &Member| member.newest.is_none_or(|newest| Some(newest.last) < changed);
        let awaited = members.iter().filter(|(_, member)| is_awaited(member));
        Some(Waiting { release: Arc::clone(release), urls: awaited.map(|(url, _)| (*url).into()).collect() })
    }

    /// The URLs of a release, with what was seen of what its pins allow there.
    fn with_pinned(&self, release: &str) -> BTreeMap<&str, Member> {
        let mut members: BTreeMap<&str, Member> = BTreeMap::new();
        for (url, pin) in self.expected.release(release) {
            let there = self.policy.expect(url);
            let newest = self.seen.newest(url, &|digests| {
                pin.is_active(self.now)
                    && pin.digests.iter().any(|digest| digests.include(digest))
                    && allows(&there, digests, self.now, self.revoked)
            });
            let member = members.entry(url.key()).or_default();
            if newest.map(|newest| newest.last) > member.newest.map(|newest| newest.last) {
                member.newest = newest;
            }
        }
        members
    }

    /// The URLs of a release, with what was seen of all that is allowed there, and of `digests` alone at this one.
    fn with_allowed(&self, release: &str, digests: &Digests) -> BTreeMap<&str, Member> {
        let member = |(url, pin): (&ArtifactUrl, &Pin)| {
            let there = self.policy.expect(url);
            let is_here = self.expected.deciding().pins().iter().any(|here| here.place == pin.place);
            let newest = self.seen.newest(url, &|other| match is_here {
                true => other.sha256 == digests.sha256,
                false => allows(&there, other, self.now, self.revoked),
            });
            let is_beside =
                newest.is_some_and(|newest| !releases_beside(&there, &newest.digests, self.now).is_empty());
            Member { newest, is_beside }
        };
        let pins = self.expected.release(release).into_iter();
        pins.map(|(url, pin)| (url.key(), member((url, pin)))).collect()
    }
}

/// What was seen at one URL of a release.
#[derive(Clone, Copy, Debug, Default)]
struct Member {
    newest: Option<Newest>,
    /// It is of no release.
    is_beside: bool,
}

/// When the last of a release's URLs was seen with it that was not seen since; `None` while one is missing.
fn whole_since(members: &BTreeMap<&str, Member>) -> Option<Timestamp> {
    members.values().map(|member| member.newest.map(|newest| newest.last)).min().flatten()
}

/// When the last of the URLs of a release was seen with what it is to have, or what stands `alone`; `None` while one is missing
/// or was not seen since another has something that is of no release.
fn together_since(members: &BTreeMap<&str, Member>, alone: Timestamp) -> Option<Timestamp> {
    let last = members.values().map(|member| member.newest.map(|newest| newest.last));
    let since = last.min().map_or(Some(alone), |since| since)?;
    (last_change(members.values()) <= Some(since)).then_some(since)
}

/// When one of them was last given something that is of no release.
fn last_change<'m>(members: impl Iterator<Item = &'m Member>) -> Option<Timestamp> {
    members
        .filter(|member| member.is_beside)
        .filter_map(|member| member.newest)
        .map(|newest| newest.first)
        .max()
}
