//! `pinfold quarantine approve` and `reject`: a decision, and whether it is in force.

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::digest::Digest;
use pinfold_store::item::{Decided, InForce, Opinion};
use serde_json::{Value, json};

use super::Review;
use super::show::mark_json;
use crate::Found;
use crate::darkened::Darkened;
use crate::decision::{self, who};
use crate::desk::{self, At, Written, agreement_json, unknown};
use crate::failure::Failure;
use crate::received::Received;
use crate::terminal::Tone;

/// Lets an item's bytes be served at its URL, once enough people have said so.
pub(super) async fn approve(
    review: &Review<'_>,
    id: &str,
    reason: &str,
    expires: Option<&str>,
) -> Result<Found, Failure> {
    let who = who();
    let written = Written::read(&who, reason, expires, Timestamp::now())?;
    let incident = review.incident(id).await?;
    let decided = review.desk().approve(incident, &written).await?;
    approved(review, &decided).await
}

/// Says what an approval has come to, and what stands against it all the same.
pub(super) async fn approved(review: &Review<'_>, decided: &Decided) -> Result<Found, Failure> {
    let said = desk::approved(decided).join("\n  ");
    let against = review.desk().against(At::item(&decided.item), Timestamp::now()).await?;
    let warnings: Vec<_> = against.iter().map(|(warning, _)| warning.as_str()).collect();
    let found = report(review, decided, (&said, &warnings), None).await?;
    for (warning, hint) in &against {
        review.terminal.warn(warning, hint);
    }
    Ok(found)
}

/// Bars an item's bytes from its URL.
pub(super) async fn reject(
    review: &Review<'_>,
    id: &str,
    reason: &str,
    expires: Option<&str>,
) -> Result<Found, Failure> {
    let who = who();
    let written = Written::read(&who, reason, expires, Timestamp::now())?;
    let incident = review.incident(id).await?;
    let decided = review.desk().reject(incident, &written).await?;
    rejected(review, &decided).await
}

/// Says what a rejection has come to.
pub(super) async fn rejected(review: &Review<'_>, decided: &Decided) -> Result<Found, Failure> {
    report(review, decided, (&desk::rejected(&decided.item), &[]), None).await
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
    let body = desk::digests_of(review.store, item.digest).await?;
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
    let decided = decided.map_err(|error| desk::cannot_decide(error, incident))?;
    let received = Received::read(review.store, &item.digest.into(), body).await;
    let said = "these bytes are never released again, at any URL";
    report(review, &decided, (said, &[]), Some((&darkened, &received))).await
}

fn is_in_other_notation(digest: &Digest) -> bool {
    !matches!(digest, Digest::Sha256(_))
}

async fn report(
    review: &Review<'_>,
    decided: &Decided,
    (said, against): (&str, &[&str]),
    revoked: Option<(&Darkened<'_>, &Received)>,
) -> Result<Found, Failure> {
    let Decided { version, item, already, .. } = decided;
    let in_force = decision::in_force(review.store, *version).await?;
    let found = decision::found(in_force);
    let terminal = review.terminal;
    if terminal.json {
        terminal.print_json(&decision_json(review, decided, (in_force, against), revoked))?;
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
    (in_force, against): (InForce, &[&str]),
    revoked: Option<(&Darkened<'_>, &Received)>,
) -> Value {
    let mut value = json!({
        "incident": decided.item.incident.to_string(),
        "state": decided.item.state.as_str(),
        "already": decided.already,
        "digest": decided.item.digest.to_string(),
        "subject": &*decided.item.subject,
        "agreement": agreement_json(decided.item.agreement.as_ref()),
        "expires": decided.item.decided.as_ref().and_then(|decided| decided.expires).map(|end| end.to_string()),
        "in_force": decision::in_force_word(in_force),
        "against": against,
        "admitted": decided.admitted.iter().map(mark_json).collect::<Vec<_>>(),
        "refused_marks": decided.refused_marks.iter().map(mark_json).collect::<Vec<_>>(),
    });
    if let (Value::Object(fields), Some((darkened, received))) = (&mut value, revoked) {
        darkened.write_json(fields);
        received.write_json(review.config.cache.client_max_age, fields);
    }
    value
}
