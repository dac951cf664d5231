//! What is known of an item beside itself: for the command that shows it, and for its page in the console.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_config::Config;
use pinfold_policy::digest::Digest;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::Store;
use pinfold_store::item::{Item, ItemState};
use serde_json::Value;

use crate::barred::{self, bars};

/// What is approved under another query and refused by the rejection of this item, if it is rejected.
pub(crate) fn barred(store: &Store, item: &Item) -> Vec<(String, Value)> {
    match item.state {
        ItemState::Rejected => {
            let decisions = Arc::clone(&store.decisions().borrow());
            barred::barred(decisions.all_approvals(), &item.subject, item.digest)
        }
        ItemState::Waiting | ItemState::Approved | ItemState::Revoked => Vec::new(),
    }
}

/// What stands against a decision about an item, and what it stands against, in words: an approval does not release what is
/// rejected under another query, and a rejection refuses what is approved under another.
pub(crate) fn conflicts(store: &Store, items: &[Item], item: &Item) -> Vec<(&'static str, String)> {
    // Of one that is rejected itself, another rejection says nothing new.
    let bars = bars(items, &item.subject, item.digest).into_iter();
    let bars = bars.filter(|_| item.state != ItemState::Rejected).map(|bar| ("barred", bar.in_words()));
    let barred = barred(store, item).into_iter();
    bars.chain(barred.map(|(text, _)| ("bars", format!("{text}: refused all the same")))).collect()
}

/// What the files pin at this URL, and where.
pub(crate) fn pinned(config: &Config, url: &str) -> Vec<String> {
    let Ok(url) = ArtifactUrl::parse(url) else { return Vec::new() };
    let now = Timestamp::now();
    let mut pinned = Vec::new();
    for pin in config.rulebook.pins.deciding(&url).pins() {
        let expired = if pin.is_active(now) { "" } else { ", expired" };
        let digests = pin.digests.iter().map(Digest::to_string);
        pinned.extend(digests.map(|digest| format!("{digest} at {}{expired}", pin.place)));
    }
    pinned
}
