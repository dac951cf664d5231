//! Learning (`unpinned = "learn"`): what an unpinned URL serves first passes as observed and unverified, and from then on
//! nothing else does.
//!
//! This is trust on first use, and so it is narrow: a 200 that came whole for a GET or HEAD, that could be one kind of
//! thing only (a login page in place of a script could be two) and was not made for one client, at a URL that was never judged by a pin before. What was
//! learned is on disk before the first client gets it.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use pinfold_policy::held::Held;
use pinfold_policy::policy::Expectation;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::{Consequence, unless_learned};
use pinfold_store::StoreError;
use pinfold_store::item::{Learned, Lesson};

use crate::ask::Ask;
use crate::gateway::Shared;
use crate::policy_cell::Snapshot;
use crate::respond::Outbound;
use crate::row::{Seen, acts_as};
use crate::shelf::is_personal;

/// URLs that are learned of one vendor. A page can be made to ask for URLs without end, and each would be a pin for ever;
/// a person who has that many to confirm needs a pattern.
pub const MOST_LEARNED: u32 = 10_000;

/// The vendors of which as much is learned as may be. That never ends: what was learned once is on record for good.
#[derive(Debug, Default)]
pub(crate) struct FullyLearned(Mutex<HashSet<Arc<str>>>);

impl FullyLearned {
    fn includes(&self, vendor: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(vendor)
    }

    /// Tells once, and spares those who flood it with new URLs any look into the store.
    fn add(&self, vendor: &Arc<str>) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(vendor)) {
            tracing::warn!(%vendor, "{MOST_LEARNED} URLs are learned: new ones are unpinned from now on");
        }
    }
}

type Answering<'a> = Pin<Box<dyn Future<Output = Outbound> + Send + 'a>>;

impl Shared {
    /// Learns a body at an unpinned URL, and passes it. Where another body was faster it is judged once more, by what that
    /// one has made of the policy.
    pub(super) fn learn<'a>(
        &'a self,
        ask: &'a Ask,
        policy: &'a Snapshot,
        seen: &'a Seen<'_>,
        held: Held,
    ) -> Answering<'a> {
        Box::pin(async move {
            let expected = policy.expect(&ask.url);
            let learned = match lesson(ask, &expected, seen, &held) {
                Some(lesson) => self.put_on_record(ask, lesson).await,
                None => Ok(None),
            };
            match learned {
                Err(error) => self.unrecorded(ask, policy, &error),
                Ok(Some(Learned::Now)) => self.observe(ask, policy, seen, Reason::Unpinned, held).await,
                Ok(Some(Learned::Same | Learned::Other)) => {
                    let newest = self.policy.newest();
                    if is_unpinned(&newest, ask) && !newest.revocations().include(held.digests()) {
                        return self.not_learned(ask, policy, seen, held).await;
                    }
                    self.judge(ask, newest, seen, held).await
                }
                Ok(Some(Learned::Full) | None) => self.not_learned(ask, policy, seen, held).await,
            }
        })
    }

    /// Nothing where the ledger knows that a pin was there once: one that was removed does not reopen its URL.
    async fn put_on_record(&self, ask: &Ask, lesson: Lesson) -> Result<Option<Learned>, StoreError> {
        let vendor = Arc::clone(&lesson.vendor);
        if self.fully_learned.includes(&vendor) || self.store.was_judged_by_a_pin(&lesson.subject).await? {
            return Ok(None);
        }
        let learned = self.store.learn(lesson, MOST_LEARNED, ask.at).await?;
        if learned == Learned::Full {
            self.fully_learned.add(&vendor);
        }
        Ok(Some(learned))
    }

    async fn not_learned(&self, ask: &Ask, policy: &Snapshot, seen: &Seen<'_>, held: Held) -> Outbound {
        let measured = Some((held.id(), held.len()));
        match unless_learned(&policy.expect(&ask.url)) {
            Consequence::ObserveUnverified => self.observe(ask, policy, seen, Reason::Unpinned, held).await,
            Consequence::Block | Consequence::Quarantine | Consequence::Learn => {
                self.withhold(ask, policy, seen, Reason::Unpinned, measured, None).await
            }
        }
    }
}

fn is_unpinned(policy: &Snapshot, ask: &Ask) -> bool {
    policy.expect(&ask.url).reason_without_match() == Reason::Unpinned
}

/// What there is to learn, if it may be.
fn lesson(ask: &Ask, expected: &Expectation<'_>, seen: &Seen<'_>, held: &Held) -> Option<Lesson> {
    let is_one_thing = seen.kinds.iter().count() == 1;
    let is_for_all = !is_personal(ask, seen.head);
    let vendor = expected.vendor().filter(|_| ask.asks() && is_one_thing && is_for_all)?;
    Some(Lesson {
        subject: expected.subject().into(),
        url: ask.written().into(),
        kind: acts_as(expected, seen.kinds),
        digest: held.id(),
        len: held.len(),
        vendor: Arc::clone(&vendor.name),
    })
}
