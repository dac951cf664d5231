//! `pinfold quarantine approve` and `reject`: a decision, and whether it is in force.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::pin::Place;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::DecideError;
use pinfold_store::incident::Incident;
use pinfold_store::item::{Agreement, Decided, InForce, Item, ItemState, Opinion};
use serde_json::{Value, json};

use super::list::agreement_json;
use super::show::{mark_json, mark_text};
use super::{Review, unknown};
use crate::Found;
use crate::barred::bars;
use crate::darkened::Darkened;
use crate::decision::{self, who};
use crate::failure::Failure;
use crate::printable::printable;
use crate::received::Received;
use crate::terminal::Tone;
use crate::words::second;

/// Lets an item's bytes be served at its URL, once enough people have said so.
pub(super) async fn approve(
    review: &Review<'_>,
    id: &str,
    reason: &str,
    expires: Option<&str>,
) -> Result<Found, Failure> {
    let (now, who) = (Timestamp::now(), who());
    let expires = decision::expires(expires, now)?;
    let opinion = Opinion { who: &who, reason: decision::reason(reason)?, at: now, expires };
    let incident = review.incident(id).await?;
    let decided = review.store.approve(incident, opinion, review.config.approvers).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    let said = [vec![approved(&decided.item)], paths(&decided)].concat().join("\n  ");
    let found = report(review, &decided, &said, None).await?;
    if let Some(place) = revoked_by_file(review, decided.item.digest).await? {
        review.terminal.warn(
            &format!("the [[revoke]] block at {place} revokes these bytes: they are refused all the same"),
            "a reviewed file says so, and only a change of that file takes it back",
        );
    }
    if let Some(release) = beside_release(review, &decided.item, now).await? {
        review.terminal.warn(
            &format!(
                "the pins there are of release {}, and these bytes are not: while all of that is on the shelf it goes out, \
                 until the vendor was seen to serve something that is allowed at each of its URLs",
                printable(&release)
            ),
            "approve of what it serves at the others too, or pin all of it as a release",
        );
    }
    let others = review.store.quarantined().await?;
    for bar in bars(&others, &decided.item.subject, decided.item.digest) {
        review.terminal.warn(&bar.in_words(), "approve that one to end it, or reject this one too");
    }
    Ok(found)
}

/// A release that the files pin where an item was approved, and that its body is not of.
async fn beside_release(
    review: &Review<'_>,
    item: &Item,
    now: Timestamp,
) -> Result<Option<Arc<str>>, Failure> {
    let (Ok(Loaded { config, .. }), Ok(url)) = (review.configuration.load(), ArtifactUrl::parse(&item.url))
    else {
        return Ok(None);
    };
    let deciding = config.rulebook.pins.deciding(&url);
    let active: Vec<_> = deciding.pins().iter().filter(|pin| pin.is_active(now)).collect();
    let all = digests_of(review, item.digest)
        .await?
        .map_or_else(|| vec![item.digest.into()], |digests| digests.all().to_vec());
    let is_pinned = active.iter().any(|pin| pin.digests.iter().any(|digest| all.contains(digest)));
    let release = active.iter().find_map(|pin| pin.release.clone());
    Ok(release.filter(|_| item.state == ItemState::Approved && !is_pinned))
}

/// Where a file revokes a body. Of files with mistakes nothing is known.
async fn revoked_by_file(review: &Review<'_>, id: BodyId) -> Result<Option<Place>, Failure> {
    let Ok(Loaded { config, .. }) = review.configuration.load() else { return Ok(None) };
    if config.revoked_at.is_empty() {
        return Ok(None);
    }
    let all = digests_of(review, id).await?.map_or_else(|| vec![id.into()], |digests| digests.all().to_vec());
    Ok(config.revocation_of(&all).map(|(_, place)| place.clone()))
}

fn approved(item: &Item) -> String {
    match &item.agreement {
        Some(agreement) if item.state == ItemState::Approved => {
            format!("{}; an earlier approval still releases them{}", still_needed(agreement), until(item))
        }
        Some(agreement) => {
            format!("{}; until then these bytes are not released", still_needed(agreement))
        }
        None if item.path_waits => {
            "more people must approve of the paths that they came by; until then they are not released that way".to_owned()
        }
        None => {
            let until = until(item);
            format!("these bytes may be served as {} at {}{until}", item.kind, printable(&item.subject))
        }
    }
}

/// Each mark that the approval admits, or did not yet: it holds for more than this item.
fn paths(decided: &Decided) -> Vec<String> {
    let admitted = decided.admitted.iter().map(|mark| ("known from now on, for all URLs there", mark));
    let waiting = decided.refused_marks.iter().map(|mark| ("not known yet", mark));
    admitted.chain(waiting).map(|(what, mark)| format!("{what}: {}", mark_text(mark))).collect()
}

/// How many people it takes, and who they may not be.
pub(super) fn still_needed(agreement: &Agreement) -> String {
    let by: Vec<_> = agreement.by.iter().map(|who| printable(who).into_owned()).collect();
    let more = u64::from(agreement.needed).saturating_sub(agreement.by.len() as u64);
    let people = if more == 1 { "1 more person".to_owned() } else { format!("{more} more people") };
    format!(
        "{} of {} approvals, by {}: {people} must approve, and none of these again",
        agreement.by.len(),
        agreement.needed,
        by.join(", ")
    )
}

