//! One look at what a vendor serves now: fetched, held and judged like an exchange, and released to nobody. What is allowed
//! goes to the shelf, which gives out what the vendor served last.

use std::sync::Arc;
use std::time::Duration;

use http::response::Parts;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::cooldown::{self, Facts};
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;
use pinfold_policy::path::Arrival;
use pinfold_policy::policy::Policy;
use pinfold_policy::reason::Reason;
use pinfold_policy::vendor::Recheck;
use pinfold_policy::verdict::{
    Cleared, Consequence, Outcome, Verdict, allows, consequence, judge, judge_arrival,
};
use pinfold_store::StoreError;
use pinfold_store::entry::{DeliveryPath, Notice, What};
use pinfold_store::incident::Incident;
use pinfold_store::sighting::{Drift, IN_USE, InUse, Sighted, Sighting, Untold};
use tokio::time::timeout;

use super::variant;
use crate::ask::{Ask, Extent};
use crate::counters::Rechecked;
use crate::exchange::{Answer, could_be, fetch, party};
use crate::fetch;
use crate::gateway::Shared;
use crate::hold;
use crate::policy_cell::Snapshot;
use crate::row::{Seen, acts_as};
use crate::shelf::Fresh;

/// What became of a recheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Something was seen there.
    Seen(Duration),
    /// Nothing was.
    NotSeen(Duration),
    /// The rules ask for none at present.
    NotWanted,
    /// Nobody uses it any more.
    Gone,
}

/// How often a variant is looked at by the rules of now.
pub(super) fn interval(policy: &Policy, in_use: &InUse) -> Option<Duration> {
    let url = variant::url(&in_use.variant)?;
    let expected = policy.expect(&url);
    match expected.rules().recheck {
        Recheck::Every(interval) if expected.is_pinned() => Some(interval),
        Recheck::Every(_) | Recheck::Always => None,
    }
}

/// Looks once, and records what was found.
pub(super) async fn look(gateway: Arc<Shared>, in_use: InUse) -> Looked {
    let policy = gateway.policy.newest();
    let now = gateway.settings.clock.now();
    let Some(ask) = variant::ask(&in_use.variant, now) else { return Looked::Gone };
    let subject = &*in_use.variant.subject;
    if now.duration_since(in_use.asked) > IN_USE || policy.expect(&ask.url).subject() != subject {
        return Looked::Gone;
    }
    // What is found is written with its URL, which may be older than the wish to mask it.
    if policy.live.masks(&in_use.variant.url) {
        return Looked::Gone;
    }
    let Some(interval) = interval(&policy, &in_use) else { return Looked::NotWanted };
    let look = Look { gateway: &gateway, policy, in_use: &in_use, ask };
    let found = look.fetch_and_hold(interval).await;
    let recorded = match found {
        Ok((answer, held)) => look.judge(&answer, held, interval).await,
        Err(Nothing::Gone) => look.gone(interval).await,
        Err(Nothing::Failed(reason)) => look.nothing(reason, interval).await,
    };
    recorded.unwrap_or_else(|error| {
        tracing::warn!(%error, url = %look.ask.url, "what a recheck found cannot be recorded");
        Looked::NotSeen(interval)
    })
}

struct Look<'g> {
    gateway: &'g Arc<Shared>,
    policy: Arc<Snapshot>,
    in_use: &'g InUse,
    ask: Ask,
}

/// What an answer said of itself.
struct Answered {
    head: Parts,
    path: Option<DeliveryPath>,
    kinds: Kinds,
    arrival: Arrival,
}

/// Why there is no body.
enum Nothing {
    /// The vendor says that it is gone (RFC 9110 §15.5.5, §15.5.11).
    Gone,
    /// It cannot be had now.
    Failed(Reason),
}

impl From<Reason> for Nothing {
    fn from(reason: Reason) -> Self {
        Self::Failed(reason)
    }
}

/// A measured body that is not what is expected.
struct Other<'a> {
    reason: Reason,
    held: &'a Held,
    at: Timestamp,
}

