//! `pinfold quarantine diff`: what an item newly does, against what was verified at its URL last.

mod contents_json;
mod contents_text;
mod json;
mod text;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Host;
use pinfold_policy::lookalike::Lookalikes;
use pinfold_store::item::{Item, ItemState};
use pinfold_triage::{Findings, Limits, compare};

use super::{Review, unknown};
use crate::failure::Failure;

/// A person waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints facts first, then hosts, capabilities with their lines, and the difference of both versions in one format.
pub(super) async fn run(review: &Review<'_>, id: &str) -> Result<(), Failure> {
    let incident = review.incident(id).await?;
    let Some((item, _)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let Some(new) = review.store.body_of(item.digest).await? else {
        return Err(Failure::could_not(format!("the body of {incident} was not kept"))
            .hint("there was no room: it is kept when it is refused again and there is; see [quarantine] in pinfold.toml"));
    };
    let verified = Verified::of(review, &item).await?;
    let lookalikes = lookalikes(review);
    let imitates = |name: &str| {
        let host: Host = name.parse().ok()?;
        lookalikes.imitated(&host).map(|found| format!("{}: {}", found.imitates, found.how))
    };
    let limits = Limits::default().until(Instant::now() + PATIENCE);
    let reviewed = verified.as_ref().map(|verified| verified.bytes.as_slice());
    let compared = Compared { findings: compare(reviewed, &new, limits, &imitates), item, verified };
    if review.terminal.json {
        return review.terminal.print_json(&json::of(&compared));
    }
    review.terminal.print(&text::of(&compared, review.terminal))
}

/// An item, what it was compared with, and what was found.
struct Compared {
    item: Item,
    verified: Option<Verified>,
    findings: Findings,
}

/// What was verified at the item's URL.
struct Verified {
    digest: BodyId,
    bytes: Vec<u8>,
    /// When it was verified or approved last.
    at: Timestamp,
}

impl Verified {
    /// The body that was verified there last, of those that are still there: on the shelf, or approved and kept. What is revoked
    /// or rejected by now is nothing to compare with.
    async fn of(review: &Review<'_>, item: &Item) -> Result<Option<Self>, Failure> {
        let plain = |url: &str| url.split('?').next().unwrap_or(url).to_owned();
        let is_there = |url: &str| url == &*item.url || plain(url) == plain(&item.subject);
        let items = review.store.quarantined().await?;
        let is_barred = |digest: BodyId| {
            let mut same = items.iter().filter(|other| other.digest == digest);
            same.any(|other| match other.state {
                ItemState::Revoked => true,
                ItemState::Rejected => other.subject == item.subject,
                ItemState::Waiting | ItemState::Approved => false,
            })
        };
        let shelved = review.store.on_shelf().await?;
        let on_shelf = shelved.iter().filter(|shelved| is_there(&shelved.variant.url));
        let mut candidates: Vec<_> =
            on_shelf.map(|shelved| (shelved.seen, shelved.digests.sha256, shelved.len)).collect();
        let approved =
            items.iter().filter(|other| other.state == ItemState::Approved && other.subject == item.subject);
        candidates.extend(approved.map(|other| {
            let at = other.decided.as_ref().map_or(other.last, |decided| decided.at);
            (at, other.digest, other.len)
        }));
        candidates.retain(|(_, digest, _)| *digest != item.digest && !is_barred(*digest));
        candidates.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
        for (at, digest, len) in candidates {
            if let Some(bytes) = review.store.bytes_of(digest, len).await? {
                return Ok(Some(Self { digest, bytes, at }));
            }
        }
        Ok(None)
    }
}

/// What the files expect. Of files with mistakes the vendors are left.
fn lookalikes(review: &Review<'_>) -> Lookalikes {
    match review.configuration.load() {
        Ok(loaded) => Lookalikes::of(&loaded.config.rulebook),
        Err(_) => Lookalikes::of(&review.config.rulebook),
    }
}
