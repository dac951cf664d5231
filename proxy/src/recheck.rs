//! Rechecks: what vendors serve now at the pinned URLs that clients use, looked at in the background.
//!
//! A vendor that changes something is noticed before a client asks for it, and content that stays the same can be told from
//! content that came an hour ago. Nothing is released here. What is asked for is what clients asked for, with the fields
//! that they sent and without what says who they were; a vendor that serves rechecks something else than clients gains
//! nothing, since clients are still given only what matches.

mod look;
mod schedule;
mod variant;

use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::policy::Expectation;
use pinfold_store::sighting::{InUse, MAX_ALL_VARIANTS, Variant, VariantId};
use quick_cache::sync::Cache;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use self::look::{Looked, look};
use self::schedule::{Chance, Lanes, Schedule};
pub(crate) use self::variant::{ask as asked, imitates};
use crate::ask::Ask;
use crate::clock::Clock;
use crate::gateway::Shared;

/// Notes that wait, before further ones are left to the next client that asks for the same.
const NOTES: usize = 256;
/// A variant is noted once in this time, however often it is asked for.
const NOTE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Where the rules ask for no recheck, they are asked again after this time.
const ASK_RULES_AGAIN: Duration = Duration::from_secs(15 * 60);
/// A clock that was set back by more than this makes the plan worthless.
const SET_BACK: SignedDuration = SignedDuration::from_mins(1);

/// A client asked for something.
#[derive(Debug)]
pub(crate) enum Note {
    /// That is looked at from now on.
    Watched(Variant, Timestamp),
    /// That is in use of this subject and cannot be looked at.
    LeftOut(Box<str>, Timestamp),
}

/// What exchanges tell rechecks.
pub(crate) struct Rechecks {
    notes: mpsc::Sender<Note>,
    /// By [`variant::tag`]: of two that have one by chance, the other is noted later.
    noted: Cache<u64, Timestamp>,
    chance: RandomState,
}

impl Rechecks {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Note>) {
        let (notes, to_come) = mpsc::channel(NOTES);
        let all = usize::try_from(MAX_ALL_VARIANTS).unwrap_or(usize::MAX);
        (Self { notes, noted: Cache::new(all), chance: RandomState::new() }, to_come)
    }

    /// Notes that a client asked for a pinned URL and what the vendor's `answer` said that it depends on.
    pub(crate) fn note(&self, ask: &Ask, expected: &Expectation<'_>, answer: &HeaderMap) {
        if ask.is_canary || !ask.asks() || !expected.is_pinned() {
            return;
        }
        let tag = variant::tag(ask, expected.subject(), answer, &self.chance);
        if self.noted.get(&tag).is_some_and(|at| is_lately(at, ask.at)) {
            return;
        }
        // A recheck is of a URL on disk.
        let note =
            match variant::of(ask, expected, variant::facts(ask, answer)).filter(|_| !ask.is_redacted()) {
                Some(variant) => Note::Watched(variant, ask.at),
                // With its query it is all of its subject.
                None if expected.subject().contains('?') => return,
                None => Note::LeftOut(expected.subject().into(), ask.at),
            };
        if self.notes.try_send(note).is_ok() {
            self.noted.insert(tag, ask.at);
        }
    }
}

fn is_lately(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() < NOTE_EVERY
}

/// Looks at everything that is in use, again and again, until the gateway drains.
pub(crate) async fn run(gateway: Arc<Shared>, mut notes: mpsc::Receiver<Note>) {
    let (drain, clock) = (gateway.drain.clone(), gateway.settings.clock.clone());
    let mut policies = gateway.policy.changes();
    let mut rounds = Rounds::begin(gateway).await;
    let mut taken = Vec::new();
    loop {
        rounds.start_what_is_due();
        let next = rounds.schedule.next();
        tokio::select! {
            () = drain.cancelled() => return,
            1.. = notes.recv_many(&mut taken, NOTES) => rounds.take(taken.drain(..)).await,
            Some(ended) = rounds.looks.join_next_with_id() => rounds.end(ended),
            Ok(()) = policies.changed() => rounds.plan_what_was_unwanted(),
            () = until(&clock, next) => {}
        }
    }
}

