//! Deciding on what was kept, whoever asks for it: a command, or a page of the console. Both come by here, so that neither
//! checks less than the other.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_config::{Config, Loaded};
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::pin::Place;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::incident::Incident;
use pinfold_store::item::{
    Agreement, Confirmed, Decided, Item, ItemState, LastDecision, LearnedPin, Opinion,
};
use pinfold_store::path::RefusedMark;
use pinfold_store::{DecideError, Store};
use serde_json::{Value, json};

use crate::barred::bars;
use crate::configuration::Configuration;
use crate::decision;
use crate::failure::Failure;
use crate::printable::printable;
use crate::words::second;

/// What deciding takes.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) store: &'a Store,
    /// How many people must agree, as the files say now.
    pub(crate) approvers: u32,
}

/// Which bytes may be served where, for what stands against it.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    subject: &'a str,
    url: &'a str,
    digest: BodyId,
    is_approved: bool,
}

impl<'a> At<'a> {
    pub(crate) fn item(item: &'a Item) -> Self {
        let Item { subject, url, digest, state, .. } = item;
        Self { subject, url, digest: *digest, is_approved: *state == ItemState::Approved }
    }

    pub(crate) fn learned(pin: &'a LearnedPin) -> Self {
        let LearnedPin { subject, url, digest, state, .. } = pin;
        Self { subject, url, digest: *digest, is_approved: *state == ItemState::Approved }
    }
}

/// What somebody says of an item, or of what was learned, in writing.
pub(crate) struct Written<'a>(Opinion<'a>);

impl<'a> Written<'a> {
    /// # Errors
    /// [`Failure`] where there is no reason, or the end has passed or is no day.
    pub(crate) fn read(
        who: &'a str,
        reason: &'a str,
        expires: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let expires = decision::expires(expires, now)?;
        Ok(Self(Opinion { who, reason: decision::reason(reason)?, at: now, expires }))
    }
}

impl Desk<'_> {
    /// Lets an item's bytes be served at its URL, once enough people have said so.
    pub(crate) async fn approve(
        &self,
        incident: Incident,
        written: &Written<'_>,
    ) -> Result<Decided, Failure> {
        let decided = self.store.approve(incident, written.0, self.approvers).await;
        decided.map_err(|error| cannot_decide(error, incident))
    }

    /// The same, if it admits the paths that stood on the page and no others.
    pub(crate) async fn approve_as_shown(
        &self,
        incident: Incident,
        written: &Written<'_>,
        shown: &str,
    ) -> Result<Decided, Failure> {
        let decided = self.store.approve_as_shown(incident, written.0, self.approvers, shown).await;
        decided.map_err(|error| cannot_decide(error, incident))
    }

    /// Bars an item's bytes from its URL.
    pub(crate) async fn reject(&self, incident: Incident, written: &Written<'_>) -> Result<Decided, Failure> {
        let decided = self.store.reject(incident, written.0).await;
        decided.map_err(|error| cannot_decide(error, incident))
    }

    /// Makes what was learned an approval of people, once enough of them have said so.
    pub(crate) async fn confirm(&self, record: u64, written: &Written<'_>) -> Result<Confirmed, Failure> {
        self.store.confirm(record, written.0, self.approvers).await.map_err(cannot_say)
    }

    /// Bars what was learned from its URL.
    pub(crate) async fn drop_learned(
        &self,
        record: u64,
        written: &Written<'_>,
    ) -> Result<Confirmed, Failure> {
        self.store.drop_learned(record, written.0).await.map_err(cannot_say)
    }

    /// What keeps bytes that were approved from being released all the same, and what to do about it. Of files with mistakes
    /// nothing is known.
    pub(crate) async fn against(
        &self,
        at: At<'_>,
        now: Timestamp,
    ) -> Result<Vec<(String, &'static str)>, Failure> {
        let mut found = Vec::new();
        if let Ok(Loaded { config, .. }) = self.configuration.load() {
            if let Some(place) = revoked_by_file(&config, self.store, at.digest).await? {
                found.push((
                    format!(
                        "the [[revoke]] block at {place} revokes these bytes: they are refused all the same"
                    ),
                    "a reviewed file says so, and only a change of that file takes it back",
                ));
            }
            if let Some(release) = beside_release(&config, self.store, at, now).await? {
                found.push((
                    format!(
                        "the pins there are of release {}, and these bytes are not: while all of that is on the shelf it goes \
                         out, until the vendor was seen to serve something that is allowed at each of its URLs",
                        printable(&release)
                    ),
                    "approve of what it serves at the others too, or pin all of it as a release",
                ));
            }
        }
        let others = self.store.items_of(at.subject, &[at.digest]).await?;
        let bars = bars(&others, at.subject, at.digest);
        let hint = "approve that one to end it, or reject this one too";
        found.extend(bars.into_iter().map(|bar| (bar.in_words(), hint)));
        Ok(found)
    }
}

/// What an approval has come to, line by line.
pub(crate) fn approved(decided: &Decided) -> Vec<String> {
    [vec![outcome(&decided.item)], paths(decided)].concat()
}

/// What a rejection has come to.
pub(crate) fn rejected(item: &Item) -> String {
    format!(
        "these bytes are not released at {} from now on{}",
        printable(&item.subject),
        until(item.decided.as_ref())
    )
}

/// What confirming has come to.
pub(crate) fn confirmed(pin: &LearnedPin) -> String {
    match &pin.agreement {
        Some(agreement) if pin.is_learned_alone() => {
            format!("{}; until then these bytes are served as what was learned", still_needed(agreement))
        }
        Some(agreement) => format!("{}; until then nothing else holds than before", still_needed(agreement)),
        None => {
            let (subject, until) = (printable(&pin.subject), until(pin.decided.as_ref()));
            format!(
                "people stand behind these bytes now: they may be served at {subject} as {}{until}",
                pin.kind
            )
        }
    }
}

