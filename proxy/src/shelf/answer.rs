//! Answering from the shelf: before the vendor is asked, and in place of a refusal.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header;
use pinfold_policy::kind::Kinds;
use pinfold_policy::path::Arrival;
use pinfold_policy::policy::Expectation;
use pinfold_policy::reason::Reason;
use pinfold_policy::vendor::Recheck;
use pinfold_policy::verdict::{Cleared, Verdict, judge, may_substitute, releases_beside};
use pinfold_store::incident::Incident;
use tokio::time::{Instant, timeout_at};

use super::flights::{Flight, Joined, Landing};
use super::is_same;
use super::release::Missing;
use super::variants::{Found, Served};
use crate::ask::Ask;
use crate::budget::Reservation;
use crate::exchange::party;
use crate::fetch::FetchError;
use crate::gateway::Shared;
use crate::hold::READING_MEMORY;
use crate::policy_cell::Snapshot;
use crate::release::Grounds;
use crate::respond::Outbound;
use crate::row::Seen;

/// So many of those who ask for all may be refused by the vendor, before everyone who waits asks for themselves.
const REFUSALS: usize = 3;

/// What to do about a request.
pub(crate) enum Answer {
    /// It is answered.
    Given(Outbound),
    /// Ask the vendor. Others wait until the flight is over, if it is one.
    AskVendor(Option<Flight>),
}

impl Shared {
    /// Answers from the shelf what may be answered so. Of those who ask for the same at one time, one asks the vendor; the
    /// others wait for that, as long as they would for a hold.
    pub(crate) async fn answer_from_shelf(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        expected: &Expectation<'_>,
    ) -> Answer {
        if !may_be_shelved(ask, expected) {
            return Answer::AskVendor(None);
        }
        let answer = self.find_on_shelf(ask, policy, expected).await;
        self.counters.shelf(matches!(answer, Answer::Given(_)));
        answer
    }

    async fn find_on_shelf(&self, ask: &Ask, policy: &Snapshot, expected: &Expectation<'_>) -> Answer {
        let there = self.on_shelf(ask, policy, expected, self.shelf.variants.find(ask)).await;
        let found = match there {
            Ok(found) => Ok(found),
            Err(Missing::Ambiguous) => Err(Answer::AskVendor(None)),
            Err(Missing::Nothing) => Box::pin(self.once_it_is_there(ask, policy, expected)).await,
        };
        match found {
            Ok((served, cleared)) => {
                self.rechecks.note(ask, expected, &served.head.headers);
                Answer::Given(self.give(ask, policy, &served, cleared, Grounds::Verified).await)
            }
            Err(answer) => answer,
        }
    }

    /// What another fetch puts on the shelf while this one waits for it; else what to do.
    async fn once_it_is_there(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        expected: &Expectation<'_>,
    ) -> Result<(Arc<Served>, Cleared), Answer> {
        let until = Instant::now() + policy.live.patience;
        let (mut first, mut waited_for, mut refusals) = (None, None, 0);
        while first.is_none() {
            let variant = self.shelf.variants.variant_of(ask);
            // It came to nothing for this very variant: what the vendor serves is no shared matter.
            if waited_for.as_ref() == Some(&variant) {
                break;
            }
            match self.shelf.flights.join(variant.clone()) {
                // Another may have ended since the shelf was looked at: what it brought is there now.
                Joined::First(flight) => first = Some(flight),
                Joined::Behind(ahead) => match timeout_at(until, ahead.lands()).await {
                    Ok(Landing::Refused) if refusals < REFUSALS => refusals += 1,
                    Ok(Landing::Refused | Landing::Over) => waited_for = Some(variant),
                    Err(_) => {
                        let held = FetchError::Body(Reason::Held);
                        return Err(Answer::Given(self.refuse(ask, policy, Kinds::NONE, &held).await));
                    }
                },
            }
            match self.on_shelf(ask, policy, expected, self.shelf.variants.find(ask)).await {
                Ok(found) => return Ok(found),
                Err(Missing::Ambiguous) => return Err(Answer::AskVendor(None)),
                Err(Missing::Nothing) => {}
            }
        }
        Err(Answer::AskVendor(first))
    }

