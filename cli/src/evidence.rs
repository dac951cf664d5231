//! What is known of an item beside itself: for the command that shows it, and for its page in the console.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::digest::Digest;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::Store;
use pinfold_store::item::{Item, ItemState};
use serde_json::Value;

use crate::barred;
use crate::configuration::Configuration;

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

/// What the files pin at this URL, and where. `None` if they cannot be read.
pub(crate) fn pinned(configuration: &Configuration, item: &Item) -> Option<Vec<String>> {
    let loaded = configuration.load().ok()?;
    let Ok(url) = ArtifactUrl::parse(&item.url) else { return Some(Vec::new()) };
    let now = Timestamp::now();
    let mut pinned = Vec::new();
    for pin in loaded.config.rulebook.pins.deciding(&url).pins() {
        let expired = if pin.is_active(now) { "" } else { ", expired" };
        let digests = pin.digests.iter().map(Digest::to_string);
        pinned.extend(digests.map(|digest| format!("{digest} at {}{expired}", pin.place)));
    }
    Some(pinned)
}
