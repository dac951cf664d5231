//! What an item newly does, against what was verified at its URL last: for the command that says it, and for its page in the
//! console.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Host;
use pinfold_policy::lookalike::Lookalikes;
use pinfold_store::item::{Item, ItemState};
use pinfold_store::shelf::Shelved;
use pinfold_store::{Store, StoreError};
use pinfold_triage::{DifferenceAsked, Findings, Limits, compare_by};

/// A body that was verified at an item's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: BodyId,
    /// In bytes, decoded.
    pub(crate) len: u64,
    /// When it was verified or approved last.
    pub(crate) at: Timestamp,
    /// Whether pinfold approved it by itself, and nobody has confirmed it.
    pub(crate) learned: bool,
}

impl Known {
    /// Every body that was verified at the item's URL, the last first: on the shelf, or approved and kept. What is revoked or
    /// rejected by now is nothing to compare with.
    pub(crate) async fn all(store: &Store, item: &Item) -> Result<Vec<Self>, StoreError> {
        Ok(Released::beside(store, item).await?.at(item))
    }

    /// The first of them that is still there, with its bytes.
    pub(crate) async fn first_there(
        all: &[Self],
        store: &Store,
    ) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        for known in all {
            if let Some(bytes) = store.bytes_of(known.digest, known.len).await? {
                return Ok(Some((*known, bytes)));
            }
        }
        Ok(None)
    }
}

/// All that was released, by where it was: of many items each is compared with some of it.
#[derive(Default)]
pub(crate) struct Released {
    /// By the URL without its query; with it beside what stood there.
    shelved: HashMap<Box<str>, Vec<(Box<str>, Known)>>,
    approved: HashMap<Box<str>, Vec<Known>>,
    /// Bases of the approvals of a body at a URL, without its query.
    bases: HashMap<(BodyId, Box<str>), Vec<Basis>>,
    revoked: HashSet<BodyId>,
    rejected: HashSet<(BodyId, Box<str>)>,
}

impl Released {
    /// All of it, for many items.
    pub(crate) async fn read(store: &Store, items: &[Item]) -> Result<Self, StoreError> {
        Ok(Self::of(store, store.on_shelf().await?, items))
    }

    /// What one item is compared with, and nothing else.
    pub(crate) async fn beside(store: &Store, item: &Item) -> Result<Self, StoreError> {
        let (here, subject) = (plain(&item.url), plain(&item.subject));
        let mut shelved = store.on_shelf_at(subject).await?;
        if here != subject {
            shelved.extend(store.on_shelf_at(here).await?);
        }
        let bodies: Vec<_> = shelved.iter().map(|shelved| shelved.digests.sha256).collect();
        let items = store.items_of(&item.subject, &bodies).await?;
        Ok(Self::of(store, shelved, &items))
    }

    fn of(store: &Store, shelved: Vec<Shelved>, items: &[Item]) -> Self {
        let mut released = Self::default();
        let decisions = Arc::clone(&store.decisions().borrow());
        for approval in decisions.all_approvals() {
            let of_body = (approval.digest, plain(&approval.subject).into());
            released.bases.entry(of_body).or_default().push(approval.basis);
        }
        for Shelved { variant, digests, len, seen, .. } in shelved {
            let known = Known { digest: digests.sha256, len, at: seen, learned: false };
            released.shelved.entry(plain(&variant.url).into()).or_default().push((variant.url, known));
        }
        for item in items {
            match item.state {
                ItemState::Waiting => {}
                ItemState::Approved => {
                    let at = item.decided.as_ref().map_or(item.last, |decided| decided.at);
                    let known = Known { digest: item.digest, len: item.len, at, learned: false };
                    released.approved.entry(item.subject.clone()).or_default().push(known);
                }
                ItemState::Rejected => {
                    released.rejected.insert((item.digest, item.subject.clone()));
                }
                ItemState::Revoked => {
                    released.revoked.insert(item.digest);
                }
            }
        }
        released
    }

    /// The same as [`Known::all`].
    pub(crate) fn at(&self, item: &Item) -> Vec<Known> {
        let (here, subject) = (plain(&item.url), plain(&item.subject));
        let on_shelf = |url: &str| self.shelved.get(url).map(Vec::as_slice).unwrap_or_default();
        let at_url: &[_] = if here == subject { &[] } else { on_shelf(here) };
        let at_url = at_url.iter().filter(|(url, _)| *url == item.url);
        let on_shelf = on_shelf(subject).iter().chain(at_url).map(|(_, known)| known);
        let approved = self.approved.get(&item.subject).into_iter().flatten();
        let is_barred = |digest: BodyId| {
            self.revoked.contains(&digest) || self.rejected.contains(&(digest, item.subject.clone()))
        };
        let is_learned = |digest: BodyId| {
            let bases = self.bases.get(&(digest, subject.into()));
            bases.is_some_and(|bases| bases.iter().all(|basis| *basis == Basis::Learned))
        };
        let others = on_shelf.chain(approved).filter(|known| known.digest != item.digest);
        let mut all: Vec<_> = others
            .filter(|known| !is_barred(known.digest))
            .map(|known| Known { learned: is_learned(known.digest), ..*known })
            .collect();
        all.sort_by_key(|known| std::cmp::Reverse(known.at));
        all
    }
}

/// A match key without its query.
fn plain(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// What `new` does that the verified one does not.
pub(crate) fn found(
    asked: DifferenceAsked,
    verified: Option<&[u8]>,
    new: &[u8],
    deadline: Instant,
    lookalikes: &Lookalikes,
) -> Findings {
    let imitates = |name: &str| {
        let host: Host = name.parse().ok()?;
        lookalikes.imitated(&host).map(|found| format!("{}: {}", found.imitates, found.how))
    };
    compare_by(asked, verified, new, Limits::default().until(deadline), &imitates)
}
