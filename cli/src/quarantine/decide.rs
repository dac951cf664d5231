//! `pinfold quarantine approve` and `reject`: a decision, and whether it is in force.

use std::time::Duration;

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::pin::Pin;
use pinfold_siem::Observer;
use pinfold_store::DecideError;
use pinfold_store::incident::Incident;
use pinfold_store::item::{Decided, InForce};
use serde_json::{Value, json};

use super::{Review, unknown};
use crate::Found;
use crate::failure::Failure;
use crate::printable::printable;
use crate::terminal::Tone;
use crate::words::counted;

/// How long a running gateway may take to say that it judges by a decision.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

/// Lets an item's bytes be served at its URL.
pub(super) async fn approve(review: &Review<'_>, id: &str, reason: &str) -> Result<Found, Failure> {
    let incident = review.incident(id).await?;
    let decided = review.store.approve(incident, &who(), reason, Timestamp::now()).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    let item = &decided.item;
    let said = format!("these bytes may be served as {} at {}", item.kind, printable(&item.subject));
    report(review, &decided, &said, None).await
}

/// Bars an item's bytes from its URL.
pub(super) async fn reject(review: &Review<'_>, id: &str, reason: &str) -> Result<Found, Failure> {
    let incident = review.incident(id).await?;
    let decided = review.store.reject(incident, &who(), reason, Timestamp::now()).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    let item = &decided.item;
    let said = format!("these bytes are not released at {}", printable(&item.subject));
    report(review, &decided, &said, None).await
}

/// Bars an item's bytes from every URL, after saying which pins that darkens.
pub(super) async fn revoke(review: &Review<'_>, id: &str, reason: &str) -> Result<Found, Failure> {
    let incident = review.incident(id).await?;
    let Some((item, _)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let Loaded { config, .. } = review.configuration.load().inspect_err(|_| {
        review.terminal.note(&format!(
            "the pins that this darkens cannot be named, so nothing was revoked\n\
             hint: correct the files; 'pinfold quarantine reject {incident}' bars it from its URL until then\n"
        ));
    })?;
    let darkened = darkened(review, item.digest, config.rulebook.pins.all()).await?;
    if !review.terminal.json {
        review.terminal.print(&darkens(&darkened))?;
    }
    let decided = review.store.reject_everywhere(incident, &who(), reason, Timestamp::now()).await;
    let decided = decided.map_err(|error| cannot_decide(error, id))?;
    report(review, &decided, "these bytes are never released again, at any URL", Some(&darkened)).await
}

/// The pins that hold the body's digest, in any notation as far as the body is there to measure.
async fn darkened<'p>(review: &Review<'_>, id: BodyId, pins: &'p [Pin]) -> Result<Vec<&'p Pin>, Failure> {
    let digests = review.store.body_of(id).await?.map(|body| Digests::of(&body));
    let is_held = |digest: &Digest| match &digests {
        Some(digests) => digests.include(digest),
        None => *digest == Digest::from(id),
    };
    let has_other_notation = |digest: &Digest| !matches!(digest, Digest::Sha256(_));
    if digests.is_none() && pins.iter().flat_map(|pin| &pin.digests).any(has_other_notation) {
        review.terminal.warn(
            "the body was not kept, so pins in sha384 and sha512 cannot be compared with it",
            "pins in sha256 are compared; the revocation counts for all of them",
        );
    }
    Ok(pins.iter().filter(|pin| pin.digests.iter().any(is_held)).collect())
}

fn darkens(pins: &[&Pin]) -> String {
    if pins.is_empty() {
        return "no pin of the files holds this digest: none goes dark".to_owned();
    }
    let mut text = format!("{} of the files will be dark for this digest:", counted(pins.len(), "pin"));
    for pin in pins {
        let alone = if pin.digests.len() == 1 { ", which allows no other" } else { "" };
        text.push_str(&format!("\n  {}: {}{alone}", pin.place, printable(&pin.url.to_text())));
    }
    text
}

async fn report(
    review: &Review<'_>,
    decided: &Decided,
    said: &str,
    darkened: Option<&[&Pin]>,
) -> Result<Found, Failure> {
    let Decided { version, item, already } = decided;
    let in_force = review.store.in_force(*version, IN_FORCE_WITHIN).await?;
    let found = match in_force {
        InForce::Yes | InForce::NoGateway => Found::Nothing,
        InForce::NotYet => Found::Something,
    };
    let terminal = review.terminal;
    if terminal.json {
        terminal.print_json(&decision_json(decided, in_force, darkened))?;
        return Ok(found);
    }
    let state = terminal.paint(Tone::Strong, item.state.as_str());
    let already = if *already { " before; nothing was changed" } else { "" };
    let force = match in_force {
        InForce::Yes => "in force in the running gateway",
        InForce::NoGateway => "no gateway is running: in force when it starts",
        InForce::NotYet => "written, but the running gateway does not say that it is in force: see its log",
    };
    terminal.print(&format!("{} {state}{already}\n  {said}\n  {}\n  {force}", item.incident, item.digest))?;
    Ok(found)
}

fn decision_json(decided: &Decided, in_force: InForce, darkened: Option<&[&Pin]>) -> Value {
    let mut value = json!({
        "incident": decided.item.incident.to_string(),
        "state": decided.item.state.as_str(),
        "already": decided.already,
        "digest": decided.item.digest.to_string(),
        "subject": &*decided.item.subject,
        "in_force": match in_force {
            InForce::Yes => "yes",
            InForce::NoGateway => "no-gateway",
            InForce::NotYet => "not-yet",
        },
    });
    if let (Value::Object(fields), Some(pins)) = (&mut value, darkened) {
        let pins = pins
            .iter()
            .map(|pin| json!({ "url": pin.url.to_text(), "file": &*pin.place.file, "line": pin.place.line }));
        fields.insert("darkens".to_owned(), pins.collect());
    }
    value
}

fn cannot_decide(error: DecideError, id: &str) -> Failure {
    match error {
        DecideError::Unknown(Incident(_)) => unknown(id),
        DecideError::Revoked { .. } | DecideError::Decided(_) => Failure::could_not(error.to_string()),
        DecideError::Store(error) => error.into(),
    }
}

/// Who decides: the person behind sudo, at this machine. Whoever can write the database can claim any name; this one
/// is for colleagues.
fn who() -> String {
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("SUDO_USER")
        .or_else(|| named("USER"))
        .or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", Observer::on_this_machine(env!("CARGO_PKG_VERSION")).hostname)
}
