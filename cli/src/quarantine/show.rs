//! `pinfold quarantine show`: all the evidence on one page.

use std::collections::BTreeSet;

use pinfold_policy::decisions::Basis;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::item::{AskedBy, Item, ItemState, LastDecision};
use pinfold_store::path::RefusedMark;
use pinfold_store::sighting::Standing;
use serde_json::{Value, json};

use super::Review;
use super::list::{clients, item_json};
use crate::barred::bars;
use crate::desk::{mark_text, still_needed, unknown};
use crate::evidence;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::printable::printable;
use crate::terminal::{Terminal, Tone};
use crate::vendor_now;
use crate::words::{counted, exact_size, path_json, path_text, second};

/// Rows of clients that are shown to people; JSON has all of them.
const CLIENTS_SHOWN: usize = 50;

/// Prints what it is, what was expected, how it came, who asked for it, and what can be done.
pub(super) async fn run(review: &Review<'_>, id: &str) -> Result<(), Failure> {
    let terminal = review.terminal;
    let incident = review.incident(id).await?;
    let Some((item, asked_by)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let pinned = review.configuration.load().ok().map(|loaded| evidence::pinned(&loaded.config, &item.url));
    let items = review.store.items_of(&item.subject, &[item.digest]).await?;
    let there = review.store.standing(Some(&item.subject)).await?;
    let marks = review.store.refused_marks(incident).await?;
    if terminal.json {
        let mut shown = item_json(&item);
        let bars = bars(&items, &item.subject, item.digest);
        let barred = evidence::barred(review.store, &item);
        if let Value::Object(fields) = &mut shown {
            fields.insert("pinned".to_owned(), pinned.into());
            fields.insert("barred_by".to_owned(), bars.iter().map(|bar| bar.as_json()).collect());
            fields.insert("bars".to_owned(), barred.into_iter().map(|(_, json)| json).collect());
            fields.insert("refused_marks".to_owned(), marks.iter().map(mark_json).collect());
            fields.insert("shown".to_owned(), RefusedMark::all_shown(&marks).into());
            fields.insert("asked_by".to_owned(), asked_by.iter().map(asked_json).collect());
            fields.insert("vendor_now".to_owned(), there.iter().map(vendor_now::as_json).collect());
        }
        return terminal.print_json(&shown);
    }
    let mut text = format!(
        "{}  {}\n{}\n\n",
        terminal.paint(Tone::Strong, &item.incident.to_string()),
        state(item.state, terminal),
        printable(&item.url),
    );
    let conflicts = evidence::conflicts(review.store, &items, &item);
    for (name, value) in facts(&item, pinned, &there, &marks).into_iter().chain(conflicts) {
        text.push_str(&format!("  {name:<8}  {value}\n"));
    }
    text.push_str(&format!("\n{}", asked(&item)));
    if !asked_by.is_empty() {
        text.push_str(&format!("\n{}", askers(&asked_by, terminal)));
    }
    terminal.print(&text)?;
    if terminal.width.is_some() {
        terminal.note(&format!("\n{}", next_steps(&item)));
    }
    Ok(())
}

fn state(state: ItemState, terminal: &Terminal) -> String {
    let tone = match state {
        ItemState::Waiting => Tone::Warning,
        ItemState::Approved => Tone::Good,
        ItemState::Rejected | ItemState::Revoked => Tone::Bad,
    };
    terminal.paint(tone, state.as_str())
}

fn asked(item: &Item) -> String {
    match item.asked {
        0 => "no client has asked for it so far: a recheck saw it".to_owned(),
        asked => format!("asked {}, by {}", counted(asked, "time"), clients(item)),
    }
}

fn facts(
    item: &Item,
    pinned: Option<Vec<String>>,
    there: &[Standing],
    marks: &[RefusedMark],
) -> Vec<(&'static str, String)> {
    let mut facts = vec![("reason", format!("{}: {}", item.reason, item.reason.text()))];
    if item.subject != item.url {
        facts.push(("decides", format!("a decision holds for {}", printable(&item.subject))));
    }
    facts.push(("vendor", item.vendor.as_deref().unwrap_or("none claims the host").to_owned()));
    facts.push(("digest", item.digest.to_string()));
    facts.push(("hex", item.digest.to_hex()));
    match pinned {
        None => facts.push(("pinned", "the pins cannot be read: 'pinfold check' says why".to_owned())),
        Some(pinned) if pinned.is_empty() => facts.push(("pinned", "nothing, at this URL".to_owned())),
        Some(pinned) => facts.extend(pinned.into_iter().map(|pin| ("pinned", pin))),
    }
    let media_type = item.media_type.as_deref().unwrap_or("no media type");
    let kept = if item.body_kept { "kept" } else { "not kept: there was no room for it" };
    facts.push((
        "body",
        format!("{}, {}, {}; {kept}", exact_size(item.len), item.kind, printable(media_type)),
    ));
    facts.extend(there.iter().map(|there| ("serves", vendor_now::in_full(there, item.digest))));
    facts.push(("first", second(item.first)));
    facts.push(("last", second(item.last)));
    if let Some(decided) = &item.decided {
        facts.push((word(item, decided), said(decided)));
    }
    if let Some(agreement) = &item.agreement {
        facts.push(("agreed", still_needed(agreement)));
    }
    let path = item.path.as_ref().map(|path| path_text(path, "\n            "));
    facts.push(("path", path.unwrap_or_else(|| "not known".to_owned())));
    if !marks.is_empty() {
        let waits = "these were never seen at their host: who approves of these bytes approves of them, for all URLs there";
        facts.push(("waits", waits.to_owned()));
        facts.extend(marks.iter().map(|mark| ("", mark_text(mark))));
    }
    facts
}

/// What was decided: also where it has ended, or was about the bytes and not about their path, and the item waits again.
fn word(item: &Item, decided: &LastDecision) -> &'static str {
    match (item.state, decided.basis) {
        (ItemState::Waiting, _) if item.path_waits => "approved",
        (ItemState::Waiting, _) => "ended",
        (ItemState::Approved, Basis::Learned) => "learned",
        (ItemState::Approved, Basis::Reviewed | Basis::Cooldown)
        | (ItemState::Rejected | ItemState::Revoked, _) => item.state.as_str(),
    }
}

