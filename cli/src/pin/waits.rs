//! What releases wait for: files that the vendor was not seen to serve, as far as the store has it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::cooldown::Run;
use pinfold_policy::decisions::{Approval, Decisions};
use pinfold_policy::digest::Digests;
use pinfold_policy::pin::{Pin, PinUrl};
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::release::{Newest, Releases, Sightings, Waiting};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::vendor::Recheck;
use pinfold_store::shelf::Shelved;
use pinfold_store::sighting::Variant;
use pinfold_store::{Store, StoreError};
use serde_json::{Value, json};

use crate::printable::printable;

/// What is on the shelf, by match key without its query.
#[derive(Default)]
pub(super) struct OnShelf(HashMap<Box<str>, Vec<(Box<str>, Newest)>>);

impl OnShelf {
    pub(super) async fn read(store: &Store) -> Result<Self, StoreError> {
        let (rows, runs) = (store.on_shelf().await?, store.runs_of_shelved().await?);
        let mut all = Self::default();
        for Shelved { variant, digests, seen, first, .. } in rows {
            let Ok(url) = ArtifactUrl::parse(&variant.url) else { continue };
            let there = all.0.entry(url.key_without_query().into()).or_default();
            there.push((url.key().into(), Newest { digests, first, last: seen }));
        }
        for (variant, run) in runs {
            all.note(&variant, &run);
        }
        Ok(all)
    }

    /// Rechecks saw it later than the shelf's row says, which is not written each time.
    fn note(&mut self, variant: &Variant, run: &Run) {
        let Ok(url) = ArtifactUrl::parse(&variant.url) else { return };
        let there = self.0.get_mut(url.key_without_query()).into_iter().flatten();
        for (_, seen) in there.filter(|(key, seen)| **key == *url.key() && seen.digests.sha256 == run.digest)
        {
            seen.last = seen.last.max(run.last);
        }
    }

    fn at<'s>(&'s self, url: &'s ArtifactUrl) -> impl Iterator<Item = &'s Newest> {
        let there = self.0.get(url.key_without_query()).into_iter().flatten();
        let is_any_query = url.key() == url.key_without_query();
        there.filter(move |(key, _)| is_any_query || **key == *url.key()).map(|(_, seen)| seen)
    }
}

impl Sightings for OnShelf {
    fn newest(&self, url: &ArtifactUrl, is_one: &dyn Fn(&Digests) -> bool) -> Option<Newest> {
        self.at(url).filter(|seen| is_one(&seen.digests)).max_by_key(|seen| seen.last).copied()
    }
}

/// By what is asked what waits.
pub(super) struct Waits<'a> {
    policy: Policy,
    seen: &'a OnShelf,
    pub(super) now: Timestamp,
}

impl<'a> Waits<'a> {
    pub(super) fn new(
        rules: &Arc<Rulebook>,
        decisions: &Arc<Decisions>,
        seen: &'a OnShelf,
        now: Timestamp,
    ) -> Self {
        Self { policy: Policy::new(Arc::clone(rules), Arc::clone(decisions)), seen, now }
    }

    /// What the vendor served last of what a pin of a release allows, and what that waits for.
    pub(super) fn pin(&self, pin: &Pin) -> Option<Waiting> {
        let PinUrl::Exact(url) = &pin.url else { return None };
        pin.release.as_ref()?;
        let is_of_pin = |digests: &Digests| pin.digests.iter().any(|digest| digests.include(digest));
        let served = self.seen.newest(url, &is_of_pin)?;
        self.body(url, &served.digests)
    }

    /// What an approval waits for beside the pins of a release.
    pub(super) fn approval(&self, approval: &Approval) -> Option<Waiting> {
        let url = ArtifactUrl::parse(&approval.subject).ok()?;
        let is_it = |digests: &Digests| digests.sha256 == approval.digest;
        let served = self.seen.newest(&url, &is_it)?;
        self.body(&url, &served.digests)
    }

    fn body(&self, url: &ArtifactUrl, digests: &Digests) -> Option<Waiting> {
        let expected = &self.policy.expect(url);
        // There the shelf is asked for substitutes alone, and what clients saw is not on disk.
        if expected.rules().recheck == Recheck::Always {
            return None;
        }
        let Self { policy, seen, now, .. } = self;
        let releases = Releases { policy, expected, now: *now, revoked: policy.revocations(), seen: *seen };
        releases.waits_for(digests)
    }
}

/// In a cell.
pub(super) fn in_short(waiting: &Waiting) -> String {
    let first = waiting.urls.first().map_or(String::new(), |url| printable(url).into_owned());
    let more = match waiting.urls.len() {
        0 | 1 => String::new(),
        urls => format!(" and {} more", urls - 1),
    };
    format!("release {} waits for {first}{more}", printable(&waiting.release))
}

pub(super) fn as_json(waiting: &Waiting) -> Value {
    json!({ "release": &*waiting.release, "urls": waiting.urls })
}