    /// A reviewed body in place of what was refused for `reason`, where the vendor's rule wants that and there is one.
    pub(crate) async fn substitute(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        reason: Reason,
        incident: Incident,
    ) -> Option<Outbound> {
        let expected = policy.expect(&ask.url);
        if !ask.asks() || !may_substitute(&expected, reason) {
            return None;
        }
        let variants = &self.shelf.variants;
        for found in [variants.find(ask), variants.find_for_other_origins(ask)] {
            if let Ok((served, cleared)) = self.on_shelf(ask, policy, &expected, found).await {
                let grounds = Grounds::InPlaceOf { reason, incident };
                return Some(self.give(ask, policy, &served, cleared, grounds).await);
            }
        }
        None
    }

    /// What the shelf keeps for a URL in place of an approved body that is of no release, as long as that could meet the old
    /// files of one: where substitutes go out, those do.
    pub(crate) async fn kept_together(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        expected: &Expectation<'_>,
        cleared: &Cleared,
    ) -> Option<Outbound> {
        let is_beside =
            || !releases_beside(expected, cleared.digests(), self.settings.clock.now()).is_empty();
        if !(ask.asks() && expected.rules().substitute && is_beside()) {
            return None;
        }
        let variants = &self.shelf.variants;
        for found in [variants.find(ask), variants.find_for_other_origins(ask)] {
            if let Ok((served, kept)) = self.on_shelf(ask, policy, expected, found).await {
                let is_it = is_same(&served.digests, cleared.digests());
                let given = || self.give(ask, policy, &served, kept, Grounds::Verified);
                return if is_it { None } else { Some(given().await) };
            }
        }
        None
    }

    /// Takes one of `served` from the shelf and judges it.
    async fn on_shelf(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        expected: &Expectation<'_>,
        found: Found,
    ) -> Result<(Arc<Served>, Cleared), Missing> {
        let (now, newest) = (self.settings.clock.now(), self.policy.newest());
        let served = self.shelf.choose(ask, policy, expected, found, now, newest.revocations())?;
        let mut held = self.shelf.body(&served, || self.room_on_shelf()).await.ok_or(Missing::Nothing)?;
        if held.kept_for_quarantine().is_spilled() {
            let mut room = policy.live.upstream.reservation(ask.asker.address.ip(), party(policy, ask));
            room.memory(READING_MEMORY).await.map_err(|_| Missing::Nothing)?;
            held = held.reserved_by(Arc::new(room));
        }
        match judge(expected, Ok(held), now, newest.revocations()) {
            Verdict::Allow(cleared) => Ok((served, cleared)),
            Verdict::Bind(..) | Verdict::Withhold(..) => Err(Missing::Nothing),
        }
    }

    async fn give(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        served: &Served,
        cleared: Cleared,
        grounds: Grounds,
    ) -> Outbound {
        // It was no change when it was shelved, or it would not have been.
        let arrival = Arrival::AsKnown;
        let seen = Seen { kinds: served.kinds, head: &served.head, path: served.path.as_ref(), arrival };
        self.release(ask, policy, &seen, cleared, grounds).await
    }

    /// A share of the budget for what the shelf has on disk.
    pub(crate) fn room_on_shelf(&self) -> Reservation {
        // No client has this address, and no vendor a name with a space.
        let newest = self.policy.newest();
        newest.live.upstream.reservation(IpAddr::V4(Ipv4Addr::UNSPECIFIED), "the shelf".into())
    }
}

/// Whether the shelf may answer at all. What is asked for with credentials is between client and vendor.
pub(crate) fn may_be_shelved(ask: &Ask, expected: &Expectation<'_>) -> bool {
    let is_always_asked = match expected.rules().recheck {
        Recheck::Always => true,
        Recheck::Every(_) => false,
    };
    ask.asks()
        && expected.may_be_shelved()
        && !is_always_asked
        && !ask.headers.contains_key(header::AUTHORIZATION)
}