fn until(item: &Item) -> String {
    let end = item.decided.as_ref().and_then(|decided| decided.expires);
    end.map(|end| format!(", until {}", second(end))).unwrap_or_default()
}

/// Bars an item's bytes from its URL.
pub(super) async fn reject(
    review: &Review<'_>,
    id: &str,
    reason: &str,
    expires: Option<&str>,
) -> Result<Found, Failure> {
    let (now, who) = (Timestamp::now(), who());
    let expires = decision::expires(expires, now)?;
    let opinion = Opinion { who: &who, reason: decision::reason(reason)?, at: now, expires };
    let incident = review.incident(id).await?;
    let decided = review.store.reject(incident, opinion).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    let item = &decided.item;
    let said = format!("these bytes are not released at {}{}", printable(&item.subject), until(item));
    report(review, &decided, &said, None).await
}

/// Bars an item's bytes from every URL, after saying which pins that darkens.
pub(super) async fn revoke(review: &Review<'_>, id: &str, reason: &str) -> Result<Found, Failure> {
    let who = who();
    let reason = decision::reason(reason)?;
    let incident = review.incident(id).await?;
    let Some((item, _)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let Loaded { config, .. } = review.configuration.load().inspect_err(|_| {
        review.terminal.note(&format!(
            "the pins that this darkens cannot be named, so nothing was revoked\n\
             hint: correct the files; 'pinfold quarantine reject {incident} --reason TEXT' bars it from its URL until then\n"
        ));
    })?;
    let body = digests_of(review, item.digest).await?;
    let pins = config.rulebook.pins.all();
    if body.is_none() && pins.iter().flat_map(|pin| &pin.digests).any(is_in_other_notation) {
        review.terminal.warn(
            "the body was not kept, so pins in sha384 and sha512 cannot be compared with it",
            "pins in sha256 are compared; the revocation counts for all of them",
        );
    }
    let darkened = Darkened::by(&item.digest.into(), body.as_ref(), pins, review.store).await?;
    if !review.terminal.json {
        review.terminal.print(&darkened.to_text())?;
    }
    let opinion = Opinion { who: &who, reason, at: Timestamp::now(), expires: None };
    let decided = review.store.reject_everywhere(incident, opinion).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    let received = Received::read(review.store, &item.digest.into(), body).await;
    let said = "these bytes are never released again, at any URL";
    report(review, &decided, said, Some((&darkened, &received))).await
}

/// All digests of a body, as far as it is there to measure or was measured.
async fn digests_of(review: &Review<'_>, id: BodyId) -> Result<Option<Digests>, Failure> {
    if let Some(known) = review.store.digests_of(&id.into()).await? {
        return Ok(Some(known));
    }
    Ok(review.store.body_of(id).await?.map(|body| Digests::of(&body)))
}

fn is_in_other_notation(digest: &Digest) -> bool {
    !matches!(digest, Digest::Sha256(_))
}

async fn report(
    review: &Review<'_>,
    decided: &Decided,
    said: &str,
    revoked: Option<(&Darkened<'_>, &Received)>,
) -> Result<Found, Failure> {
    let Decided { version, item, already, .. } = decided;
    let in_force = decision::in_force(review.store, *version).await?;
    let found = decision::found(in_force);
    let terminal = review.terminal;
    if terminal.json {
        terminal.print_json(&decision_json(review, decided, in_force, revoked))?;
        return Ok(found);
    }
    let state = terminal.paint(Tone::Strong, item.state.as_str());
    let already = if *already { " before; nothing was changed" } else { "" };
    let force = decision::in_force_text(in_force);
    terminal.print(&format!("{} {state}{already}\n  {said}\n  {}\n  {force}", item.incident, item.digest))?;
    if let Some((_, received)) = revoked {
        terminal.print(&received.to_text(review.config.cache.client_max_age, terminal))?;
    }
    Ok(found)
}

fn decision_json(
    review: &Review<'_>,
    decided: &Decided,
    in_force: InForce,
    revoked: Option<(&Darkened<'_>, &Received)>,
) -> Value {
    let mut value = json!({
        "incident": decided.item.incident.to_string(),
        "state": decided.item.state.as_str(),
        "already": decided.already,
        "digest": decided.item.digest.to_string(),
        "subject": &*decided.item.subject,
        "agreement": agreement_json(&decided.item),
        "expires": decided.item.decided.as_ref().and_then(|decided| decided.expires).map(|end| end.to_string()),
        "in_force": decision::in_force_word(in_force),
        "admitted": decided.admitted.iter().map(mark_json).collect::<Vec<_>>(),
        "refused_marks": decided.refused_marks.iter().map(mark_json).collect::<Vec<_>>(),
    });
    if let (Value::Object(fields), Some((darkened, received))) = (&mut value, revoked) {
        darkened.write_json(fields);
        received.write_json(review.config.cache.client_max_age, fields);
    }
    value
}

fn cannot_decide(error: DecideError, id: &str) -> Failure {
    match error {
        DecideError::Unknown(Incident(_)) => unknown(id),
        DecideError::Revoked { .. } | DecideError::Decided(_) | DecideError::NotKept => {
            Failure::could_not(error.to_string())
        }
        DecideError::Store(error) => error.into(),
    }
}
