//! What is missing in the ledger, and so in all other events.

use pinfold_policy::reason::Reason;
use pinfold_store::entry::Gap;

use super::action::Action;
use super::document::Document;
use super::{Happening, in_words};
use crate::observer::Observer;

pub(super) fn write(document: &mut Document, gap: &Gap, observer: &Observer) {
    let reason = Some(Reason::StoreUnavailable);
    let happening = Happening {
        id: gap.id,
        action: Action::RecordingGap,
        reason,
        start: gap.since,
        end: gap.until,
        policy_version: None,
    };
    happening.write(document, &["web", "network"]);
    let (exchanges, tunnels) = (gap.exchanges, gap.tunnels);
    let message = format!(
        "Recorded nothing of {} and {}{}",
        counted(exchanges, "refused exchange"),
        counted(tunnels, "tunnel"),
        in_words(reason)
    );
    document.keyword("message", &*message);
    document.keywords("tags", ["recording-gap"]);
    document.keywords("related.hosts", [&*observer.hostname]);
    document.number("Pinfold.count", exchanges.saturating_add(tunnels));
    document.number("Pinfold.gap.exchanges", exchanges);
    document.number("Pinfold.gap.tunnels", tunnels);
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