fn said(decided: &LastDecision) -> String {
    let reason = if decided.reason.is_empty() { "no reason given" } else { &decided.reason };
    let until = decided.expires.map(|end| format!(", until {}", second(end))).unwrap_or_default();
    let by = match decided.basis {
        Basis::Reviewed => printable(&decided.who).into_owned(),
        Basis::Cooldown => "the rule cooldown".to_owned(),
        Basis::Learned => "nobody".to_owned(),
    };
    format!("by {by}, {}{until}: {}", second(decided.at), printable(reason))
}

fn askers(asked_by: &[AskedBy], terminal: &Terminal) -> String {
    let mut listing = Listing::new([
        Column::Text("CLIENT"),
        Column::Text("USER"),
        Column::Number("TIMES"),
        Column::Text("FIRST"),
        Column::Text("LAST"),
        Column::Wide("PAGE"),
        Column::Wide("USER AGENT"),
    ]);
    for asked in asked_by.iter().take(CLIENTS_SHOWN) {
        listing.row([
            asked.address.to_string(),
            asked.user.as_deref().unwrap_or("-").to_owned(),
            asked.count.to_string(),
            second(asked.first),
            second(asked.last),
            asked.page.as_deref().unwrap_or("no page named").to_owned(),
            asked.user_agent.as_deref().unwrap_or_default().to_owned(),
        ]);
    }
    let mut text = listing.render(terminal);
    if asked_by.len() > CLIENTS_SHOWN {
        text.push_str(&format!("\nand {} more: --json has them all", asked_by.len() - CLIENTS_SHOWN));
    }
    // One path is in the facts; a second one is news.
    let paths: BTreeSet<_> =
        asked_by.iter().filter_map(|asked| asked.path.as_ref()).map(fingerprint).collect();
    if paths.len() > 1 {
        text.push_str(&format!("\nit came over {} delivery paths: --json has each", paths.len()));
    }
    text
}

pub(super) fn mark_json(mark: &RefusedMark) -> Value {
    json!({ "host": &*mark.host, "aspect": &*mark.aspect, "value": &*mark.value })
}

fn fingerprint(path: &DeliveryPath) -> (String, Option<&str>) {
    (path.address.to_string(), path.fingerprint.as_deref())
}

fn asked_json(asked: &AskedBy) -> Value {
    json!({
        "client": asked.address.to_string(),
        "user": asked.user.as_deref(),
        "page": asked.page.as_deref(),
        "user_agent": asked.user_agent.as_deref(),
        "first": asked.first.to_string(),
        "last": asked.last.to_string(),
        "count": asked.count,
        "path": asked.path.as_ref().map(path_json),
    })
}

fn next_steps(item: &Item) -> String {
    let id = item.incident;
    let mut steps = Vec::new();
    if item.body_kept {
        steps.push(format!("  pinfold quarantine diff {id}                  to see what it newly does"));
        steps.push(format!("  pinfold quarantine export {id} --output FILE   to look at it"));
    }
    let decide = [
        format!("  pinfold quarantine approve {id} --reason TEXT              to let it be served here"),
        format!("  pinfold quarantine reject {id} --reason TEXT               to bar it from this URL"),
        format!("  pinfold quarantine reject {id} --everywhere --reason TEXT  to bar it from every URL"),
    ];
    let first = match item.state {
        ItemState::Waiting | ItemState::Approved | ItemState::Rejected => 0,
        // A revocation beats every approval, and is taken back by an act of its own.
        ItemState::Revoked => decide.len(),
    };
    steps.extend(decide.into_iter().skip(first));
    if steps.is_empty() {
        "it is revoked: nothing is left to decide, unless 'pinfold pin revoke --undo DIGEST' takes that back"
            .to_owned()
    } else {
        format!("next:\n{}", steps.join("\n"))
    }
}