async fn until(clock: &Clock, next: Option<Timestamp>) {
    match next {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A recheck that goes on.
struct Running {
    vendor: Arc<str>,
    id: VariantId,
    began: Timestamp,
}

struct Rounds {
    gateway: Arc<Shared>,
    in_use: HashMap<VariantId, InUse>,
    schedule: Schedule,
    lanes: Lanes,
    looks: JoinSet<Looked>,
    running: HashMap<Id, Running>,
    /// The rules asked for no recheck of these when they were due.
    unwanted: HashSet<VariantId>,
    /// What time it was last.
    before: Timestamp,
    /// The last notes could not be recorded.
    is_failing: bool,
}

impl Rounds {
    async fn begin(gateway: Arc<Shared>) -> Self {
        let now = gateway.settings.clock.now();
        let known = gateway.store.variants_in_use(now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what rechecks looked at before cannot be read: they begin with what is asked for now");
            Vec::new()
        });
        let mut rounds = Self {
            gateway,
            in_use: HashMap::new(),
            schedule: Schedule::default(),
            lanes: Lanes::default(),
            looks: JoinSet::new(),
            running: HashMap::new(),
            unwanted: HashSet::new(),
            before: now,
            is_failing: false,
        };
        for in_use in known {
            rounds.plan_first(in_use, now);
        }
        rounds
    }

    /// All of them together: the store writes them in one transaction.
    async fn take(&mut self, notes: impl Iterator<Item = Note>) {
        let store = &self.gateway.store;
        let noting = notes.map(async |note| match note {
            Note::Watched(variant, at) => (store.note_variant(variant, at).await, at),
            Note::LeftOut(subject, at) => {
                let left_out = store.leave_variant_out(&subject, at).await;
                (left_out.map(|()| None), at)
            }
        });
        let mut failed = None;
        for (noted, at) in join_all(noting).await {
            match noted {
                Ok(Some(in_use)) => match self.in_use.get_mut(&in_use.id) {
                    Some(known) => *known = in_use,
                    None => self.plan_first(in_use, at),
                },
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        let failed_before = std::mem::replace(&mut self.is_failing, failed.is_some());
        if let Some(error) = failed {
            // Whoever asks for it next says so.
            self.gateway.rechecks.noted.clear();
            if !failed_before {
                tracing::warn!(%error, "what rechecks should look at cannot be recorded");
            }
        }
    }

    fn plan_first(&mut self, in_use: InUse, now: Timestamp) {
        let interval = self.interval(&in_use);
        let fetched = in_use.checked.unwrap_or(in_use.asked);
        self.schedule.plan(in_use.id, schedule::first(fetched, interval, now, Chance::take()));
        self.in_use.insert(in_use.id, in_use);
    }

    fn interval(&self, in_use: &InUse) -> Duration {
        look::interval(&self.gateway.policy.newest(), in_use).unwrap_or(ASK_RULES_AGAIN)
    }

    fn start_what_is_due(&mut self) {
        let now = self.gateway.settings.clock.now();
        if self.before.duration_since(now) > SET_BACK {
            self.plan_anew(now);
        }
        self.before = now;
        while let Some(id) = self.schedule.take(now) {
            if let Some(in_use) = self.in_use.get(&id) {
                self.lanes.wait(self.vendor(in_use), id);
            }
        }
        while let Some((vendor, id)) = self.lanes.begin() {
            let Some(in_use) = self.in_use.get(&id) else {
                self.lanes.end(&vendor);
                continue;
            };
            let looking = self.looks.spawn(look(Arc::clone(&self.gateway), in_use.clone()));
            self.running.insert(looking.id(), Running { vendor, id, began: now });
        }
    }

    /// Other rules may want it.
    fn plan_what_was_unwanted(&mut self) {
        let now = self.gateway.settings.clock.now();
        for id in std::mem::take(&mut self.unwanted) {
            if let Some(in_use) = self.in_use.remove(&id) {
                self.plan_first(in_use, now);
            }
        }
    }

    fn plan_anew(&mut self, now: Timestamp) {
        for id in self.schedule.planned() {
            if let Some(in_use) = self.in_use.get(&id) {
                let interval = self.interval(in_use);
                self.schedule.plan(id, schedule::next(interval, 0, now, Chance::take()));
            }
        }
    }

    /// Whose place a recheck takes: the vendor's, or the host's where no vendor claims it.
    fn vendor(&self, in_use: &InUse) -> Arc<str> {
        let Some(url) = variant::url(&in_use.variant) else { return "".into() };
        self.gateway.policy.newest().party(url.host())
    }

    fn end(&mut self, ended: Result<(Id, Looked), JoinError>) {
        let (task, looked) = match ended {
            Ok((task, looked)) => (task, looked),
            Err(error) => {
                tracing::error!(%error, "a recheck failed; this is a bug");
                (error.id(), Looked::NotSeen(ASK_RULES_AGAIN))
            }
        };
        let Some(Running { vendor, id, began }) = self.running.remove(&task) else { return };
        self.lanes.end(&vendor);
        let Some(in_use) = self.in_use.get_mut(&id) else { return };
        let (interval, failures) = match looked {
            Looked::Seen(interval) => (interval, 0),
            Looked::NotSeen(interval) => (interval, in_use.failures.saturating_add(1)),
            Looked::NotWanted => {
                self.unwanted.insert(id);
                (ASK_RULES_AGAIN, 0)
            }
            Looked::Gone => {
                self.in_use.remove(&id);
                // Whoever asks for it next says so.
                self.gateway.rechecks.noted.clear();
                return;
            }
        };
        in_use.failures = failures;
        self.schedule.plan(id, schedule::next(interval, failures, began, Chance::take()));
    }
}

#[cfg(test)]
mod tests;