impl Look<'_> {
    /// What the vendor gives to a client that asks for this.
    async fn fetch_and_hold(&self, interval: Duration) -> Result<(Answered, Held), Nothing> {
        let Self { gateway, policy, ask, .. } = self;
        let expected = policy.expect(&ask.url);
        let fetched =
            fetch(gateway, ask, policy, &expected, Method::GET, Extent::Whole, fetch::empty()).await;
        let Answer { head, body, path, kinds, .. } = fetched.map_err(|error| error.reason())?;
        let arriving = gateway.arrive(ask, policy, path.as_ref());
        let arrival = arriving.await.map_err(|_| Reason::StoreUnavailable)?;
        match head.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Nothing::Gone),
            _ => return Err(Reason::UpstreamStatus.into()),
        }
        let codings = hold::codings(&head.headers).map_err(|cause| cause.reason())?;
        let announced = hold::announced(&head.headers);
        let limits = policy.live.upstream.hold_limits(could_be(&expected, kinds));
        let room = policy.live.upstream.room(ask.asker.address.ip(), party(policy, ask));
        let store = gateway.store.clone();
        let holding = hold::hold(body, codings, announced, &limits, room, move |id| store.aliases(id));
        // One that never ends keeps others of its vendor waiting.
        let limit = policy.live.max_hold.min(interval.max(policy.live.patience));
        match timeout(limit, holding).await {
            Ok(Ok(held)) => Ok((Answered { head, path, kinds, arrival }, held)),
            Ok(Err(failed)) => Err(failed.error.reason().into()),
            Err(_) => Err(Reason::UpstreamTimeout.into()),
        }
    }

    async fn nothing(&self, reason: Reason, interval: Duration) -> Result<Looked, StoreError> {
        self.gateway.counters.rechecked(Rechecked::Nothing);
        tracing::debug!(url = %self.ask.url, %reason, "a recheck found nothing");
        let now = self.gateway.settings.clock.now();
        self.gateway.store.not_seen(self.in_use.id, now, reason).await?;
        Ok(Looked::NotSeen(interval))
    }

    /// What is gone for long enough holds back no release: it counts as if the vendor still served what it had there last.
    /// That is what a vendor can have by serving it, so whoever controls one gains nothing by this.
    async fn gone(&self, interval: Duration) -> Result<Looked, StoreError> {
        let Self { gateway, ask, in_use, .. } = self;
        gateway.counters.rechecked(Rechecked::Nothing);
        let now = gateway.settings.clock.now();
        let patience = cooldown::patience(Recheck::Every(interval)).unwrap_or(SignedDuration::MAX);
        if gateway.store.gone(in_use.id, now, patience).await? {
            tracing::debug!(url = %ask.url, "the vendor says that it is gone: no release waits for it");
            let newest = gateway.policy.newest();
            let expected = newest.expect(&ask.url);
            gateway.shelf.keep(ask, now, |one| allows(&expected, one, now, newest.revocations()));
        }
        Ok(Looked::NotSeen(interval))
    }

    async fn judge(&self, answer: &Answered, held: Held, interval: Duration) -> Result<Looked, StoreError> {
        let Self { gateway, policy, ask, .. } = self;
        gateway.store.remember_aliases(*held.digests());
        let (digest, at) = (held.id(), gateway.settings.clock.now());
        let newest = gateway.policy.newest();
        let other = match judge(&policy.expect(&ask.url), Ok(held), at, newest.revocations()) {
            Verdict::Allow(cleared) => {
                // It is what is pinned, and no drift: that it came another way is told already.
                let arrived = judge_arrival(&policy.expect(&ask.url), cleared, answer.arrival);
                if let Ok(cleared) = arrived {
                    self.shelve(answer, &cleared, at);
                }
                None
            }
            // A pattern's digest is bound where a client was given it first.
            Verdict::Bind(..) => None,
            Verdict::Withhold(reason, Some(held)) => Some((reason, held)),
            Verdict::Withhold(reason, None) => return self.nothing(reason, interval).await,
        };
        gateway.counters.rechecked(if other.is_some() { Rechecked::Drift } else { Rechecked::Allowed });
        let patience = cooldown::patience(policy.expect(&ask.url).rules().recheck);
        let sighting = Sighting {
            id: self.in_use.id,
            at,
            digest,
            // What is pinned and has expired is still what was pinned.
            is_drift: other.as_ref().is_some_and(|(reason, _)| *reason != Reason::ExpiredPin),
            patience: patience.unwrap_or(SignedDuration::ZERO),
        };
        let Some(sighted) = gateway.store.seen(sighting).await? else { return Ok(Looked::Gone) };
        if let Some((reason, held)) = &other {
            self.withhold(answer, &Other { reason: *reason, held, at }, &sighted).await?;
        }
        Ok(Looked::Seen(interval))
    }

    /// The shelf gives out what the vendor served last.
    fn shelve(&self, answer: &Answered, cleared: &Cleared, at: Timestamp) {
        let Self { gateway, ask, in_use, .. } = self;
        let fresh = Fresh { head: &answer.head, kinds: answer.kinds, path: answer.path.as_ref(), cleared };
        // No client has asked since.
        let mut asked = ask.clone();
        asked.at = in_use.asked;
        gateway.shelf.put(&asked, &fresh, at, gateway.room_on_shelf());
    }

    /// What would be refused is kept and told before any client asks for it, and approved once the rule says so.
    async fn withhold(
        &self,
        answer: &Answered,
        other: &Other<'_>,
        sighted: &Sighted,
    ) -> Result<(), StoreError> {
        let Some(drift) = sighted.drift else { return Ok(()) };
        let incident = match drift {
            Drift::Recorded { .. } => self.keep(answer, other).await?,
            Drift::Counted { .. } => None,
        };
        self.tell(other, drift, incident).await?;
        if let Some(incident) = incident {
            self.cool_down(other, sighted, incident).await;
        }
        Ok(())
    }

    async fn keep(&self, answer: &Answered, other: &Other<'_>) -> Result<Option<Incident>, StoreError> {
        let Self { gateway, policy, ask, .. } = self;
        let expected = policy.expect(&ask.url);
        match consequence(&expected, other.reason) {
            Consequence::Quarantine => {}
            Consequence::Block | Consequence::ObserveUnverified | Consequence::Learn => return Ok(None),
        }
        let Answered { head, path, kinds, arrival } = answer;
        let seen = Seen { kinds: *kinds, head, path: path.as_ref(), arrival: *arrival };
        let measured = (other.held.id(), other.held.len());
        let row = seen.row(ask, policy, Outcome::Quarantined, Some(other.reason), Some(measured));
        let kind = acts_as(&expected, answer.kinds);
        gateway.store.quarantine_unasked(&row, expected.subject(), kind, other.held).await.map(Some)
    }

    /// Once, also over a crash: the event has the name of the record.
    async fn tell(
        &self,
        other: &Other<'_>,
        drift: Drift,
        incident: Option<Incident>,
    ) -> Result<(), StoreError> {
        let (what, untold, text) = match drift {
            Drift::Recorded { untold } => {
                let (len, reason) = (other.held.len(), other.reason);
                let text = format!("{len} bytes, seen by a recheck; clients would be refused: {reason}");
                (What::Drift, untold, text)
            }
            Drift::Counted { untold } => {
                let text = "further bodies are only counted, until some of those before are decided upon";
                (What::UrlVolatile, untold, text.to_owned())
            }
        };
        let Some(untold) = untold else { return Ok(()) };
        self.gateway.store.notice(self.notice(untold, (what, text), other, incident)).await?;
        self.gateway.store.drift_told(untold.id).await
    }

    fn notice(
        &self,
        Untold { id, at }: Untold,
        (what, text): (What, String),
        other: &Other<'_>,
        incident: Option<Incident>,
    ) -> Notice {
        Notice {
            id,
            at,
            what,
            who: None,
            subject: Some(self.in_use.variant.subject.clone()),
            digest: Some(other.held.id()),
            incident,
            text: text.into(),
            policy_version: self.policy.version(),
        }
    }

    async fn cool_down(&self, other: &Other<'_>, sighted: &Sighted, incident: Incident) {
        // The newest: the rule must not approve where a reload has just said otherwise.
        let policy = self.gateway.policy.newest();
        let expected = policy.expect(&self.ask.url);
        let facts = Facts {
            reason: other.reason,
            digest: other.held.id(),
            rules: expected.rules(),
            has_reviewed_pin: expected.has_reviewed_pin(other.at),
            variants: &sighted.variants,
            now: other.at,
        };
        let Ok(ripe) = cooldown::ripe(&facts) else { return };
        match self.gateway.store.approve_by_cooldown(incident, &ripe.to_string(), other.at).await {
            Ok(_) => {
                let digest = other.held.id();
                tracing::info!(url = %self.ask.url, %digest, "approved by cooldown: {ripe}");
            }
            Err(error) => tracing::debug!(%error, url = %self.ask.url, "not approved by cooldown"),
        }
    }
}