/// What dropping has come to.
pub(crate) fn dropped(pin: &LearnedPin) -> String {
    format!(
        "these bytes are not released at {}{}, and nothing is learned there any more",
        printable(&pin.subject),
        until(pin.decided.as_ref())
    )
}

fn outcome(item: &Item) -> String {
    match &item.agreement {
        Some(agreement) if item.state == ItemState::Approved => {
            format!("{}; an earlier approval still releases them{}", still_needed(agreement), until(item.decided.as_ref()))
        }
        Some(agreement) => {
            format!("{}; until then these bytes are not released", still_needed(agreement))
        }
        None if item.path_waits => {
            "more people must approve of the paths that they came by; until then they are not released that way".to_owned()
        }
        None => {
            let until = until(item.decided.as_ref());
            format!("these bytes may be served at {} as {}{until}", printable(&item.subject), item.kind)
        }
    }
}

/// Each mark that the approval admits, or did not yet: it holds for more than this item.
fn paths(decided: &Decided) -> Vec<String> {
    let admitted =
        decided.admitted.iter().map(|mark| ("this path is known from now on, for all URLs there", mark));
    let waiting = decided.refused_marks.iter().map(|mark| ("this path is not known yet", mark));
    admitted.chain(waiting).map(|(what, mark)| format!("{what}: {}", mark_text(mark))).collect()
}

/// How many people it takes, and who they may not be.
pub(crate) fn still_needed(agreement: &Agreement) -> String {
    let by: Vec<_> = agreement.by.iter().map(|who| printable(who).into_owned()).collect();
    let more = u64::from(agreement.needed).saturating_sub(agreement.by.len() as u64);
    let people = if more == 1 { "1 more person".to_owned() } else { format!("{more} more people") };
    format!(
        "it has {} of {} approvals, by {}: {people} must approve, and none of these again",
        agreement.by.len(),
        agreement.needed,
        by.join(", ")
    )
}

/// The same for programs.
pub(crate) fn agreement_json(agreement: Option<&Agreement>) -> Value {
    agreement.map_or(Value::Null, |agreement| {
        json!({ "by": agreement.by.iter().map(|who| &**who).collect::<Vec<_>>(), "needed": agreement.needed })
    })
}

fn until(decided: Option<&LastDecision>) -> String {
    let end = decided.and_then(|decided| decided.expires);
    end.map(|end| format!(", until {}", second(end))).unwrap_or_default()
}

/// `issuer Other CA at cdn.example`.
pub(crate) fn mark_text(mark: &RefusedMark) -> String {
    format!("{} {} at {}", mark.aspect, printable(&mark.value), mark.host)
}

/// A release that the files pin where an item was approved, and that its body is not of.
async fn beside_release(
    config: &Config,
    store: &Store,
    at: At<'_>,
    now: Timestamp,
) -> Result<Option<Arc<str>>, Failure> {
    let Ok(url) = ArtifactUrl::parse(at.url) else { return Ok(None) };
    let deciding = config.rulebook.pins.deciding(&url);
    let active: Vec<_> = deciding.pins().iter().filter(|pin| pin.is_active(now)).collect();
    let all = aliases(store, at.digest).await?;
    let is_pinned = active.iter().any(|pin| pin.digests.iter().any(|digest| all.contains(digest)));
    let release = active.iter().find_map(|pin| pin.release.clone());
    Ok(release.filter(|_| at.is_approved && !is_pinned))
}

/// Where a file revokes a body.
async fn revoked_by_file(config: &Config, store: &Store, id: BodyId) -> Result<Option<Place>, Failure> {
    if config.revoked_at.is_empty() {
        return Ok(None);
    }
    Ok(config.revocation_of(&aliases(store, id).await?).map(|(_, place)| place.clone()))
}

/// A body by every digest that it is known by, its own at least.
async fn aliases(store: &Store, id: BodyId) -> Result<Vec<Digest>, Failure> {
    let digests = digests_of(store, id).await?;
    Ok(digests.map_or_else(|| vec![id.into()], |digests| digests.all().to_vec()))
}

/// All digests of a body, as far as it is there to measure or was measured.
pub(crate) async fn digests_of(store: &Store, id: BodyId) -> Result<Option<Digests>, Failure> {
    if let Some(known) = store.digests_of(&id.into()).await? {
        return Ok(Some(known));
    }
    Ok(store.body_of(id).await?.map(|body| Digests::of(&body)))
}

/// Why nothing was decided.
pub(crate) fn cannot_decide(error: DecideError, incident: Incident) -> Failure {
    match error {
        DecideError::Unknown(_) => unknown(&incident.to_string()),
        DecideError::NotLearned(_)
        | DecideError::Revoked { .. }
        | DecideError::Decided(_)
        | DecideError::NotKept
        | DecideError::OtherPaths => Failure::could_not(error.to_string()),
        DecideError::Store(error) => error.into(),
    }
}

/// The same of what was learned.
fn cannot_say(error: DecideError) -> Failure {
    match error {
        DecideError::NotLearned(_) => Failure::could_not(error.to_string())
            .hint("'pinfold pin list' shows what was learned, each with its record"),
        DecideError::Unknown(_)
        | DecideError::Revoked { .. }
        | DecideError::Decided(_)
        | DecideError::NotKept
        | DecideError::OtherPaths => Failure::could_not(error.to_string()),
        DecideError::Store(error) => error.into(),
    }
}

/// There is no such item.
pub(crate) fn unknown(incident: &str) -> Failure {
    Failure::could_not(format!("no incident {incident} in quarantine"))
        .hint("'pinfold quarantine list' shows those that are there; what was blocked is not kept")
}
