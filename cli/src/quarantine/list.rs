//! `pinfold quarantine list`

use pinfold_store::item::{Item, ItemState, LastDecision, MAX_CLIENTS};
use serde_json::{Value, json};

use super::Review;
use crate::desk::agreement_json;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::words::{counted, minute, path_json, size};

/// Prints every item: what waits first, and what was seen last first.
pub(super) async fn run(review: &Review<'_>) -> Result<(), Failure> {
    let terminal = review.terminal;
    let mut items = review.store.quarantined().await?;
    // Stable: within each half the order of the store stays.
    items.sort_by_key(|item| item.state != ItemState::Waiting);
    if terminal.json {
        return terminal.print_json(&items.iter().map(item_json).collect());
    }
    let mut listing = Listing::new([
        Column::Text("INCIDENT"),
        Column::Text("STATE"),
        Column::Number("SIZE"),
        Column::Number("CLIENTS"),
        Column::Text("LAST SEEN, UTC"),
        Column::Wide("URL"),
        Column::Wide("REASON"),
    ]);
    for item in &items {
        listing.row([
            item.incident.to_string(),
            state(item),
            size(item.len),
            if item.asked == 0 { "recheck".to_owned() } else { item.clients.to_string() },
            minute(item.last),
            item.subject.to_string(),
            item.reason.to_string(),
        ]);
    }
    if listing.is_empty() {
        terminal.note(&format!("nothing in quarantine in {}", review.config.data_dir.display()));
        return Ok(());
    }
    terminal.print(&listing.render(terminal))?;
    let waiting = items.iter().filter(|item| item.state == ItemState::Waiting).count();
    if terminal.width.is_some() && waiting > 0 {
        let wait = if waiting == 1 { "waits" } else { "wait" };
        terminal.note(&format!(
            "\n{} {wait} for a decision: 'pinfold quarantine show ID' has the evidence",
            counted(waiting, "item")
        ));
    }
    Ok(())
}

/// What was decided; of what waits, how many people agree.
fn state(item: &Item) -> String {
    match &item.agreement {
        Some(agreement) => {
            format!("{}, {} of {} approvals", item.state, agreement.by.len(), agreement.needed)
        }
        None => item.state.to_string(),
    }
}

/// How many clients asked for it, as far as they are told apart.
pub(super) fn clients(item: &Item) -> String {
    let at_least = if item.clients >= MAX_CLIENTS { "at least " } else { "" };
    format!("{at_least}{}", counted(item.clients, "client"))
}

/// The last decision.
pub(crate) fn decided_json(decided: Option<&LastDecision>) -> Value {
    decided.map_or(Value::Null, |decided| {
        json!({
            "at": decided.at.to_string(),
            "who": &*decided.who,
            "reason": &*decided.reason,
            "basis": decided.basis.as_str(),
            "expires": decided.expires.map(|end| end.to_string()),
        })
    })
}

pub(super) fn item_json(item: &Item) -> Value {
    json!({
        "incident": item.incident.to_string(),
        "state": item.state.as_str(),
        "decided": decided_json(item.decided.as_ref()),
        "agreement": agreement_json(item.agreement.as_ref()),
        "reason": item.reason.code(),
        "subject": &*item.subject,
        "url": &*item.url,
        "vendor": item.vendor.as_deref(),
        "digest": item.digest.to_string(),
        "bytes": item.len,
        "kind": item.kind.as_str(),
        "media_type": item.media_type.as_deref(),
        "first": item.first.to_string(),
        "last": item.last.to_string(),
        "asked": item.asked,
        "clients": item.clients,
        "body_kept": item.body_kept,
        "path": item.path.as_ref().map(path_json),
        "path_waits": item.path_waits,
    })
}
