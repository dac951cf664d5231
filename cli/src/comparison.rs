//! What an item newly does, against what was verified at its URL last: for the command that says it, and for its page in the
//! console.

use std::time::Instant;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Host;
use pinfold_policy::lookalike::Lookalikes;
use pinfold_store::item::{Approved, Item, ItemState};
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
    pub(crate) async fn all(store: &Store, items: &[Item], item: &Item) -> Result<Vec<Self>, StoreError> {
        Ok(Released::read(store).await?.at(items, item))
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

/// All that was released: of many items each is compared with some of it.
pub(crate) struct Released {
    approvals: Vec<Approved>,
    shelved: Vec<Shelved>,
}

impl Released {
    pub(crate) async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { approvals: store.approved().await?, shelved: store.on_shelf().await? })
    }

    /// The same as [`Known::all`].
    pub(crate) fn at(&self, items: &[Item], item: &Item) -> Vec<Known> {
        let is_there = |url: &str| url == &*item.url || plain(url) == plain(&item.subject);
        let is_barred = |digest: BodyId| {
            let mut same = items.iter().filter(|other| other.digest == digest);
            same.any(|other| match other.state {
                ItemState::Revoked => true,
                ItemState::Rejected => other.subject == item.subject,
                ItemState::Waiting | ItemState::Approved => false,
            })
        };
        let is_learned = |digest: BodyId| {
            let of_body = self.approvals.iter().map(|approved| &approved.approval).filter(|approval| {
                approval.digest == digest && plain(&approval.subject) == plain(&item.subject)
            });
            let mut bases = of_body.map(|approval| approval.basis).peekable();
            bases.peek().is_some() && bases.all(|basis| basis == Basis::Learned)
        };
        let on_shelf = self.shelved.iter().filter(|shelved| is_there(&shelved.variant.url));
        let on_shelf = on_shelf.map(|there| (there.digests.sha256, there.len, there.seen));
        let approved =
            items.iter().filter(|other| other.state == ItemState::Approved && other.subject == item.subject);
        let approved = approved.map(|other| {
            let at = other.decided.as_ref().map_or(other.last, |decided| decided.at);
            (other.digest, other.len, at)
        });
        let all = on_shelf.chain(approved);
        let mut all: Vec<_> =
            all.map(|(digest, len, at)| Known { digest, len, at, learned: is_learned(digest) }).collect();
        all.retain(|known| known.digest != item.digest && !is_barred(known.digest));
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
